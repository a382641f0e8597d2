"""``coderai tokens``."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from coderai.cli.asking import agreed
from coderai.cli.connection import Api, segment
from coderai.cli.errors import asking_for
from coderai.cli.options import Run, command
from coderai.cli.shapes import NewKey, Token, read
from coderai.cli.text import Column, one_line, table, until, when
from coderai.errors import Conflict, NotFound

_WHOLE_TOKEN: Final = re.compile(r"([A-Za-z0-9]{10})-[A-Za-z0-9]{22}")
Wanted = Annotated[str, typer.Argument(metavar="TOKEN", help="Name, id, or the token itself.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
User = Annotated[str, typer.Option("--user", "-u", help="Whose: a username, an id, or me.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "create")(create_command)
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "view")(view_command)
    command(app, "show", hidden=True)(view_command)
    command(app, "expire")(expire_command)
    command(app, "remove")(remove_command)
    command(app, "rm", hidden=True)(remove_command)
    command(app, "delete", hidden=True)(remove_command)


def create_command(
    run: Run,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Made up when not given.")] = None,
    user: User = "me",
    lifetime: Annotated[str | None, typer.Option(help="For example 30d or 1y; the server's default otherwise.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="coder:all, ai:use, ai:read, ai:admin; repeatable.")] = None,
    delegate: Annotated[
        bool, typer.Option("--delegate", help="It may name the person it acts for (for service accounts).")
    ] = False,
) -> None:
    """Create a token and print it, alone, on stdout. It is shown this once."""
    body: dict[str, Any] = {}
    if name:
        body["token_name"] = name
    if lifetime is not None:
        body["lifetime"] = nanoseconds(lifetime)
    if scope:
        body["scopes"] = scope
    if delegate:
        body["delegate"] = True
    with run.api() as api, asking_for("user", user):
        answer = api.call("POST", f"/api/v2/users/{segment(user)}/keys/tokens", body)
    if run.json:
        run.document(answer)
        return
    run.say([one_line(read(answer, NewKey).key)])
    run.note("Keep it now: it is not shown again. Tools take it as API key or bearer token.")


def list_command(
    run: Run,
    everybody: Annotated[bool, typer.Option("--all", "-a", help="The tokens of all users.")] = False,
    user: User = "me",
    include_expired: Annotated[bool, typer.Option("--include-expired")] = False,
) -> None:
    """List tokens, never their secrets."""
    query = {
        "include_all": "true" if everybody else None,
        "include_expired": "true" if include_expired else None,
    }
    with run.api() as api, asking_for("user", user):
        body = api.get(f"/api/v2/users/{segment(user)}/keys/tokens", query)
    if run.json:
        run.document(_listed(body))
        return
    tokens = sorted(read(_listed(body), list[Token]), key=lambda token: token.id)
    if not tokens:
        run.note("no tokens" if everybody or user != "me" else "no tokens of your own; --all lists everybody's")
        return
    columns = [
        Column("ID"),
        Column("NAME", 40, least=10),
        Column("SCOPES", 40, leaves=2),
        *([Column("OWNER", 40)] if everybody else []),
        Column("LAST USED"),
        Column("EXPIRES AT"),
        Column("CREATED AT", leaves=1),
    ]
    rows = [_row(run, token, with_owner=everybody) for token in tokens]
    run.say(table(columns, rows, run.look))


def view_command(run: Run, wanted: Wanted, user: User = "me") -> None:
    """Show one token, never its secret."""
    with run.api() as api, asking_for("user", user):
        found = find(api, user, wanted)
        if run.json:
            run.document(api.get(_path(found, user)))
            return
    facts = {
        "id": found.id,
        "name": found.token_name,
        "owner": found.username or found.user_id,
        "scopes": ", ".join(found.scopes),
        "delegate": "yes: it may name the person it acts for" if found.delegate else "",
        "last used": when(found.last_used, run.look),
        "expires": until(found.expires_at, run.look),
        "created": until(found.created_at, run.look),
    }
    run.say([f"{name:<10} {one_line(value)}" for name, value in facts.items() if value])


def expire_command(run: Run, wanted: Wanted, user: User = "me", yes: Yes = False) -> None:
    """Stop a token from working at once, and keep it in the lists."""
    with run.api() as api, asking_for("user", user):
        found = find(api, user, wanted)
        agreed(f"Expire token {_shown(found, user)}?", yes=yes)
        api.call("PUT", _path(found, user) + "/expire")
    _done(run, f"Token {_shown(found, user)} expired.")


def remove_command(run: Run, wanted: Wanted, user: User = "me", yes: Yes = False) -> None:
    """Remove a token: it stops working at once."""
    with run.api() as api, asking_for("user", user):
        found = find(api, user, wanted)
        agreed(f"Remove token {_shown(found, user)}?", yes=yes)
        api.call("DELETE", _path(found, user))
    _done(run, f"Token {_shown(found, user)} removed.")


def find(api: Api, user: str, wanted: str) -> Token:
    """Return the token with that name or id; names win. Raises NotFound, Conflict."""
    whole = _WHOLE_TOKEN.fullmatch(wanted)
    wanted = whole.group(1) if whole else wanted
    own = _tokens(api, user, everybody=False)
    named = [token for token in own if token.token_name == wanted]
    found = named or [token for token in own if token.id == wanted]
    if not found and user == "me":
        others = _tokens(api, user, everybody=True)
        found = [token for token in others if token.id == wanted or token.token_name == wanted]
    if not found:
        raise NotFound("token", wanted if whole is None else f"{wanted}-…")
    if len(found) > 1:
        raise Conflict(f"several users have a token {wanted!r}: name one with --user, or use the id")
    return found[0]


def nanoseconds(lifetime: str) -> int:
    """Return a duration as the API wants it. Raises Invalid."""
    from coderai.durations import parse

    return parse(lifetime) // timedelta(microseconds=1) * 1000


def _tokens(api: Api, user: str, *, everybody: bool) -> list[Token]:
    query = {"include_expired": "true", "include_all": "true" if everybody else None}
    return read(_listed(api.get(f"/api/v2/users/{segment(user)}/keys/tokens", query)), list[Token])


def _listed(body: bytes) -> bytes:
    """The original says ``null`` where there are none."""
    return b"[]" if body.strip() == b"null" else body


def _row(run: Run, token: Token, *, with_owner: bool) -> list[str]:
    times = [when(token.last_used, run.look), until(token.expires_at, run.look), until(token.created_at, run.look)]
    owner = [token.username or token.user_id] if with_owner else []
    return [token.id, token.token_name, ", ".join(token.scopes), *owner, *times]


def _path(token: Token, user: str) -> str:
    return f"/api/v2/users/{segment(token.username or user)}/keys/{segment(token.id)}"


def _shown(token: Token, user: str) -> str:
    return f"{one_line(token.token_name)} ({one_line(token.id)}) of {one_line(token.username or user)}"


def _done(run: Run, text: str) -> None:
    if run.json:
        run.document(b"{}")
    else:
        run.note(text)
