"""The command line: ``--flag value``, ``--flag=value``; booleans ``--flag``, ``--flag=true``, ``--flag=false``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from coderai.errors import BadSettings
from coderai.settings.forms import join_list, split_list
from coderai.settings.layers import Found, Source, did_you_mean, one_of
from coderai.settings.model import Row, table

Action = Literal["serve", "check", "write_config", "help"]

ACTIONS: Final[Mapping[str, Action]] = {"help": "help", "write-config": "write_config", "check": "check"}
_MOVED: Final = {
    "postgres-url": "use --database-url",
    "cache-dir": "use --data-dir",
    "pprof-enable": "there is no profiler",
    "pprof-address": "there is no profiler",
}
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class BadUsage(BadSettings):
    """The command line itself is wrong: exit code 2."""


@dataclass(slots=True)
class Flags:
    """What the command line says."""

    values: dict[str, Found] = field(default_factory=dict)
    action: Action = "serve"
    config: str | None = None


def read_flags(arguments: Sequence[str], warnings: list[str]) -> Flags:
    """Read the arguments of ``coderai server``. Raises BadUsage, and BadSettings for contradictions."""
    flags = Flags()
    by_flag = {name: row for row in table().values() for name in row.option.flags}
    by_letter = {row.option.short: row.option.flags[0] for row in table().values() if row.option.short}
    by_letter |= {"c": "config", "h": "help"}
    given: dict[str, dict[str, Found]] = {}
    rest = list(arguments)
    while rest:
        name, text = _split(rest.pop(0), by_letter)
        if name in ACTIONS:
            if _boolean(name, text):
                flags.action = ACTIONS[name]
        elif name == "config":
            flags.config = _value(name, text, rest)
        elif name in by_flag:
            row = by_flag[name]
            value = ("true" if text is None else text) if row.form.name == "bool" else _value(name, text, rest)
            spellings = given.setdefault(row.name, {})
            spellings[name] = Found(_together(row, spellings.get(name), value), Source("flag", f"--{name}"))
        else:
            hint = f"; {_MOVED[name]}" if name in _MOVED else did_you_mean(name, (*by_flag, *ACTIONS, "config"), "--")
            raise BadUsage(f'unknown flag "--{name}"{hint}')
    for option, spellings in given.items():
        found = one_of(table()[option], spellings.values(), warnings)
        if found is not None:
            flags.values[option] = found
    return flags


def _split(argument: str, by_letter: Mapping[str, str]) -> tuple[str, str | None]:
    if argument.startswith("--") and len(argument) > 2:
        name, equals, text = argument[2:].partition("=")
        return name, text if equals else None
    if len(argument) > 1 and argument[0] == "-" and argument[1] in by_letter:
        text = argument[2:].removeprefix("=")
        return by_letter[argument[1]], text if argument[2:] else None
    if argument in _TRUE | _FALSE:
        example = f"--aibridge-enabled={argument}"
        raise BadUsage(f'unexpected argument "{argument}"; a boolean is written with "=", for example {example}')
    if argument.startswith("-"):
        raise BadUsage(f'unknown flag "{argument.partition("=")[0]}"')
    raise BadUsage("unexpected argument; every setting is a flag, see coderai server --help")


def _value(name: str, text: str | None, rest: list[str]) -> str:
    if text is not None:
        return text
    if not rest:
        raise BadUsage(f"--{name} needs a value")
    return rest.pop(0)


def _boolean(name: str, text: str | None) -> bool:
    if text is None or text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadUsage(f'--{name}="{text}": write "true" or "false"')


def _together(row: Row, before: Found | None, text: str) -> object:
    """Lists grow with every mention; of everything else the last mention counts."""
    if row.form.name != "string-array" or before is None:
        return text
    try:
        return join_list((*split_list(str(before.value)), *split_list(text)))
    except ValueError as error:
        raise BadUsage(f"{before.source}: {error}") from error
