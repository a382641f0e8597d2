"""The options as text: the help, the configuration in force as YAML, and the example file."""

import json
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import yaml
from pydantic import SecretStr

from coderai import durations
from coderai.settings.forms import holds_password
from coderai.settings.loader import Loaded
from coderai.settings.model import Row, table
from coderai.settings.options import GROUPS

_WIDTH: Final = 110
_RARE: Final = "Fine tuning"

SET: Final = "set"
"""Shown in the place of a secret."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as people may see it."""

    name: str
    flag: str
    value: str
    source: str
    secret: bool
    group: str
    """As the help calls it."""
    help: str


_USAGE: Final = """\
Usage: coderai server [options]

Run the gateway, its API and its jobs. Every option can be given as a flag, as a variable in the environment, or in a
YAML file; the first of these that says something wins. Booleans: --x, --x=true, --x=false.
Every --aibridge-… may also be written --ai-gateway-…, every CODER_AIBRIDGE_… also CODER_AI_GATEWAY_…
A variable NAME that holds a secret may be given as NAME_FILE, which names a file with the secret in it.

  -c, --config path, $CODERAI_CONFIG_PATH or $CODER_CONFIG_PATH
          Read this YAML file.
      --check
          Check all settings and exit.
      --write-config
          Print the settings in force as YAML, without secrets, and exit.
  -h, --help
          Print this text and exit.
"""

_PROVIDERS_HELP: Final = """\
Providers
  CODER_AIBRIDGE_PROVIDER_<N>_TYPE, _NAME, _BASE_URL, _KEY or _KEYS (comma-separated), and for Amazon Bedrock
  _BEDROCK_REGION, _BEDROCK_BASE_URL, _BEDROCK_ACCESS_KEY, _BEDROCK_ACCESS_KEY_SECRET, _BEDROCK_MODEL,
  _BEDROCK_SMALL_FAST_MODEL; N counts from 0. _KEY_FILE, _KEYS_FILE (one per line) and so on name files. Or in YAML,
  with references instead of secrets:
    aibridge: {providers: [{type: anthropic, name: corp, base_url: "https://…", key_env: CORP_KEY}]}
"""

_EXAMPLE_HEAD: Final = """\
# Configuration of coderai: `coderai server --config FILE`, or CODERAI_CONFIG_PATH=FILE.
# Everything is optional; the values shown are the defaults. Flags and variables in the environment win over this file.
# Made by the program itself (`python -m coderai.settings.rendering`), and tested to be complete.
"""

_HEAD: Final = "# The settings in force, as `coderai server --config FILE` reads them. Secrets are not shown.\n"

_EXAMPLE_PROVIDERS: Final = """\
  # Providers: the name is the route segment. Types: openai, anthropic, copilot, bedrock, azure, google, openai-compat,
  # openrouter, vercel. Secrets by reference only: key_env, keys_env (comma-separated), key_file, keys_file (one per
  # line). For Bedrock: bedrock_region, bedrock_base_url, bedrock_access_key_env, bedrock_access_key_secret_env,
  # bedrock_model, bedrock_small_fast_model, bedrock_role_arn, bedrock_external_id, bedrock_protocol (invoke-model or
  # mantle).
  #providers:
  #  - type: anthropic
  #    name: anthropic-corp
  #    base_url: "https://llm-proxy.internal.example.com/anthropic"
  #    key_env: ANTHROPIC_CORP_KEY
"""

_EXAMPLE_SECRETS: Final = """\
# Secrets are not settable here, only by flag or in the environment; there, NAME_FILE names a file with the secret:
"""


def help_text() -> str:
    """Return what ``coderai server --help`` prints."""
    parts = [_USAGE]
    rows = table().values()
    for group, title in GROUPS.items():
        members = [row for row in rows if row.option.group == group and not row.option.rare]
        if members:
            parts.append(title + "\n" + "".join(map(_help, members)))
        if group == "gateway":
            parts.append(_PROVIDERS_HELP)
    parts.append(_RARE + "\n" + "".join(_help(row) for row in rows if row.option.rare))
    return "\n".join(parts)


def _help(row: Row) -> str:
    option = row.option
    short = f"  -{option.short}, " if option.short else "      "
    kind = "" if row.form.name == "bool" else f" {row.form.name}"
    variables = option.variables[:1] if option.twins else option.variables
    places = " or ".join(f"${name}" for name in variables)
    default = _go(row.default)
    head = f"{short}{row.flag}{kind}, {places}" + (f" (default: {default})" if default else "")
    note = f" ({option.note})" if option.note else ""
    text = option.help.rstrip(".") + note + "." + (f" YAML: {option.yaml[0]}." if option.yaml else "")
    body = textwrap.fill(text, _WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 10, break_on_hyphens=False)
    return f"{head}\n{body}\n"


def _go(value: object) -> str:
    """Return a default as the original's help shows it."""
    if isinstance(value, timedelta):
        return durations.go_form(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | Path) else ""


def example() -> str:
    """Return ``config.example.yaml``: every option, commented out, with its default."""
    values = {row.name: row.default for row in table().values()}
    lines = "".join(_group(_tree(), values, "", commented=True))
    secrets = "".join(f"#   {row.option.variables[0]}: {row.option.help}\n" for row in _secret_rows())
    return f"{_EXAMPLE_HEAD}\n{lines}\n{_EXAMPLE_SECRETS}{secrets}"


