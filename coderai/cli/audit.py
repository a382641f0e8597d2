"""``coderai audit``."""

import json
from typing import Annotated, Any

import typer

from coderai.cli.options import Run, command
from coderai.cli.shapes import AuditEntry, AuditPage, Change, RawAudit, read
from coderai.cli.text import Column, table, when


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)


def list_command(
    run: Run,
    q: Annotated[
        str | None, typer.Option("-q", "--query", help="For example: resource_type:user username:alice")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Who made the change.")] = None,
    action: Annotated[str | None, typer.Option(help="create, write, delete, login or logout.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="user, api_key, ai_provider, ...")] = None,
    date_from: Annotated[str | None, typer.Option("--from", help="A day such as 2026-05-01, or a time.")] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="The same; the day is included.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    after: Annotated[str | None, typer.Option("--after", help="Id of the last entry of the page before.")] = None,
) -> None:
    """List changes of administration, newest first."""
    query = {
        "q": q,
        "username": user,
        "action": action,
        "resource_type": kind,
        "date_from": date_from,
        "date_to": date_to,
        "limit": str(limit),
        "after_id": after,
    }
    with run.api() as api:
        body = api.get("/api/v2/audit", query)
    if run.json:
        run.document(bytes(read(body, RawAudit).audit_logs))
        return
    page = read(body, AuditPage)
    columns = [
        Column("TIME"),
        Column("WHO", 20, least=8),
        Column("WHAT", 50, least=20),
        Column("CHANGES", 80, least=20, leaves=2),
        Column("FROM", leaves=1),
    ]
    if not page.audit_logs:
        run.note("no entries")
        return
    run.say(table(columns, [_row(run, entry) for entry in page.audit_logs], run.look))
    if len(page.audit_logs) == limit < page.count:
        run.note(f"{page.count} in all; further ones with --after {page.audit_logs[-1].id}")


def _row(run: Run, entry: AuditEntry) -> list[str]:
    who = entry.user.username if entry.user else ""
    what = entry.description.removeprefix(f"{who} ") if who else entry.description
    changes = ", ".join(_change(name, change) for name, change in entry.diff.items())
    return [when(entry.time, run.look), who, what, changes, entry.ip]


def _change(name: str, change: Change) -> str:
    if change.secret:  # not even masked
        return f"{name}: (secret)"
    if change.old is None:
        return f"{name}: {_shown(change.new)}"
    if change.new is None:
        return f"{name}: {_shown(change.old)} → (gone)"
    return f"{name}: {_shown(change.old)} → {_shown(change.new)}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
