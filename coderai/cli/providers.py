"""``coderai providers``: who is called. Those of the configuration are listed here and changed there."""

from typing import Annotated, Any, Final

import typer

from coderai.cli.asking import agreed, asked, can_ask, secrets_from
from coderai.cli.connection import Api, segment
from coderai.cli.errors import FAILED, WrongUse, asking_for
from coderai.cli.options import Run, command, noun
from coderai.cli.provider_health import health_command
from coderai.cli.shapes import Provider, ProviderKey, Tested, read
from coderai.cli.text import Column, one_line, table, until
from coderai.kinds import KINDS, Kind

_PATH: Final = "/api/v2/ai/providers"
Name = Annotated[str, typer.Argument(metavar="PROVIDER", help="Name or id.")]
Key = Annotated[list[str] | None, typer.Option("--key", help="Visible to others; better a file or a variable.")]
KeyFile = Annotated[list[str] | None, typer.Option("--key-file", help='File with a key; "-" reads stdin. Repeatable.')]
KeyEnv = Annotated[list[str] | None, typer.Option("--key-env", help="Variable that holds a key. Repeatable.")]
Region = Annotated[str | None, typer.Option("--region", help="Bedrock: the AWS region.")]
Model = Annotated[str | None, typer.Option("--model", help="Bedrock: the model that is called.")]
SmallModel = Annotated[str | None, typer.Option("--small-fast-model", help="Bedrock: instead of haiku models.")]
AccessKeyFile = Annotated[
    str | None, typer.Option("--access-key-file", help="Bedrock: file with access key and secret on two lines.")
]
RoleArn = Annotated[str | None, typer.Option("--role-arn", help="Bedrock: the role to assume.")]
Protocol = Annotated[str | None, typer.Option("--protocol", help="Bedrock: invoke-model or mantle.")]
Display = Annotated[str | None, typer.Option("--display-name", help="What people see.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", help="Where the provider is; known for most types.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Test = Annotated[bool, typer.Option("--test", help="Ask the provider something cheap afterwards.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "add")(add_command)
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "show")(show_command)
    command(app, "edit")(edit_command)
    command(app, "enable")(enable_command)
    command(app, "disable")(disable_command)
    command(app, "remove")(remove_command)
    command(app, "rm", hidden=True)(remove_command)
    command(app, "test")(test_command)
    command(app, "health")(health_command)
    command(app, "types")(types_command)
    keys = typer.Typer(no_args_is_help=True)
    noun(keys)
    command(keys, "add")(add_key_command)
    command(keys, "list")(list_keys_command)
    command(keys, "remove")(remove_key_command)
    app.add_typer(keys, name="keys", help="The central keys of a provider, in the order in which they are tried.")


def add_command(
    run: Run,
    kind: Annotated[str | None, typer.Argument(metavar="TYPE", help="See `coderai providers types`.")] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help="The route segment; the type by default.")] = None,
    display_name: Display = None,
    base_url: BaseUrl = None,
    key: Key = None,
    key_file: KeyFile = None,
    key_env: KeyEnv = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Add it without serving it yet.")] = False,
    region: Region = None,
    model: Model = None,
    small_fast_model: SmallModel = None,
    access_key_file: AccessKeyFile = None,
    role_arn: RoleArn = None,
    protocol: Protocol = None,
    test: Test = False,
) -> None:
    """Add a provider; what is missing is asked for on a terminal."""
    interactive = kind is None and can_ask()
    kind = asked(kind, f"Type ({', '.join(KINDS)})", "the type, for example `providers add anthropic`")
    known = KINDS.get(kind)
    keys = secrets_from(run, "key", key or (), key_file or (), key_env or (), run.environ)
    settings = _settings(run, region, model, small_fast_model, access_key_file, role_arn, protocol)
    if interactive:
        name = str(typer.prompt("Name (the route)", default=name or kind, err=True))
    if not base_url and known is not None and settings is None and kind != "bedrock":
        example = known.example_base_url or "https://llm.example.com/v1"
        base_url = known.default_base_url or asked(None, f"Base URL (for example {example})", "--base-url")
    if interactive and not keys and known is not None and known.takes_keys and settings is None:
        entered = typer.prompt(
            "Key (empty: users bring their own)", default="", hide_input=True, show_default=False, err=True
        )
        keys = [entered] if entered else []
    body: dict[str, Any] = {"type": kind, "name": name or kind, "enabled": not disabled, "base_url": base_url or ""}
    body |= {"display_name": display_name} if display_name else {}
    body |= {"api_keys": keys} if keys else {}
    body |= {"settings": settings} if settings is not None else {}
    with run.api() as api:
        answer = api.call("POST", _PATH, body)
        added = read(answer, Provider)
        if run.json:
            run.document(answer)
        else:
            run.say([f"Provider {one_line(added.name)} added (id {one_line(added.id)})."])
            run.note(f"Route: /api/v2/aibridge/{one_line(added.name)}/  State: {_state(added)}")
            if known is not None and known.takes_keys and _keys(added) == "no key":
                called = one_line(added.name)
                run.note(f"It has no key. A shared one: coderai providers keys add {called}")
                run.note(f"One for your own calls only: coderai keys set {called}")
        if test:
            _test(run, api, added.name)


