"""The OpenAPI document for people: one page, no script, nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from coderai.api.answers import SAFE

HEADERS: Final = {
    **SAFE,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #8881; overflow-x: auto; padding: .5rem; }
details { border-top: 1px solid #8884; padding: .4rem 0; }
summary { cursor: pointer; }
.method { display: inline-block; font-weight: bold; min-width: 4.5rem; }
.about { color: #777; }
th { text-align: left; padding-right: 1rem; vertical-align: top; font-weight: normal; }
:root { color-scheme: light dark; }
"""


def page(document: Mapping[str, Any]) -> str:
    """Return the HTML."""
    schemas = document["components"]["schemas"]
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8>",
            f"<title>coderai API</title><style>{_STYLE}</style>",
            f"<h1>coderai API</h1><p>Version {escape(document['info']['version'])}. "
            "The same for programs: <a href=openapi.json>openapi.json</a>. "
            "Send a token as <code>Coder-Session-Token</code> or as bearer token.</p>",
            *_groups(document["paths"]),
            "<h2>Documents</h2>",
            *(_folded(f"<code id='{escape(name)}'>{escape(name)}</code>", _json(schemas[name])) for name in schemas),
            "</html>",
        ]
    )


def _groups(paths: Mapping[str, Any]) -> Iterator[str]:
    operations = [(path, method, each) for path, methods in paths.items() for method, each in methods.items()]
    for tag in dict.fromkeys(each["tags"][0] for _, _, each in operations):
        yield f"<h2>{escape(tag)}</h2>"
        for path, method, each in operations:
            if each["tags"][0] == tag:
                head = f"<span class=method>{method.upper()}</span><code>{escape(path)}</code>"
                yield _folded(f"{head} <span class=about>{escape(each['summary'])}</span>", "".join(_parts(each)))


def _parts(operation: Mapping[str, Any]) -> Iterator[str]:
    if "security" not in operation:
        yield "<p>Needs no token.</p>"
    if operation["parameters"]:
        yield "<table>" + "".join(map(_row, operation["parameters"])) + "</table>"
    if body := operation.get("requestBody"):
        yield "<p>Body:</p>" + _json(body["content"]["application/json"]["schema"])
    for status, response in operation["responses"].items():
        content = next(iter(response.get("content", {}).values()), None)
        shape = f" <code>{escape(_name(content['schema']))}</code>" if content else ""
        yield f"<p><b>{status}</b> {escape(response['description'])}{shape}</p>"


def _row(parameter: Mapping[str, Any]) -> str:
    kind = f"{parameter['in']}, {parameter['schema']['type']}"
    return f"<tr><th><code>{escape(parameter['name'])}</code><th>{kind}<th>{escape(parameter['description'])}</tr>"


def _name(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if schema.get("type") == "array":
        return f"list of {_name(schema['items'])}"
    return str(schema.get("type", "document"))


def _json(schema: Mapping[str, Any]) -> str:
    return f"<pre>{escape(json.dumps(schema, indent=2))}</pre>"


def _folded(head: str, inside: str) -> str:
    return f"<details><summary>{head}</summary>{inside}</details>"
