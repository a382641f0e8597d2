"""``coderai users`` on one user: show, edit, password, roles, suspend, activate, delete."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from coderai.cli.asking import agreed, can_ask
from coderai.cli.connection import Api, segment
from coderai.cli.errors import WrongUse, asking_for
from coderai.cli.options import Run
from coderai.cli.shapes import User, read
from coderai.cli.signing_in import PasswordEnv, PasswordFile, new_password, one_password
from coderai.cli.text import one_line, until, when

Who = Annotated[str, typer.Argument(metavar="USER", help="A username, an id, or me.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Roles = list[str] | None


def show_command(run: Run, user: Who = "me") -> None:
    """Show one user."""
    with run.api() as api, asking_for("user", user):
        body = api.get(_path(user))
    if run.json:
        run.document(body)
        return
    found = read(body, User)
    facts = {
        "id": found.id,
        "username": found.username,
        "name": found.name,
        "e-mail": found.email,
        "roles": ", ".join(found.role_names) or "member",
        "kind": "service account" if found.is_service_account else "",
        "status": found.status,
        "last seen": when(found.last_seen_at, run.look),
        "created": until(found.created_at, run.look),
    }
    run.say([f"{name:<10} {one_line(value)}" for name, value in facts.items() if value])


def edit_command(
    run: Run,
    user: Who = "me",
    username: Annotated[str | None, typer.Option("--username", "-u", help="A new one.")] = None,
    full_name: Annotated[str | None, typer.Option("--full-name", "-n")] = None,
    email: Annotated[str | None, typer.Option("--email", "-e")] = None,
) -> None:
    """Change username, name or e-mail."""
    wanted = {"username": username, "name": full_name, "email": email}
    body = {name: value for name, value in wanted.items() if value is not None}
    if not body:
        raise WrongUse("nothing to change: say --username, --full-name or --email")
    with run.api() as api, asking_for("user", user):
        answer = api.call("PUT", _path(user) + "/profile", body)
    _told(run, answer, "User {} changed.")


def password_command(
    run: Run,
    user: Who = "me",
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
    old_password_file: Annotated[str | None, typer.Option(help="The present one, to change your own.")] = None,
) -> None:
    """Set a password; all other sessions of the user end. For your own the present one is asked for."""
    old = one_password(run, (), [old_password_file] if old_password_file else (), ())
    given = [password_file] if password_file else [], [password_env] if password_env else []
    password = one_password(run, (), *given)
    with run.api() as api, asking_for("user", user):
        if old is None and can_ask() and _oneself(api, user):
            old = typer.prompt(
                "Present password (empty: none)", default="", show_default=False, hide_input=True, err=True
            )
        body = {"password": password or new_password()} | ({"old_password": old} if old else {})
        api.call("PUT", _path(user) + "/password", body)
    if run.json:
        run.document(b"{}")
    else:
        run.note(f"The password of {one_line(user)} is set.")


def roles_command(
    run: Run,
    user: Who = "me",
    exactly: Annotated[Roles, typer.Option("--set", help="These and no others; repeatable.")] = None,
    add: Annotated[Roles, typer.Option("--add", help="owner, auditor or user-admin; repeatable.")] = None,
    remove: Annotated[Roles, typer.Option("--remove", help="Repeatable.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take all away: an ordinary member.")] = False,
) -> None:
    """Show a user's roles, or change them."""
    if (none and (exactly or add)) or (exactly and (add or remove)):
        raise WrongUse("say --set, or --none, or --add and --remove")
    with run.api() as api, asking_for("user", user):
        if not (none or exactly or add or remove):
            found = read(api.get(_path(user)), User)
            run.document(api.get(_path(user) + "/roles")) if run.json else run.say(found.role_names or ["member"])
            return
        roles = _changed(read(api.get(_path(user)), User).role_names, exactly, add, remove, none=none)
        answer = api.call("PUT", _path(user) + "/roles", {"roles": roles})
    _told(run, answer, f"User {{}} has the roles: {one_line(', '.join(roles)) or 'member'}.")


def suspend_command(run: Run, user: Who, yes: Yes = False) -> None:
    """Refuse everything that a user has, at once; can be undone with `activate`."""
    _status(run, user, "suspend", "Suspend {}? All tokens of the user stop working.", "User {} suspended.", yes=yes)


def activate_command(run: Run, user: Who, yes: Yes = False) -> None:
    """Let a suspended user in again."""
    _status(run, user, "activate", "Activate {}?", "User {} activated.", yes=yes)


def delete_command(run: Run, user: Who, yes: Yes = False) -> None:
    """Delete a user and all tokens; what is recorded stays."""
    with run.api() as api, asking_for("user", user):
        found = read(api.get(_path(user)), User)
        agreed(f"Delete {_shown(found)}? All tokens of the user are removed.", yes=yes)
        api.call("DELETE", _path(found.id))
    if run.json:
        run.document(b"{}")
    else:
        run.note(f"User {one_line(found.username)} deleted.")


def _status(run: Run, user: str, verb: str, question: str, done: str, *, yes: bool) -> None:
    with run.api() as api, asking_for("user", user):
        found = read(api.get(_path(user)), User)
        agreed(question.format(_shown(found)), yes=yes)
        answer = api.call("PUT", f"{_path(found.id)}/status/{verb}")
    _told(run, answer, done)


def _told(run: Run, answer: bytes, text: str) -> None:
    if run.json:
        run.document(answer)
    else:
        run.note(text.format(one_line(read(answer, User).username)))


def _changed(present: Sequence[str], exactly: Roles, add: Roles, remove: Roles, *, none: bool) -> list[str]:
    if none or exactly:
        return list(dict.fromkeys(exactly or []))
    missing = [role for role in remove or [] if role not in present]
    if missing:
        raise WrongUse(f"the user has no role {', '.join(missing)}; it has {', '.join(present) or 'none'}")
    return [role for role in dict.fromkeys([*present, *(add or [])]) if role not in (remove or [])]


def _oneself(api: Api, user: str) -> bool:
    return user == "me" or read(api.get(_path("me")), User).username.lower() == user.lower()


def _path(user: str) -> str:
    return f"/api/v2/users/{segment(user)}"


def _shown(user: User) -> str:
    about: list[Any] = [user.email or "service account", *user.role_names]
    return f"{one_line(user.username)} ({one_line(', '.join(about))})"
