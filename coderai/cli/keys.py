"""``coderai keys``: provider keys that people keep for themselves. They go in and never come out."""

from typing import Annotated, Final

import typer

from coderai.cli.asking import agreed, can_ask, secrets_from
from coderai.cli.connection import Api, segment
from coderai.cli.errors import WrongUse, asking_for
from coderai.cli.options import Run, command
from coderai.cli.shapes import Document, read
from coderai.cli.text import Column, one_line, table
from coderai.errors import Forbidden

BYOK_OFF: Final = "keys of one's own are switched off on this gateway; those that were saved are ignored"

Name = Annotated[str, typer.Argument(metavar="PROVIDER", help="Name or id.")]
User = Annotated[str, typer.Option("--user", "-u", help="Whose: a username, an id, or me.")]


class KeyProvider(Document, frozen=True):
    id: str
    type: str
    name: str
    display_name: str = ""
    enabled: bool = True


class Standing(Document, frozen=True):
    provider: KeyProvider
    has_user_api_key: bool = False
    has_provider_api_key: bool = False
    byok_enabled: bool = True

    @property
    def state(self) -> str:
        """Which credential calls go with, in a few words."""
        if self.has_user_api_key and self.byok_enabled:
            return "Key saved"
        return "Using shared key" if self.has_provider_api_key else "No key"


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "set")(set_command)
    command(app, "remove")(remove_command)
    command(app, "rm", hidden=True)(remove_command)


def list_command(run: Run, user: User = "me") -> None:
    """List providers, and whether calls to them go with a key of your own or with the shared one."""
    with run.api() as api, asking_for("user", user):
        body = api.get(_path(user))
    if run.json:
        run.document(body)
        return
    standings = read(body, list[Standing])
    if not standings:
        run.note("there are no providers")
        return
    columns = [Column("PROVIDER", 40, least=10), Column("TYPE"), Column("STATE", leaves=1)]
    rows = [[each.provider.name, each.provider.type, _state(each)] for each in standings]
    run.say(table(columns, rows, run.look))
    if not standings[0].byok_enabled:
        run.note(f"note: {BYOK_OFF}")


def set_command(
    run: Run,
    provider: Name,
    user: User = "me",
    key: Annotated[str | None, typer.Option("--key", help="Visible to others; better a file or a variable.")] = None,
    key_file: Annotated[str | None, typer.Option("--key-file", help='File with the key; "-" reads stdin.')] = None,
    key_env: Annotated[str | None, typer.Option("--key-env", help="Variable that holds the key.")] = None,
) -> None:
    """Save a key of your own for a provider; your calls go with it from now on. It is asked for on a terminal."""
    secret = _one_key(run, key, key_file, key_env)
    with run.api() as api, asking_for("provider", provider):
        if secret is None:
            _require_allowed(api, user)  # before somebody types it in vain
            secret = str(typer.prompt(f"Key for {one_line(provider)}", hide_input=True, err=True))
        answer = api.call("PUT", f"{_path(user)}/{segment(provider)}", {"api_key": secret})
    if run.json:
        run.document(answer)
        return
    standing = read(answer, Standing)
    run.say([f"{one_line(standing.provider.name)}: {_state(standing)}"])


def remove_command(
    run: Run,
    provider: Name,
    user: User = "me",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Destroy a saved key; calls go with the shared one again, where there is one."""
    whose = "your key" if user == "me" else f"the key of {one_line(user)}"
    agreed(f"Destroy {whose} for {one_line(provider)}?", yes=yes)
    with run.api() as api, asking_for("saved key for the provider", provider):
        api.call("DELETE", f"{_path(user)}/{segment(provider)}")
    if run.json:
        run.document(b"{}")
    else:
        run.note(f"Key for {one_line(provider)} removed.")


def _path(user: str) -> str:
    return f"/api/v2/users/{segment(user)}/ai-provider-keys"


def _state(standing: Standing) -> str:
    return standing.state if standing.provider.enabled else f"{standing.state} (provider is disabled)"


def _one_key(run: Run, key: str | None, file: str | None, variable: str | None) -> str | None:
    """Return the key that was given; None when somebody can be asked for it."""
    keys, files, variables = ([each] if each is not None else [] for each in (key, file, variable))
    found = secrets_from(run, "key", keys, files, variables, run.environ)
    if len(found) > 1:
        raise WrongUse("the key is given more than once")
    if not found and not can_ask():
        raise WrongUse("the key is missing: say --key-file, --key-env or --key")
    return found[0] if found else None


def _require_allowed(api: Api, user: str) -> None:
    standings = api.read(_path(user), list[Standing])
    if standings and not standings[0].byok_enabled:
        raise Forbidden(BYOK_OFF)