def list_command(run: Run) -> None:
    """List providers, with where they come from."""
    with run.api() as api:
        body = api.get(_PATH)
    if run.json:
        run.document(body)
        return
    providers = read(body, list[Provider])
    if not providers:
        run.note("no providers; add one with: coderai providers add TYPE")
        return
    columns = [
        *(Column("NAME", 40, least=10), Column("TYPE"), Column("BASE URL", 60, leaves=2)),
        *(Column("KEYS"), Column("STATE", 60, leaves=1), Column("SOURCE")),
    ]
    run.say(table(columns, [_row(provider) for provider in providers], run.look))


def show_command(run: Run, provider: Name) -> None:
    """Show one provider; of its keys only ids and dates."""
    with run.api() as api, asking_for("provider", provider):
        body = api.get(f"{_PATH}/{segment(provider)}")
    if run.json:
        run.document(body)
        return
    found = read(body, Provider)
    lines = [("name", found.name), ("id", found.id), ("type", found.type), ("display name", found.display_name)]
    lines += [("base URL", found.base_url), ("state", _state(found)), ("source", found.source), ("keys", _keys(found))]
    lines += [(f"  {one_line(key.id) or 'configured'}", until(key.created_at, run.look)) for key in found.api_keys]
    lines += [(name, str(value)) for name, value in (found.settings or {}).items() if not name.startswith("_")]
    run.say([f"{name:<40}{one_line(value)}" for name, value in lines if value])


def edit_command(
    run: Run,
    provider: Name,
    display_name: Display = None,
    base_url: BaseUrl = None,
    region: Region = None,
    model: Model = None,
    small_fast_model: SmallModel = None,
    access_key_file: AccessKeyFile = None,
    role_arn: RoleArn = None,
    protocol: Protocol = None,
    test: Test = False,
) -> None:
    """Change a provider. Its name is its route and stays; keys: `coderai providers keys`."""
    body: dict[str, Any] = {}
    body |= {"display_name": display_name} if display_name is not None else {}
    body |= {"base_url": base_url} if base_url is not None else {}
    settings = _settings(run, region, model, small_fast_model, access_key_file, role_arn, protocol)
    if not body and settings is None:
        raise WrongUse("nothing to change: say --base-url, --display-name or one of the Bedrock options")
    with run.api() as api, asking_for("provider", provider):
        if settings is not None:
            before = api.read(f"{_PATH}/{segment(provider)}", Provider).settings or {}
            body["settings"] = before | settings
        _changed(run, api, provider, body)
        if test:
            _test(run, api, provider)


def enable_command(run: Run, provider: Name) -> None:
    """Serve a provider (again)."""
    with run.api() as api, asking_for("provider", provider):
        _changed(run, api, provider, {"enabled": True})


def disable_command(run: Run, provider: Name) -> None:
    """Stop serving a provider; running exchanges end as they would have."""
    with run.api() as api, asking_for("provider", provider):
        _changed(run, api, provider, {"enabled": False})


def remove_command(run: Run, provider: Name, yes: Yes = False) -> None:
    """Remove a provider and destroy its keys; what was recorded stays."""
    with run.api() as api, asking_for("provider", provider):
        found = api.read(f"{_PATH}/{segment(provider)}", Provider)
        agreed(f"Remove provider {one_line(found.name)} ({one_line(found.type)}) and its {_keys(found)}?", yes=yes)
        api.call("DELETE", f"{_PATH}/{segment(found.id)}")
    if run.json:
        run.document(b"{}")
    else:
        run.note(f"Provider {one_line(found.name)} removed.")


def test_command(run: Run, provider: Name) -> None:
    """Ask a provider something cheap (the list of its models), to see whether address and key are right."""
    with run.api() as api, asking_for("provider", provider):
        _test(run, api, provider)