def write_config(loaded: Loaded) -> str:
    """Return the settings in force as a file that ``--config`` accepts. Holds no secret."""
    values = {row.name: getattr(loaded.settings, row.name) for row in table().values()}
    text = _HEAD + "\n" + "".join(_group(_tree(), values, "", commented=False, providers=loaded.listed))
    elsewhere = [provider for provider in loaded.settings.providers if provider.source != "yaml"]
    if elsewhere:
        text += "\n# Providers that are configured elsewhere:\n"
        text += "".join(f"#   {provider.name}: {provider.origin}\n" for provider in elsewhere)
    return text


def shown(loaded: Loaded) -> Sequence[Shown]:
    """Return every setting in force with its source; secrets only as ``set``, or as nothing."""
    return [
        Shown(
            row.name,
            row.flag,
            *_value(row, getattr(loaded.settings, row.name), str(loaded.source(row.name))),
            GROUPS[row.option.group],
            row.option.help,
        )
        for row in table().values()
    ]


def _value(row: Row, value: object, source: str) -> tuple[str, str, bool]:
    secret = row.form.secret or (isinstance(value, str) and holds_password(value))
    if not secret:
        return _plain(value), source, False
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return SET if text else "", source, True


def _plain(value: object) -> str:
    if isinstance(value, timedelta):
        return durations.shortest(value)
    return str(value) if isinstance(value, str | Path) else _yaml(value)


def described() -> Sequence[Mapping[str, object]]:
    """Return everything about every option, as plain values."""
    return [
        {
            "name": row.name,
            "flag": row.flag,
            "flags": [f"--{flag}" for flag in row.option.flags],
            "variables": list(row.option.variables),
            "yaml": list(row.option.yaml),
            "kind": row.form.name,
            "default": "" if row.form.secret else _plain(row.default),
            "secret": row.form.secret,
            "help": row.option.help,
            "note": row.option.note,
        }
        for row in table().values()
    ]


def markdown_options() -> str:
    """Return every option as tables in Markdown, one for each group."""
    parts = []
    for group, title in GROUPS.items():
        lines = [f"## {title}", "", "| Option | Variables | YAML | Default | |", "|---|---|---|---|---|"]
        lines += [_markdown(row) for row in table().values() if row.option.group == group]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _markdown(row: Row) -> str:
    option = row.option
    default = "" if row.form.secret else _plain(row.default)
    text = option.help.rstrip(".") + (f" ({option.note})" if option.note else "") + "."
    spellings = (option.variables, option.yaml[:1], (default,) if default else ())
    cells = [f"`{row.flag}`", *(", ".join(f"`{one}`" for one in some) for some in spellings), text]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _secret_rows() -> Iterator[Row]:
    return (row for row in table().values() if not row.option.yaml)


_Tree = dict[str, "Row | _Tree"]


def _tree() -> _Tree:
    """Return the YAML groups, nested, with a row at each leaf; in every group leaves before groups."""
    root: _Tree = {}
    for row in table().values():
        if not row.option.yaml:
            continue
        *groups, key = row.option.yaml[0].split(".")
        node = root
        for name in groups:
            node = node.setdefault(name, {})  # type: ignore[assignment] # only leaves are rows
        node[key] = row
    return _leaves_first(root)


def _leaves_first(tree: _Tree) -> _Tree:
    leaves: _Tree = {key: node for key, node in tree.items() if isinstance(node, Row)}
    groups: _Tree = {key: _leaves_first(node) for key, node in tree.items() if isinstance(node, dict)}
    return leaves | groups


def _group(
    tree: _Tree,
    values: Mapping[str, object],
    indent: str,
    *,
    commented: bool,
    providers: Sequence[Mapping[str, object]] = (),
) -> Iterator[str]:
    for key, node in tree.items():
        if isinstance(node, Row):
            yield from _leaf(key, node, values[node.name], indent, commented=commented)
            continue
        yield f"\n{key}:\n" if not indent else f"{indent}{key}:\n"
        if key == "aibridge" and not indent:
            yield from _providers(providers, commented=commented)
        yield from _group(node, values, indent + "  ", commented=commented)


def _leaf(key: str, row: Row, value: object, indent: str, *, commented: bool) -> Iterator[str]:
    note = f" ({row.option.note})" if row.option.note else ""
    default = _yaml(row.default)
    comment = f"{row.option.help.rstrip('.')}{note}. ({row.form.name}, default: {default})"
    yield from (
        f"{indent}# {line}\n" for line in textwrap.wrap(comment, _WIDTH, break_long_words=False, break_on_hyphens=False)
    )
    if isinstance(value, str) and holds_password(value):
        yield f"{indent}# {key}: set, not shown because it holds a password\n"
        return
    yield f"{indent}{'#' if commented else ''}{key}: {_yaml(value)}\n"


def _providers(providers: Sequence[Mapping[str, object]], *, commented: bool) -> Iterator[str]:
    if commented:
        yield _EXAMPLE_PROVIDERS
    elif providers:
        yield "  # Providers\n  providers:\n"
        yield from (f"    - {_yaml(provider)}\n" for provider in providers)


def _yaml(value: object) -> str:
    """Return *value* as YAML on one line; texts always in quotes, so that none is taken for something else."""
    match value:
        case timedelta():
            return durations.shortest(value)
        case str() | Path():
            return yaml.safe_dump(str(value), default_style='"', width=math.inf, allow_unicode=True).strip()
        case Mapping():
            return "{" + ", ".join(f"{key}: {_yaml(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_yaml, value)) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    print(example(), end="")  # noqa: T201 -- this is how config.example.yaml is made
