"""``coderai overrides``: which model is meant in which context."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from coderai.cli.connection import Api, segment
from coderai.cli.errors import WrongUse
from coderai.cli.model_shapes import Gate, Override, OwnOverrides, Registered, Resolved
from coderai.cli.models import PATH as MODELS
from coderai.cli.models import find
from coderai.cli.options import Run, command
from coderai.cli.shapes import read
from coderai.cli.text import Column, one_line, table

_CONFIG: Final = "/api/experimental/chats/config"
_OWN: Final = f"{_CONFIG}/user-personal-model-overrides"
_GATE: Final = f"{_CONFIG}/personal-model-overrides"
_DEPLOYMENT: Final = ("general", "explore", "title_generation")
_PERSONAL: Final = ("root", "general", "explore")
_MODES: Final = {"chat-default": "chat_default", "deployment-default": "deployment_default"}

Context = Annotated[str, typer.Argument(metavar="CONTEXT", help="root, general, explore or title_generation.")]
Personal = Annotated[bool, typer.Option("--personal", help="For yourself only, where that is allowed.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "set")(set_command)
    command(app, "clear")(clear_command)
    command(app, "allow-personal")(allow_command)
    command(app, "which")(which_command)


def list_command(run: Run) -> None:
    """List what administrators chose for everybody, and what you chose for yourself."""
    with run.api() as api:
        if run.json:
            run.document(api.get(_OWN))
            return
        names = {model.id: model.shown for model in api.read(MODELS, list[Registered])}
        for_all = [api.read(f"{_CONFIG}/model-override/{context}", Override) for context in _DEPLOYMENT]
        own = api.read(_OWN, OwnOverrides)
    rows = [["everybody", *_row(each, names)] for each in for_all]
    rows += [["you", *_row(each, names)] for each in (own.root, own.general, own.explore)]
    columns = [Column("FOR"), Column("CONTEXT"), Column("MODEL", 50), Column("STATE", 80)]
    run.say(table(columns, rows, run.look))
    if not own.enabled:
        run.note("What persons choose does not count here; an owner can say: coderai overrides allow-personal yes")


def set_command(
    run: Run,
    for_context: Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Id, display name or identifier; with --personal also chat-default or deployment-default.",
        ),
    ],
    personal: Personal = False,
) -> None:
    """Choose the model for a context."""
    _check(for_context, _PERSONAL if personal else _DEPLOYMENT, personal=personal)
    with run.api() as api:
        if personal and model in _MODES:
            shown, body = model, {"mode": _MODES[model]}
        else:
            found = find(api, model)
            shown = found.shown
            body = {"model_config_id": found.id, **({"mode": "model"} if personal else {})}
        api.call("PUT", _path(for_context, personal=personal), body)
    _done(run, f"{for_context}: {one_line(shown)}{' for you' if personal else ' for everybody'}.")


def clear_command(run: Run, for_context: Context, personal: Personal = False) -> None:
    """Forget the choice for a context."""
    _check(for_context, _PERSONAL if personal else _DEPLOYMENT, personal=personal)
    with run.api() as api:
        if personal:
            api.call("DELETE", _path(for_context, personal=True))
        else:
            api.call("PUT", _path(for_context, personal=False), {"model_config_id": ""})
    _done(run, f"{for_context}: no override any more{' for you' if personal else ''}.")


def allow_command(
    run: Run, allowed: Annotated[str | None, typer.Argument(metavar="[yes|no]", help="Without it: show.")] = None
) -> None:
    """Let what persons choose for themselves count, or not."""
    if allowed not in (None, "yes", "no"):
        raise WrongUse(f"{allowed!r} must be yes or no")
    with run.api() as api:
        if allowed is not None:
            api.call("PUT", _GATE, {"allow_users": allowed == "yes"})
        answer = api.get(_GATE)
    if run.json:
        run.document(answer)
    else:
        run.say(["yes" if read(answer, Gate).allow_users else "no"])


def which_command(
    run: Run,
    for_context: Context,
    user: Annotated[str | None, typer.Option("--user", "-u", help="For whom; you, when missing.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The model the request itself names.")] = None,
    parent: Annotated[str | None, typer.Option("--parent", help="The model of the chat it is for.")] = None,
) -> None:
    """Say which model is meant in a context, and why."""
    with run.api() as api:
        query = {"user": user, "model_config_id": _id(api, model), "parent_model_config_id": _id(api, parent)}
        body = api.get(f"{_CONFIG}/resolved-model/{segment(for_context)}", query)
    if run.json:
        run.document(body)
        return
    found = read(body, Resolved)
    name = f"{found.display_name} ({found.model} via {found.provider_name})" if found.model_config_id else "no model"
    run.say([f"{one_line(name)}: {one_line(found.reason)}"])
    for step in found.steps[: -1 if found.model_config_id else None]:
        run.note(f"  {one_line(step.layer)}: {one_line(step.outcome)}")


def _row(override: Override, names: dict[str, str]) -> Sequence[str]:
    if not override.is_set:
        return override.context, "", "not set"
    chosen = names.get(override.model_config_id, override.model_config_id) or override.mode.replace("_", "-")
    return override.context, chosen, override.unusable_reason or "set"


def _check(context: str, contexts: Sequence[str], *, personal: bool) -> None:
    if context not in contexts:
        whose = "your own overrides" if personal else "overrides for everybody"
        raise WrongUse(f"no context {context!r} for {whose}; there are: {', '.join(contexts)}")


def _path(context: str, *, personal: bool) -> str:
    return f"{_OWN}/{segment(context)}" if personal else f"{_CONFIG}/model-override/{segment(context)}"


def _id(api: Api, model: str | None) -> str | None:
    return None if model is None else find(api, model).id


def _done(run: Run, text: str) -> None:
    if run.json:
        run.document(b"{}")
    else:
        run.note(text)