def types_command(run: Run) -> None:
    """List the types of providers."""
    columns = [Column("TYPE"), Column("SPEAKS"), Column("BASE URL", 80, leaves=1)]
    rows = [[kind.type, kind.family, _usual_base_url(kind)] for kind in KINDS.values()]
    run.say(table(columns, rows, run.look))


def _usual_base_url(kind: Kind) -> str:
    if kind.default_base_url:
        return kind.default_base_url
    return f"required; for example {kind.example_base_url}" if kind.example_base_url else "follows from --region"


def add_key_command(
    run: Run, provider: Name, key: Key = None, key_file: KeyFile = None, key_env: KeyEnv = None
) -> None:
    """Add keys behind those that are there."""
    keys = secrets_from(run, "key", key or (), key_file or (), key_env or (), run.environ)
    if not keys and can_ask():
        keys = [str(typer.prompt("Key", hide_input=True, err=True))]
    if not keys:
        raise WrongUse("no key was given: say --key-file, --key-env or --key")
    with run.api() as api, asking_for("provider", provider):
        staying = [{"id": each.id} for each in _stored(api, provider)]
        _changed(run, api, provider, {"api_keys": [*staying, *({"api_key": each} for each in keys)]})


def list_keys_command(run: Run, provider: Name) -> None:
    """List the keys of a provider: ids and dates, never the keys."""
    with run.api() as api, asking_for("provider", provider):
        keys = _stored(api, provider)
    rows = [[each.id, until(each.created_at, run.look)] for each in keys]
    run.say(table([Column("ID"), Column("ADDED")], rows, run.look))


def remove_key_command(
    run: Run, provider: Name, key_id: Annotated[str, typer.Argument(metavar="KEY-ID")], yes: Yes = False
) -> None:
    """Destroy a key."""
    with run.api() as api, asking_for("provider", provider):
        keys = _stored(api, provider)
        if key_id not in [each.id for each in keys]:
            raise WrongUse(f"{provider} has no key {key_id}; see: coderai providers keys list {provider}")
        agreed(f"Destroy key {key_id} of {one_line(provider)}?", yes=yes)
        staying = [{"id": each.id} for each in keys if each.id != key_id]
        _changed(run, api, provider, {"api_keys": staying})


def _stored(api: Api, provider: str) -> list[ProviderKey]:
    return api.read(f"{_PATH}/{segment(provider)}", Provider).api_keys


def _changed(run: Run, api: Api, provider: str, body: dict[str, Any]) -> None:
    answer = api.call("PATCH", f"{_PATH}/{segment(provider)}", body)
    if run.json:
        run.document(answer)
        return
    after = read(answer, Provider)
    run.say([f"Provider {one_line(after.name)}: {_state(after)}, {_keys(after)}."])


def _test(run: Run, api: Api, provider: str) -> None:
    answer = api.call("POST", f"{_PATH}/{segment(provider)}/test")
    tested = read(answer, Tested)
    if run.json:
        run.document(answer)
    else:
        words = "ok" if tested.ok else "failed"
        run.say([f"{one_line(provider)}  {words}  {tested.ms} ms  {one_line(tested.message)}"])
    if not tested.ok:
        raise typer.Exit(FAILED)


def _settings(
    run: Run,
    region: str | None,
    model: str | None,
    small_fast_model: str | None,
    access_key_file: str | None,
    role_arn: str | None,
    protocol: str | None,
) -> dict[str, Any] | None:
    members = ("region", "model", "small_fast_model", "role_arn", "protocol")
    given = dict(zip(members, (region, model, small_fast_model, role_arn, protocol), strict=True))
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if access_key_file is not None:
        [text] = secrets_from(run, "access key", (), [access_key_file], (), run.environ)
        lines = text.split()
        if len(lines) != 2:
            raise WrongUse(f"{access_key_file} must hold the access key and its secret, one on each of two lines")
        settings |= {"access_key": lines[0], "access_key_secret": lines[1]}
    return {"_type": "bedrock", "_version": 1, **settings} if settings else None


def _row(provider: Provider) -> list[str]:
    where = provider.base_url or f"({(provider.settings or {}).get('region', 'AWS')})"
    return [provider.name, provider.type, where, _keys(provider), _state(provider), provider.source]


def _keys(provider: Provider) -> str:
    if provider.api_keys:
        return f"set ({len(provider.api_keys)})"
    return "AWS credentials" if provider.settings else "no key"


def _state(provider: Provider) -> str:
    return f"{provider.status}: {provider.status_reason}" if provider.status_reason else provider.status
