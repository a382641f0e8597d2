"""``coderai login``, ``logout``, ``whoami``, ``reset-password``."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from coderai.cli.asking import agreed, asked, can_ask, secrets_from
from coderai.cli.connection import Api, segment
from coderai.cli.errors import Refused, WrongUse, asking_for
from coderai.cli.options import Run
from coderai.cli.run import read_small_file
from coderai.cli.shapes import AuthMethods, SessionToken, User, read
from coderai.cli.target import checked, config_dir, named_url
from coderai.cli.text import one_line
from coderai.errors import CoderaiError, ServerUnreachable

PasswordFile = Annotated[str | None, typer.Option(help='File with the password; "-" reads stdin.')]
PasswordEnv = Annotated[str | None, typer.Option(help="Variable with the password.")]


def login(
    run: Run,
    server: Annotated[
        str | None, typer.Argument(metavar="URL", help="Address of the server, for example http://127.0.0.1:3000.")
    ] = None,
    email: Annotated[str | None, typer.Option("--email", "-e", help="Or the username.")] = None,
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
) -> None:
    """Sign in to a server, with a password or (--token) a token. Later commands then talk to it."""
    address = checked(_address(run, server))
    password = _given_password(run, password_file, password_env)
    with run.server(address, None) as api:
        methods = api.read("/api/v2/users/authmethods", AuthMethods)
        token = run.choices.token or _token(run, api, email, password, passwords=methods.password.enabled)
    with run.server(address, token) as api:
        user = api.read("/api/v2/users/me", User)
    _keep(config_dir(run.choices, run.environ), address, token)
    run.note(f"Signed in to {address} as {one_line(user.username)}.")
    if named_url(run.environ):
        run.note("note: CODERAI_URL or CODER_URL is set and counts before this sign-in")


def logout(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget the sign-in, and end its session on the server."""
    directory = config_dir(run.choices, run.environ)
    url = (read_small_file(directory / "url") or "").strip()
    token = (read_small_file(directory / "session") or "").strip()
    if not url:
        run.note("You are not signed in anywhere.")
        return
    agreed(f"Sign out of {one_line(url)}?", yes=yes)
    try:
        with run.server(url, token or None) as api:
            api.call("POST", "/api/v2/users/logout")
    except ServerUnreachable:
        run.note("note: the server did not answer; the session ends there by itself")
    except Refused as refused:
        if refused.status != 401:  # it had ended already
            raise
    _forget(directory)
    run.note(f"Signed out of {one_line(url)}.")


def whoami(run: Run) -> None:
    """Say who you are, and where."""
    with run.api() as api:
        body = api.get("/api/v2/users/me")
        if run.json:
            run.document(body)
            return
        user = read(body, User)
        roles = ", ".join(user.role_names) or "member"
        run.say([f"{one_line(user.username)} ({one_line(roles)}) at {one_line(api.where)}"])


def reset_password(
    run: Run,
    user: Annotated[str, typer.Argument(help="A username or an id.")],
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
) -> None:
    """Set a user's password on the local data directory, whoever may sign in: for who runs the server."""
    password = _given_password(run, password_file, password_env) or new_password()
    with run.local_api() as api, asking_for("user", user):
        api.call("PUT", f"/api/v2/users/{segment(user)}/password", {"password": password})
    if run.json:
        run.document(b"{}")
    run.note(f"The password of {one_line(user)} is set; its sessions have ended.")


def new_password(prompt: str = "New password") -> str:
    """Ask for a password, twice. Raises WrongUse where nobody can be asked."""
    if not can_ask():
        raise WrongUse("the password is missing: say --password-file or --password-env")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))


def one_password(run: Run, given: Iterable[str], files: Iterable[str], variables: Iterable[str]) -> str | None:
    """Return the password that is given in one of the three ways, None for none; of a file the first line.

    Raises WrongUse, CoderaiError as ``secrets_from`` does.
    """
    found = secrets_from(run, "password", given, files, variables, run.environ)
    if len(found) > 1:
        raise WrongUse("the password is given twice")
    return found[0].splitlines()[0] if found else None


def _address(run: Run, url: str | None) -> str:
    kept = (read_small_file(config_dir(run.choices, run.environ) / "url") or "").strip()
    known = url or run.choices.url or named_url(run.environ) or kept
    return asked(known or None, "Address of the server", "it, for example `coderai login http://127.0.0.1:3000`")


def _given_password(run: Run, file: str | None, variable: str | None) -> str | None:
    return one_password(run, (), [file] if file else (), [variable] if variable else ())


def _token(run: Run, api: Api, email: str | None, password: str | None, *, passwords: bool) -> str:
    """Return the token of a new session, or the one that the person pastes."""
    if passwords and email is None and password is None and can_ask():
        email = typer.prompt("E-mail (empty: sign in with a token)", default="", show_default=False, err=True)
    if not passwords or email == "":
        return _pasted(passwords=passwords)
    email = asked(email, "E-mail", "--email, or --token TOKEN")
    if password is None:
        if not can_ask():
            raise WrongUse("the password is missing: say --password-file or --password-env")
        password = str(typer.prompt("Password", hide_input=True, err=True))
    answer = api.call("POST", "/api/v2/users/login", {"email": email, "password": password})
    return read(answer, SessionToken).session_token


def _pasted(*, passwords: bool) -> str:
    if not can_ask():
        why = "" if passwords else "this server takes no passwords; "
        raise WrongUse(f"{why}the token is missing: say --token")
    return str(typer.prompt("Token", hide_input=True, err=True)).strip()


def _keep(directory: Path, url: str, token: str) -> None:
    """The token belongs to the address: at no moment does an old one lie beside a new address."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget(directory)
        _write(directory / "url", url)
        _write(directory / "session", token)
    except OSError as error:
        raise CoderaiError(f"cannot keep the sign-in in {directory}: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")


def _forget(directory: Path) -> None:
    for name in ("session", "url"):
        with suppress(FileNotFoundError):
            (directory / name).unlink()
