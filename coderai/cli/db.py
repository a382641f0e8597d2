"""``coderai db``: work on the local data directory itself."""

import asyncio
import json
from typing import Annotated

import typer

from coderai.cli.asking import agreed
from coderai.cli.options import Run, command


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "rotate-keys")(rotate_keys_command)


def rotate_keys_command(
    run: Run,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make a new key in the key file; the server must not run.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Seal all stored secrets with the first encryption key: after that the other keys can go.

    Keys in CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS, while servers run:
    1. add the new key behind the old one, and start every server again;
    2. put it in front of the old one, and start every server again;
    3. run this;
    4. take the old key out, and start every server again.

    A key file: stop the server, run this with --new-key, start the server.

    It is refused while a server runs that could read no secret afterwards.
    """
    from coderai.server.upkeep import rotate_keys  # the whole server: only when it is wanted

    local = run.local()
    if new_key:
        agreed(f"Replace the encryption key in {local.data_dir}? Backups of the database need the old one.", yes=yes)
    done = asyncio.run(rotate_keys(local.data_dir, local.database_url, run.environ, new_key=new_key))
    if run.json:
        run.document(json.dumps({"sealed_anew": done.count, "key_id": done.key_id, "unused": done.others}).encode())
        return
    secrets = "1 secret" if done.count == 1 else f"{done.count} secrets"
    run.say([f"{secrets} sealed anew with the key {done.key_id}." if done.count else _nothing(done.key_id)])
    if done.others:
        run.note(f"No secret needs {', '.join(done.others)} any more: take it out of {done.place}.")


def _nothing(key_id: str) -> str:
    return f"Nothing to do: every secret is sealed with the key {key_id}."
