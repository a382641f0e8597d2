"""The options every command takes, before the noun, after it, and after the verb."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Annotated, Any

import typer

from coderai.cli.run import Run, start
from coderai.cli.target import Choices, Output

PANEL = "Everywhere"


def _everywhere(
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of a server [CODERAI_URL, CODER_URL]. Without one: the local data.", rich_help_panel=PANEL
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Token for that server [CODERAI_TOKEN, CODER_SESSION_TOKEN].", rich_help_panel=PANEL),
    ] = None,
    config_dir: Annotated[
        str | None,
        typer.Option(help="Where the sign-in is kept [CODERAI_CONFIG_DIR; ~/.config/coderai].", rich_help_panel=PANEL),
    ] = None,
    data_dir: Annotated[
        str | None,
        typer.Option(help="Local data directory [CODERAI_DATA_DIR; ~/.local/share/coderai].", rich_help_panel=PANEL),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            help="Database other than the one in the data directory [CODERAI_DATABASE_URL].", rich_help_panel=PANEL
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config", "-c", help="The server's configuration file [CODER_CONFIG_PATH].", rich_help_panel=PANEL
        ),
    ] = None,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="table (default) or json.", rich_help_panel=PANEL)
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="How long to wait for an answer, 30s by default.", rich_help_panel=PANEL)
    ] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colors [NO_COLOR].", rich_help_panel=PANEL)] = False,
) -> None:
    """Only its signature is used."""


_PARAMETERS = tuple(inspect.signature(_everywhere).parameters.values())
_CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def command(app: typer.Typer, name: str, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function whose first parameter is a Run; the others are its arguments and options, as with typer.

    A parameter whose type is a dataclass stands for the options that its fields are.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        kinds: dict[str, Any] = {each.name: each.annotation for each in own if is_dataclass(each.annotation)}
        groups = {name: list(inspect.signature(kind).parameters.values()) for name, kind in kinds.items()}
        own = [option for each in own for option in groups.get(each.name, [each])]

        def call(**values: Any) -> None:
            context: typer.Context = values.pop("context")
            for name, options in groups.items():
                values[name] = kinds[name](**{option.name: values.pop(option.name) for option in options})
            function(start(_chosen(values).over(context.obj)), **values)

        app.command(name, help=inspect.getdoc(function), **options)(_with_signature(call, own))
        return function

    return register


def noun(app: typer.Typer) -> None:
    """Let *app*, the root or a noun, take the options as well."""

    def call(**values: Any) -> None:
        context: typer.Context = values.pop("context")
        context.obj = _chosen(values).over(context.obj)

    app.callback()(_with_signature(call, []))


def _with_signature(call: Callable[..., None], own: list[inspect.Parameter]) -> Callable[..., None]:
    """Typer reads the signature to learn the options; give it the common ones after the command's own."""
    parameters = [_CONTEXT, *map(_keyword, own), *map(_keyword, _PARAMETERS)]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # what inspect looks for first
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _chosen(values: dict[str, Any]) -> Choices:
    return Choices(**{parameter.name: values.pop(parameter.name) for parameter in _PARAMETERS})


__all__ = ["Run", "command", "noun"]
