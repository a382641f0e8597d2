"""``coderai models``: the registry of models. ``models seen`` is what was recorded."""

import json
import time
from typing import Annotated, Any, Final

import typer

from coderai.cli.asking import agreed, asked, can_ask
from coderai.cli.connection import Api, segment
from coderai.cli.errors import Refused, WrongUse
from coderai.cli.model_options import Flags, from_file, listing, merged, whole
from coderai.cli.model_shapes import Call, Registered
from coderai.cli.options import Run, command
from coderai.cli.shapes import Provider, read
from coderai.cli.text import Column, count, distinct, one_line, table
from coderai.errors import CoderaiError, Conflict, Invalid, NotFound

PATH: Final = "/api/experimental/chats/model-configs"
_CUT: Final = 8
"""Characters of an id that a table on a terminal shows."""
_GENERAL: Final = "Options of every model"

Wanted = Annotated[str, typer.Argument(metavar="MODEL", help="Id, display name or identifier.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ProviderName = Annotated[str | None, typer.Option("--provider", "-p", help="Name or id of its provider.")]
Display = Annotated[str | None, typer.Option("--display-name", "-n", help="What people see.")]
Context = Annotated[str | None, typer.Option("--context-limit", help="Tokens it takes, for example 200k.")]
Threshold = Annotated[
    str | None,
    typer.Option("--compression-threshold", help="Per cent of the context at which chats are summed up; 100: never."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-s", metavar="NAME=VALUE", help="See `coderai models options TYPE`. Repeatable."),
]
OptionsFile = Annotated[
    str | None,
    typer.Option("--options-file", help='JSON of all options, in place of those there are; "-" reads stdin.'),
]


def _flag(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_GENERAL)


MaxOutput = Annotated[str | None, _flag("Most tokens of an answer.")]
Temperature = Annotated[str | None, _flag("0 to 2.")]
TopP = Annotated[str | None, typer.Option("--top-p", help="0 to 1.", rich_help_panel=_GENERAL)]
TopK = Annotated[str | None, typer.Option("--top-k", help="Whole number.", rich_help_panel=_GENERAL)]
Presence = Annotated[str | None, _flag("-2 to 2.")]
Frequency = Annotated[str | None, _flag("-2 to 2.")]
Price = Annotated[str | None, _flag("US dollars per million tokens.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "show")(show_command)
    command(app, "add")(add_command)
    command(app, "edit")(edit_command)
    command(app, "remove")(remove_command)
    command(app, "rm", hidden=True)(remove_command)
    command(app, "set-default")(set_default_command)
    command(app, "test")(try_command)
    command(app, "options")(options_command)
    command(app, "seen")(seen_command)


def list_command(run: Run) -> None:
    """List the registered models. The registry never changes relayed traffic: any model can be called without it."""
    with run.api() as api:
        body = api.get(PATH)
    if run.json:
        run.document(body)
        return
    models = read(body, list[Registered])
    if not models:
        run.note("no models; register one with: coderai models add MODEL --provider NAME")
        return
    columns = [
        *(Column("ID"), Column("NAME", 40, least=10), Column("MODEL", 50, least=10), Column("PROVIDER", 40, leaves=2)),
        *(Column("CONTEXT", leaves=1), Column("DEFAULT"), Column("STATE", 60)),
    ]
    ids = distinct([model.id for model in models], run.look)
    rows = [
        [
            *(shown_id, model.shown, model.model, model.provider_name, count(model.context_limit, run.look)),
            *("yes" if model.is_default else "", _state(model)),
        ]
        for shown_id, model in zip(ids, models, strict=True)
    ]
    run.say(table(columns, rows, run.look))


def show_command(run: Run, model: Wanted) -> None:
    """Show a model with its options."""
    with run.api() as api:
        found = find(api, model)
        body = api.get(f"{PATH}/{segment(found.id)}")
    if run.json:
        run.document(body)
        return
    lines = [
        *(("id", found.id), ("name", found.shown), ("model", found.model)),
        ("provider", f"{found.provider_name} ({found.provider})"),
        ("context limit", str(found.context_limit)),
        ("compression", f"at {found.compression_threshold}%" if found.compression_threshold < 100 else "off"),
        *(("default", "yes" if found.is_default else "no"), ("state", _state(found))),
        ("options", json.dumps(found.model_config) if found.model_config else "none: the provider's defaults"),
    ]
    run.say([f"{name:<15}{one_line(value)}" for name, value in lines])
    _warn(run, found.model_config_warnings)


def add_command(
    run: Run,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="What the provider calls it.")] = None,
    provider: ProviderName = None,
    display_name: Display = None,
    context_limit: Context = None,
    compression_threshold: Threshold = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the default; the first one always is.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Register it without offering it yet.")] = False,
    option: Options = None,
    options_file: OptionsFile = None,
    max_output_tokens: MaxOutput = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    presence_penalty: Presence = None,
    frequency_penalty: Frequency = None,
    input_price: Price = None,
    output_price: Price = None,
    cache_read_price: Price = None,
    cache_write_price: Price = None,
) -> None:
    """Register a model; what is missing is asked for on a terminal."""
    flags = Flags(
        *(max_output_tokens, temperature, top_p, top_k, presence_penalty, frequency_penalty),
        *(input_price, output_price, cache_read_price, cache_write_price),
    )
    with run.api() as api:
        owner = _provider(api, provider)
        body = _new(owner, model, display_name, context_limit)
        options = merged(from_file(options_file) if options_file else {}, flags, option or (), owner.type)
        body |= {"model_config": options} if options else {}
        body |= {"enabled": not disabled, "is_default": default} | _threshold(compression_threshold)
        answer = api.call("POST", PATH, body)
    if run.json:
        run.document(answer)
        return
    added = read(answer, Registered)
    run.say([f"Model {one_line(added.shown)} registered (id {one_line(added.id)})."])
    _warn(run, added.model_config_warnings)
    run.note(f"Try it with: coderai models test {one_line(added.id)}")


def _new(owner: Provider, model: str | None, display_name: str | None, limit: str | None) -> dict[str, Any]:
    """Return what every new model needs, asking for what is missing."""
    model = asked(model, "Model (what the provider calls it)", "it, for example `models add gpt-5`")
    if display_name is None and can_ask():
        display_name = str(typer.prompt("Display name", default=model, err=True))
    if not display_name:
        raise WrongUse("the display name is missing: say --display-name")
    limit = asked(limit, "Context limit (tokens, for example 200k)", "--context-limit")
    names = {"ai_provider_id": owner.id, "model": model, "display_name": display_name}
    return {**names, "context_limit": whole(limit, "--context-limit")}


def edit_command(
    run: Run,
    model: Wanted,
    identifier: Annotated[str | None, typer.Option("--model", "-m", help="What the provider calls it.")] = None,
    provider: ProviderName = None,
    display_name: Display = None,
    context_limit: Context = None,
    compression_threshold: Threshold = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether it is offered.")] = None,
    option: Options = None,
    options_file: OptionsFile = None,
    max_output_tokens: MaxOutput = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    presence_penalty: Presence = None,
    frequency_penalty: Frequency = None,
    input_price: Price = None,
    output_price: Price = None,
    cache_read_price: Price = None,
    cache_write_price: Price = None,
) -> None:
    """Change a model; what is not named stays. An empty value unsets an option: --temperature=, --option effort=."""
    flags = Flags(
        *(max_output_tokens, temperature, top_p, top_k, presence_penalty, frequency_penalty),
        *(input_price, output_price, cache_read_price, cache_write_price),
    )
    body: dict[str, Any] = {**_threshold(compression_threshold)}
    plain = {"model": identifier, "display_name": display_name, "enabled": enabled, "ai_provider_id": provider}
    body |= {name: value for name, value in plain.items() if value is not None}
    body |= {"context_limit": whole(context_limit, "--context-limit")} if context_limit is not None else {}
    about_options = bool(flags.given() or option or options_file)
    if not body and not about_options:
        raise WrongUse("nothing to change: name an option, for example --display-name")
    with run.api() as api:
        found = find(api, model)
        if about_options:
            before = from_file(options_file) if options_file else found.model_config
            type_ = _provider(api, provider).type if provider else found.provider
            body["model_config"] = merged(before, flags, option or (), type_)
        _changed(run, api, found, body)


def remove_command(run: Run, model: Wanted, yes: Yes = False) -> None:
    """Remove a model from the registry; what was recorded stays."""
    with run.api() as api:
        found = find(api, model)
        agreed(f"Remove model {one_line(found.shown)} of provider {one_line(found.provider_name)}?", yes=yes)
        api.call("DELETE", f"{PATH}/{segment(found.id)}")
    if run.json:
        run.document(b"{}")
    else:
        run.note(f"Model {one_line(found.shown)} removed.")


def set_default_command(run: Run, model: Wanted) -> None:
    """Make a model the default."""
    with run.api() as api:
        _changed(run, api, find(api, model), {"is_default": True})


def try_command(
    run: Run,
    model: Wanted,
    prompt: Annotated[str | None, typer.Option(help="Something else than a ping.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the request; send nothing.")] = False,
) -> None:
    """Send one small request with a model's options through the gateway, and show what came back."""
    with run.api() as api:
        found = find(api, model)
        document = api.call("POST", f"{PATH}/{segment(found.id)}/request", {"prompt": prompt} if prompt else {})
        asking = read(document, Call)
        if dry_run:
            run.document(document)
            return
        _warn(run, asking.warnings)
        from coderai.cli.model_call import sent, understood  # the readers of three APIs: only here

        began = time.monotonic()
        status, body = sent(run, api, asking)
        passed = round((time.monotonic() - began) * 1000)
    name = f"{one_line(found.shown)} ({one_line(found.model)} via {one_line(found.provider_name)})"
    try:
        reply = understood(asking, status, body, found.model_config)
    except CoderaiError as error:
        raise CoderaiError(f"{name}: {error}") from error
    if run.json:
        told = {"ok": True, "status": status, "ms": passed, "text": reply.text, "cost_micros": reply.micros}
        run.document(json.dumps(told).encode())
        return
    run.say([f"{name}: {status} in {passed} ms{reply.effort}: {reply.text or '(no text)'}"])


def options_command(
    run: Run, provider_type: Annotated[str, typer.Argument(metavar="TYPE", help="See `coderai providers types`.")]
) -> None:
    """List what --option takes for models of a type of provider."""
    rows = list(listing(provider_type))
    if run.json:
        run.document(
            json.dumps([{"name": name, "values": values, "text": text} for name, values, text in rows]).encode()
        )
        return
    run.say(table([Column("OPTION"), Column("VALUES", 60), Column("MEANING", 80, leaves=1)], rows, run.look))


def seen_command(run: Run) -> None:
    """List the models that were seen in the records, registered or not."""
    with run.api() as api:
        body = api.get("/api/v2/aibridge/models", {"limit": "1000"})
    if run.json:
        run.document(body)
        return
    seen = read(body, list[str])
    if not seen:
        run.note("no model has been called yet")
    run.say(one_line(each) for each in seen)


def find(api: Api, wanted: str) -> Registered:
    """Return the model with that id, display name or identifier; of an id, its beginning or end is enough.

    Raises NotFound, Conflict.
    """
    models, cut = api.read(PATH, list[Registered]), wanted.strip("…")
    for matches in (
        [model for model in models if model.id == wanted],
        [model for model in models if wanted in (model.display_name, model.model)],
        [model for model in models if len(cut) >= _CUT and (model.id.startswith(cut) or model.id.endswith(cut))],
    ):
        if len(matches) > 1:
            ids = ", ".join(one_line(f"{model.id} ({model.provider_name})") for model in matches)
            raise Conflict(f"several models are called {wanted!r}; name one by its id: {ids}")
        if matches:
            return matches[0]
    raise NotFound("model", wanted)


def _changed(run: Run, api: Api, found: Registered, body: dict[str, Any]) -> None:
    answer = api.call("PATCH", f"{PATH}/{segment(found.id)}", body)
    if run.json:
        run.document(answer)
        return
    changed = read(answer, Registered)
    run.note(f"Model {one_line(changed.shown)} changed{'; it is the default' if changed.is_default else ''}.")
    _warn(run, changed.model_config_warnings)


def _provider(api: Api, wanted: str | None) -> Provider:
    """Return the provider of that name; on a terminal it is asked for. Raises WrongUse, Refused."""
    providers = [each for each in api.read("/api/v2/ai/providers", list[Provider]) if each.type != "copilot"]
    names = ", ".join(one_line(each.name) for each in providers)
    if not providers:
        raise Invalid("there is no provider yet: add one with `coderai providers add`")
    if wanted is None and len(providers) == 1:
        return providers[0]
    wanted = asked(wanted, f"Provider ({names})", f"--provider with one of: {names}")
    found = next((each for each in providers if wanted in (each.id, each.name)), None)
    if found is None:
        raise Refused(404, f"no provider {wanted!r}", f"there are: {names}")
    return found


def _threshold(text: str | None) -> dict[str, int]:
    return {} if text is None else {"compression_threshold": whole(text.removesuffix("%"), "--compression-threshold")}


def _state(model: Registered) -> str:
    return "enabled" if model.usable else "disabled" if not model.enabled else model.unusable_reason


def _warn(run: Run, warnings: list[str]) -> None:
    for warning in warnings:
        run.note(f"note: {one_line(warning)}")
