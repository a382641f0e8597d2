"""``coderai db``: work on the local data directory itself."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from coderai.cli.asking import agreed
from coderai.cli.errors import FAILED
from coderai.cli.options import Run, command
from coderai.cli.text import one_line


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "migrate")(migrate_command)
    command(app, "backup")(backup_command)
    command(app, "check")(check_command)
    command(app, "rotate-keys")(rotate_keys_command)


def migrate_command(run: Run) -> None:
    """Bring the database up to this version's schema, as the server does when it starts."""
    from coderai.server.upkeep import migrate  # the whole server: only when it is wanted

    local = run.local()
    before, after = asyncio.run(migrate(local.data_dir, local.database_url))
    if run.json:
        run.document(json.dumps({"before": before, "after": after}).encode())
    elif before == after:
        run.say([f"Nothing to do: the database has schema {after}."])
    else:
        run.say([f"Schema {after}; it was {before}." if before else f"A new database with schema {after}."])


def backup_command(
    run: Run,
    file: Annotated[Path, typer.Argument(help="Where the copy goes to.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file when it is there.")] = False,
) -> None:
    """Copy the SQLite database while it is in use. The key file is not part of it."""
    from coderai.server.upkeep import backup

    local = run.local()
    size = backup(local.data_dir, local.database_url, file, replace=force)
    if run.json:
        run.document(json.dumps({"file": str(file), "bytes": size}).encode())
        return
    run.say([f"{file}: {size / 1_000_000:.1f} MB"])
    key = local.data_dir / "secret.key"
    if key.exists():
        run.note(f"The stored provider keys can only be read with {key}: keep a copy of it, but not beside this file.")


def check_command(
    run: Run, repair: Annotated[bool, typer.Option("--repair", help="Count sessions anew that are wrong.")] = False
) -> None:
    """Compare the roll-up of sessions with the records, and check the database's pages; exit code 1 when it is bad."""
    from coderai.server.upkeep import check

    local = run.local()
    found = asyncio.run(check(local.data_dir, local.database_url, repair=repair))
    wrong = [
        *(f"damaged: {one_line(line)}" for line in found.damage),
        *(f"wrong roll-up: session {one_line(key[0])} of {one_line(key[1])}" for key in found.wrong_sessions[:20]),
    ]
    if len(found.wrong_sessions) > 20:
        wrong.append(f"wrong roll-up: {len(found.wrong_sessions) - 20} further sessions")
    if found.wrong_hours:
        hours = len(found.wrong_hours)
        wrong.append(
            f"usage of {hours} {'hour' if hours == 1 else 'hours'} is not what was recorded, since "
            f"{found.wrong_hours[0]:%Y-%m-%d %H:%M} UTC"
        )
    if found.strays:
        wrong.append(f"{found.strays} rows belong to exchanges that are not there")
    if run.json:
        counts = {"interceptions": found.interceptions, "sessions": found.sessions, "running": found.running}
        run.document(json.dumps({"ok": found.well, "wrong": wrong, "repaired": repair, **counts}).encode())
    else:
        run.say(wrong)
        run.say([f"{found.interceptions} exchanges ({found.running} running), {found.sessions} sessions"])
        if repair and not found.well:
            run.note("repaired, but damaged pages: those need a backup" if found.damage else "repaired")
    if found.damage or not (found.well or repair):
        raise typer.Exit(FAILED)


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
