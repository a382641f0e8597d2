"""``coderai config``: the settings that a server would run with from here, and all that can be set."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coderai.cli.errors import WrongUse
from coderai.cli.options import Run, command
from coderai.cli.text import Column, one_line, table
from coderai.errors import BadSettings, CoderaiError

if TYPE_CHECKING:
    from coderai.settings import Loaded
    from coderai.settings.rendering import Shown

Options = Annotated[list[str] | None, typer.Argument(metavar="[-- SERVER OPTIONS]", help="As behind `coderai server`.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "show")(show_command)
    command(app, "check")(check_command)
    command(app, "options")(options_command)


def show_command(
    run: Run,
    options: Options = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Defaults as well.")] = False,
) -> None:
    """Show what `coderai server` would run with here, and where each value comes from. Secrets are not shown."""
    from coderai.settings.rendering import shown

    loaded = loaded_here(run, options)
    settings = [each for each in shown(loaded) if everything or each.source != "default"]
    if run.json:
        run.document(
            json.dumps({"options": [_document(each) for each in settings], "providers": _providers(loaded)}).encode()
        )
        return
    _warn(run, loaded.warnings)
    if settings:
        columns = [Column("OPTION"), Column("VALUE", 60, least=10), Column("SOURCE", leaves=2)]
        run.say(table(columns, [[each.flag, each.value, each.source] for each in settings], run.look))
    else:
        run.note("every option has its default; --all shows them")
    if loaded.settings.providers:
        names = ("name", "type", "base_url", "credentials", "source")
        columns = [
            Column("PROVIDER"),
            Column("TYPE"),
            Column("BASE URL", 60, leaves=2),
            Column("KEYS"),
            Column("SOURCE"),
        ]
        run.say(["", *table(columns, [[each[name] for name in names] for each in _providers(loaded)], run.look)])


def check_command(run: Run, options: Options = None) -> None:
    """Check all settings, as `coderai server --check` does; nothing is opened or changed."""
    from coderai.cli.server import summary
    from coderai.store.locations import locate

    loaded = loaded_here(run, options)
    locate(loaded.settings.database)
    if run.json:
        run.document(json.dumps({"ok": True, "warnings": loaded.warnings}).encode())
        return
    _warn(run, loaded.warnings)
    run.say(summary(loaded).splitlines())


def options_command(
    run: Run, markdown: Annotated[bool, typer.Option("--markdown", help="As a table in Markdown.")] = False
) -> None:
    """List every option of the server: flag, variables, YAML, default."""
    from coderai.settings.rendering import described, markdown_options

    if markdown:
        run.say(markdown_options().splitlines())
        return
    rows = described()
    if run.json:
        run.document(json.dumps(rows).encode())
        return
    columns = [Column("FLAG"), Column("VARIABLE"), Column("YAML"), Column("DEFAULT"), Column("", 80, leaves=1)]
    names = ("flag", "variables", "yaml", "default", "help")
    run.say(table(columns, [[_one(row[name]) for name in names] for row in rows], run.look))


def _one(value: object) -> str:
    """The first spelling is the one to use."""
    return str(next(iter(value), "")) if isinstance(value, list) else str(value)


def loaded_here(run: Run, options: Iterable[str] | None = None) -> "Loaded":
    """Return the settings that a server would have here. Raises CoderaiError."""
    from coderai.settings import load

    chosen = run.choices
    if chosen.url:
        raise WrongUse("a server does not tell its settings: these are the ones of this machine, without --url")
    given = {"--data-dir": chosen.data_dir, "--database-url": chosen.database_url, "--config": chosen.config}
    arguments = [f"{flag}={value}" for flag, value in given.items() if value] + list(options or ())
    try:
        loaded = load(arguments, run.environ, lambda name: Path(name).read_text(encoding="utf-8"))
    except BadSettings as error:
        raise CoderaiError(str(error)) from error  # its fields repeat what the text says
    if loaded.action not in ("serve", "check"):
        raise WrongUse("only options that set something, please")
    return loaded


def _warn(run: Run, warnings: Iterable[str]) -> None:
    for warning in warnings:
        run.note(f"warning: {one_line(warning)}")


def _document(each: "Shown") -> dict[str, Any]:
    return {"name": each.name, "flag": each.flag, "value": each.value, "secret": each.secret, "source": each.source}


def _providers(loaded: "Loaded") -> list[dict[str, str]]:
    return [
        {
            "name": each.name,
            "type": each.type,
            "base_url": each.base_url,
            "credentials": "Bedrock" if each.bedrock else f"set ({len(each.keys)})" if each.keys else "no key",
            "source": each.origin,
        }
        for each in loaded.settings.providers
    ]
