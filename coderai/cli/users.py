"""``coderai users``."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from coderai.cli.errors import WrongUse
from coderai.cli.options import Run, command
from coderai.cli.shapes import RawUsers, User, UserPage, read
from coderai.cli.text import Column, one_line, table, until, when
from coderai.errors import CoderaiError


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "create")(create_command)
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)


def create_command(
    run: Run,
    username: Annotated[
        str | None, typer.Option("--username", "-u", help="Letters, digits and single hyphens.")
    ] = None,
    email: Annotated[str | None, typer.Option("--email", "-e")] = None,
    full_name: Annotated[str, typer.Option("--full-name", "-n")] = "",
    role: Annotated[list[str] | None, typer.Option(help="owner, auditor or user-admin; may be repeated.")] = None,
    service_account: Annotated[
        bool, typer.Option("--service-account", help="For a program: no e-mail, no password, only tokens.")
    ] = False,
    password_file: Annotated[str | None, typer.Option(help='File with the password; "-" reads stdin.')] = None,
    password: Annotated[str | None, typer.Option("--password", "-p", help="Visible to others; better not.")] = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="The user signs in with tokens only.")] = False,
) -> None:
    """Create a user; what is missing is asked for on a terminal."""
    asking = _can_ask()
    if service_account and (email or password or password_file):
        raise WrongUse("a service account has no e-mail and no password")
    secret = password
    if password is not None:
        run.note("note: a password on the command line can be seen by others; --password-file does not show it")
    elif password_file:
        secret = _read_password(password_file)
    username = username or _asked("Username", asking, "--username")
    if not service_account:
        email = email or _asked("E-mail", asking, "--email")
        if secret is None and asking and not no_password:
            secret = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    body = new_user(username, email or "", full_name, role or [], secret, service_account=service_account)
    with run.api() as api:
        answer = api.call("POST", "/api/v2/users", body)
    if run.json:
        run.document(answer)
        return
    user = read(answer, User)
    kind = "Service account" if service_account else "User"
    run.say([f"{kind} {one_line(user.username)} created (id {one_line(user.id)})."])
    run.note(f"Next: coderai tokens create --user {one_line(user.username)}")


def list_command(
    run: Run,
    q: Annotated[str | None, typer.Option("-q", "--query", help="For example: status:active role:auditor")] = None,
    limit: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """List users."""
    with run.api() as api:
        body = api.get("/api/v2/users", {"q": q, "limit": str(limit) if limit else None})
    if run.json:
        run.document(bytes(read(body, RawUsers).users))
        return
    columns = [
        Column("USERNAME", 32),
        Column("E-MAIL", 40),
        Column("ROLES", 30),
        Column("CREATED AT"),
        Column("STATUS"),
    ]
    run.say(table(columns, [_row(run, user) for user in read(body, UserPage).users], run.look))


def new_user(
    username: str, email: str, name: str, roles: list[str], password: str | None, *, service_account: bool
) -> dict[str, Any]:
    """Return the document that creates a user."""
    body: dict[str, Any] = {"username": username, "name": name}
    if roles:
        body["roles"] = roles
    if service_account:
        return body | {"service_account": True, "login_type": "none"}
    body |= {"email": email}
    return body | ({"login_type": "password", "password": password} if password else {"login_type": "none"})


def _row(run: Run, user: User) -> list[str]:
    created = when(user.created_at, run.look) if run.look.terminal else until(user.created_at, run.look)
    roles = [role.get("name", "") if isinstance(role, dict) else str(role) for role in user.roles]
    if user.is_service_account:
        roles.append("service account")
    return [user.username, user.email, ", ".join(roles), created, user.status]


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _asked(what: str, asking: bool, flag: str) -> str:
    if not asking:
        raise WrongUse(f"{flag} is missing")
    return str(typer.prompt(what, err=True))


def _read_password(path: str) -> str:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CoderaiError(f"cannot read the password from {path}: {error}") from error
    first = text.splitlines()[0] if text else ""
    if not first:
        raise CoderaiError(f"there is no password in {path}")
    return first
