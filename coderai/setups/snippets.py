"""The text that points a tool at the gateway, and the forms it comes in. A token is never part of it: a variable is."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

TOKEN: Final = "$CODER_TOKEN"  # noqa: S105 - the name of a variable
OWN_KEY: Final = "$PROVIDER_KEY"
TOKEN_HEADER: Final = "X-Coder-AI-Governance-Token"  # noqa: S105 - the name of a header
CLIENT_HEADER: Final = "X-Coder-Client"
MAKE_TOKEN: Final = "coderai tokens create"  # noqa: S105 - a command

_PLACEHOLDERS: Final = re.compile(r"\$(?:CODER_TOKEN|PROVIDER_KEY)\b")
_SPECIAL: Final = re.compile(r'[\\"`$]')
_MODELS: Final = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-5.3-codex"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tool shall go, and with whose key."""

    root: str
    """The gateway's address up to the provider, without a trailing slash."""
    provider: str
    family: str
    byok: bool = False
    chosen_model: str = ""
    """Empty: the tool's own choice, or an example where it has none."""

    @property
    def base(self) -> str:
        """The base URL of tools that append ``/v1`` themselves."""
        return f"{self.root}/{self.provider}"

    @property
    def v1(self) -> str:
        """The base URL of tools that do not."""
        return self.base + "/v1"

    @property
    def model(self) -> str:
        """A model, for tools that have to be told one."""
        return self.chosen_model or _MODELS.get(self.family, "")

    @property
    def key(self) -> str:
        """What stands where the tool expects its key."""
        return OWN_KEY if self.byok else TOKEN

    def headers(self, client: str = "") -> dict[str, str]:
        """Headers the tool has to add: the token beside an own key, and a name where it shows none."""
        token = {TOKEN_HEADER: TOKEN} if self.byok else {}
        return token | ({CLIENT_HEADER: client} if client else {})


@dataclass(frozen=True, slots=True)
class Snippet:
    """Something to paste, to redirect into a file, or to evaluate."""

    form: str
    """``sh``, ``json``, ``toml``, ``yaml``, ``python``, ``javascript`` or ``text``."""
    text: str
    file: str = ""
    """Where it belongs."""
    then: str = ""
    """What is to be done besides."""
    expanded: bool = False
    """The tool itself puts in the variables."""


def shell(exports: Mapping[str, str], *, unset: Sequence[str] = (), then: str = "") -> Snippet:
    """Return commands that set variables. Only the two placeholders are expanded by the shell, nothing else."""
    values = "".join(exports.values())
    lines = [f': "${{{TOKEN[1:]}:?is not set; make a token with: {MAKE_TOKEN}}}"'] if TOKEN in values else []
    if OWN_KEY in values:
        lines.append(f': "${{{OWN_KEY[1:]}:?is not set; it is your own key at the provider}}"')
    lines += [f"unset {' '.join(unset)}"] if unset else []
    lines += [f"export {name}={_quoted(value)}" for name, value in exports.items()]
    return Snippet("sh", "\n".join(lines) + "\n", then=then)


def document(content: Mapping[str, Any], file: str, *, then: str = "", expanded: bool = False) -> Snippet:
    """Return a JSON file."""
    return Snippet("json", json.dumps(content, indent=2, ensure_ascii=False) + "\n", file, then, expanded)


def lines(form: str, *text: str, file: str = "", then: str = "") -> Snippet:
    """Return lines of another form."""
    return Snippet(form, "\n".join(text) + "\n", file, then)


def string(value: str) -> str:
    """Return *value* as a string of JSON, which is one of TOML, YAML, Python and JavaScript as well."""
    return json.dumps(value)


def table(members: Mapping[str, str]) -> str:
    """Return an object on one line, as JSON, YAML, Python and JavaScript write it."""
    return json.dumps(dict(members))


def _quoted(value: str) -> str:
    parts, at = [], 0
    for found in _PLACEHOLDERS.finditer(value):
        parts += [_SPECIAL.sub(r"\\\g<0>", value[at : found.start()]), found.group()]
        at = found.end()
    return '"' + "".join(parts) + _SPECIAL.sub(r"\\\g<0>", value[at:]) + '"'
