"""``coderai users``."""

from typing import Annotated, Any

import typer

from coderai.cli import user_changes as changes
from coderai.cli.asking import asked, can_ask
from coderai.cli.erasing import erase_command
from coderai.cli.errors import WrongUse
from coderai.cli.options import Run, command
from coderai.cli.shapes import RawUsers, User, UserPage, read
from coderai.cli.signing_in import PasswordEnv, PasswordFile, new_password, one_password
from coderai.cli.text import Column, one_line, table, until, when


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "create")(create_command)
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "show")(changes.show_command)
    command(app, "edit")(changes.edit_command)
    command(app, "password")(changes.password_command)
    command(app, "roles")(changes.roles_command)
    command(app, "suspend")(changes.suspend_command)
    command(app, "activate")(changes.activate_command)
    command(app, "delete")(changes.delete_command)
    command(app, "remove", hidden=True)(changes.delete_command)
    command(app, "rm", hidden=True)(changes.delete_command)
    command(app, "erase")(erase_command)


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
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
    password: Annotated[str | None, typer.Option("--password", "-p", help="Visible to others; better not.")] = None,
    no_password: Annotated[bool, typer.Option("--no-password", help="The user signs in with tokens only.")] = False,
) -> None:
    """Create a user; what is missing is asked for on a terminal."""
    if service_account and (email or password or password_file or password_env):
        raise WrongUse("a service account has no e-mail and no password")
    given = ([password] if password else [], [password_file] if password_file else [])
    secret = one_password(run, *given, [password_env] if password_env else [])
    username = asked(username, "Username", "--username")
    if not service_account:
        email = asked(email, "E-mail", "--email")
        if secret is None and not no_password and can_ask():
            secret = new_password("Password")
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
    page = read(body, UserPage)
    run.say(table(columns, [_row(run, user) for user in page.users], run.look))
    if len(page.users) < page.count:
        run.note(f"{page.count} in all; see more of them with --limit, or fewer with --query")


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
    roles = user.role_names
    if user.is_service_account:
        roles.append("service account")
    return [user.username, user.email, ", ".join(roles), created, user.status]
