"""``coderai users erase``."""

import json
from typing import Annotated

import typer

from coderai.cli.asking import agreed
from coderai.cli.connection import Api, segment
from coderai.cli.errors import Refused, asking_for
from coderai.cli.options import Run
from coderai.cli.progress import progress
from coderai.cli.shapes import User, read
from coderai.cli.text import one_line
from coderai.cli.upkeep_shapes import Emptied, Erasure

Who = Annotated[str, typer.Argument(metavar="USER", help="A username, or an id; of a deleted user the id.")]
_ID = 36


def erase_command(
    run: Run, user: Who, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Forget a person: account, tokens, name, and all that was said. Counts stay, under a name that means nobody.

    What was written elsewhere (logs, dumps, exports, backups) is not reached.
    """
    with run.api() as api, asking_for("user", user):
        user_id, shown = _named(api, user)
        agreed(f"Erase {shown} and the contents of all their exchanges? This cannot be undone.", yes=yes)
        found, emptied = _erased(run, api, user_id)
    if run.json:
        counts = {name: getattr(emptied, name) for name in Emptied.__struct_fields__}
        document = {"user_id": found.user_id, "username": found.username, "erased": counts, "running": found.running}
        run.document(json.dumps(document).encode())
        return
    run.say([f"{shown} is {one_line(found.username)} now; the contents of {emptied.interceptions} exchanges are gone."])
    if found.running:
        run.note(f"{found.running} exchanges still run: when they have ended, coderai users erase {found.user_id}")


def _erased(run: Run, api: Api, user_id: str) -> tuple[Erasure, Emptied]:
    """Ask again and again, since one call does not take long."""
    emptied = Emptied()
    with progress(run) as told:
        while True:
            found = read(api.call("POST", f"/api/v2/users/{segment(user_id)}/erase"), Erasure)
            emptied += found.erased
            told(emptied.interceptions, 0)
            if found.done:
                return found, emptied


def _named(api: Api, user: str) -> tuple[str, str]:
    """After the first call the name means nobody any more: go on with the id."""
    try:
        found = read(api.get(f"/api/v2/users/{segment(user)}"), User)
    except Refused as refused:
        if refused.status != 404 or len(user) != _ID:
            raise
        return user, f"the deleted user {one_line(user)}"
    return found.id, one_line(found.username)
