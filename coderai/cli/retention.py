"""``coderai retention``."""

import json
from typing import Annotated

import typer

from coderai.cli.asking import agreed
from coderai.cli.connection import Api
from coderai.cli.options import Run, command
from coderai.cli.progress import progress
from coderai.cli.shapes import read
from coderai.cli.text import Column, one_line, table, when
from coderai.cli.upkeep_shapes import Due, Retention, RetentionRun

PATH = "/api/v2/ai/retention"
_NAMES = {"ai_records": "exchanges", "api_keys": "expired tokens", "audit_logs": "audit log"}
_FLAGS = {name: "--" + name.replace("_", "-") for name in _NAMES}

Records = Annotated[str | None, typer.Option("--ai-records", help="Instead of the setting: for example 30d; 0 keeps.")]
Keys = Annotated[str | None, typer.Option("--api-keys", help="The same, after they have expired.")]
Changes = Annotated[str | None, typer.Option("--audit-logs", help="The same for the audit log.")]


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "show")(show_command)
    command(app, "run")(run_command)


def show_command(run: Run, ai_records: Records = None, api_keys: Keys = None, audit_logs: Changes = None) -> None:
    """Show how long things are kept, and what is too old now."""
    with run.api() as api:
        body, _ = _state(run, api, _given(ai_records, api_keys, audit_logs))
    if run.json:
        run.document(body)
        return
    state = read(body, Retention)
    columns = [Column("WHAT"), Column("KEPT"), Column("TOO OLD NOW")]
    ages = {"ai_records": state.ai_records, "api_keys": state.api_keys, "audit_logs": state.audit_logs}
    due = {"ai_records": state.due.interceptions, "api_keys": state.due.api_keys, "audit_logs": state.due.audit_logs}
    rows = [[text, _age(ages[name]), str(due[name])] for name, text in _NAMES.items()]
    run.say(table(columns, rows, run.look))
    run.note(f"oldest exchange: {when(state.oldest_record, run.look) if state.oldest_record else 'none'}")


def run_command(
    run: Run,
    ai_records: Records = None,
    api_keys: Keys = None,
    audit_logs: Changes = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete now what is too old; the server does the same every ten minutes."""
    with run.api() as api:
        body, ages = _state(run, api, _given(ai_records, api_keys, audit_logs))
        due = read(body, Retention).due
        if dry_run or not due.total:
            run.document(_document(due, dry_run=dry_run)) if run.json else run.say([_text(due, "too old")])
            return
        agreed(f"Delete {_text(due, 'too old')}? They cannot be brought back.", yes=yes)
        gone, left = _deleted(run, api, ages, due)
    if run.json:
        run.document(_document(gone, dry_run=False))
        return
    run.say([_text(gone, "deleted")])
    if left:
        run.note(f"{left} exchanges are left: another process deletes them right now")


def _deleted(run: Run, api: Api, ages: dict[str, str], due: Due) -> tuple[Due, int]:
    """Ask again and again, since one call does not take long."""
    gone = Due()
    with progress(run) as told:
        while True:
            told(gone.interceptions, due.interceptions)
            answer = read(api.call("POST", f"{PATH}/run", ages), RetentionRun)
            gone += answer.deleted
            if not answer.left or not answer.deleted.interceptions:
                return gone, answer.left


def _state(run: Run, api: Api, ages: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """Return the state by *ages*, which are made whole where nobody serves: the configuration here says the rest."""
    body = api.get(PATH, ages)
    if read(body, Retention).configured or ages.keys() == _NAMES.keys():
        return body, ages
    ages = _configured(run) | ages
    run.note("no server runs here: what was not said is as the configuration here says")
    return api.get(PATH, ages), ages


def _configured(run: Run) -> dict[str, str]:
    from coderai.cli.config import loaded_here
    from coderai.durations import shortest

    settings = loaded_here(run).settings
    ages = (settings.aibridge_retention, settings.api_keys_retention, settings.audit_logs_retention)
    return dict(zip(_NAMES, map(shortest, ages), strict=True))


def _given(*ages: str | None) -> dict[str, str]:
    return {name: age for name, age in zip(_NAMES, ages, strict=True) if age is not None}


def _age(text: str) -> str:
    return "for ever" if text == "0" else one_line(text)


def _text(due: Due, what: str) -> str:
    return (
        f"{due.interceptions} exchanges ({due.records} rows), {due.api_keys} expired tokens, "
        f"{due.audit_logs} entries of the audit log {what}"
    )


def _document(due: Due, *, dry_run: bool) -> bytes:
    counts = {name: getattr(due, name) for name in Due.__struct_fields__}
    return json.dumps({"dry_run": dry_run, "deleted" if not dry_run else "due": counts}).encode()
