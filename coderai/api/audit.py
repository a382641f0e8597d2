"""The audit log of administration: ``/api/v2/audit``."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from coderai.api import documents
from coderai.api.answers import answer, moment
from coderai.api.parameters import clean, once, whole
from coderai.api.routes import PAGE, About, Ask, Parameter, Route, Signed
from coderai.control.users import as_uuid
from coderai.errors import Invalid
from coderai.query import CHANGES, read_moment, read_values
from coderai.store.audit import Entry, EntryFilter
from coderai.store.users import Person

_DAY: Final = len("2026-05-01")
_KINDS: Final = {
    "api_key": "token",
    "ai_provider": "provider",
    "ai_provider_key": "key of provider",
    "chat_model_config": "model",
    "chat_model_override": "the model of everybody for",
    "chat_model_override_gate": "the permission of",
    "user_chat_model_override": "the own model of",
    "user_compaction_threshold": "the compression threshold of",
    "user_ai_provider_key": "personal key for provider",
}
"""What people call them; the words in the log are those of the original."""
_DID: Final = {"create": "created", "write": "changed", "delete": "removed", "read": "opened"}


def entry_shape(entry: Entry, people: Mapping[str, Person]) -> dict[str, Any]:
    """Return an entry as the API shows it."""
    person = people.get(entry.user_id or "")
    return {
        "id": entry.id,
        "request_id": entry.request_id,
        "time": moment(entry.time),
        "ip": entry.ip,
        "user_agent": entry.user_agent,
        "resource_type": entry.resource_type,
        "resource_id": entry.resource_id,
        "resource_target": entry.resource_target,
        "action": entry.action,
        "diff": dict(entry.diff),
        "status_code": entry.status_code,
        "additional_fields": dict(entry.additional_fields or {}),
        "description": _description(entry, person),
        "user": _person(person) if person else None,
    }


async def _list(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    values = read_values(CHANGES, clean(query, "q"), query)
    wanted = EntryFilter(
        action=values.get("action", ""),
        resource_type=values.get("resource_type", ""),
        resource_id=values.get("resource_id", ""),
        target=values.get("resource_target", ""),
        request_id=values.get("request_id", ""),
        since=_time(values, "date_from", timedelta()),
        until=_time(values, "date_to", timedelta(days=1, microseconds=-1)),
    )
    limit, offset, after_id = whole(query, "limit", 100, 1000), whole(query, "offset"), clean(query, "after_id")
    if after_id and as_uuid(after_id) is None:
        raise Invalid("this page does not exist", [("after_id", "must be the id of an entry, a UUID")])
    if after_id and offset:
        raise Invalid("this page does not exist", [("offset", "cannot be given together with after_id")])
    page = await ask.services.audit.list(
        ask.caller, wanted, values.get("username", ""), limit=limit, offset=offset, after_id=as_uuid(after_id) or ""
    )
    return answer({"audit_logs": [entry_shape(entry, page.people) for entry in page.entries], "count": page.count})


def _time(values: Mapping[str, str], name: str, of_a_day: timedelta) -> datetime | None:
    """Read a time, or a day, of which *of_a_day* is then meant."""
    text = values.get(name, "")
    if not text:
        return None
    try:
        return read_moment(f"{text}T00:00:00Z") + of_a_day if len(text) == _DAY else read_moment(text)
    except (ValueError, OverflowError):
        rule = f'"{text}" is no day such as 2026-05-01 and no RFC 3339 time such as "2026-05-01T00:00:00Z"'
        raise Invalid("the search cannot be understood", [(name, rule)]) from None


def _person(person: Person) -> dict[str, Any]:
    return {"id": person.id, "username": person.username, "name": person.name, "avatar_url": person.avatar_url}


def _description(entry: Entry, person: Person | None) -> str:
    who = person.username if person else "the server"
    kind = _KINDS.get(entry.resource_type) or entry.resource_type.replace("_", " ")
    what = f"{kind} {entry.resource_target}".strip()
    match entry.action:
        case "login":
            failed = entry.status_code is not None and entry.status_code >= 400
            return f"{entry.resource_target} {'failed to sign in' if failed else 'signed in'}"
        case "logout":
            return f"{entry.resource_target} signed out"
    return f"{who} {_DID.get(entry.action, entry.action)} {what}"


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/audit",
        Signed(_list),
        About(
            "List changes of administration, newest first",
            documents.AuditLog,
            query=(
                Parameter("q", "For example `resource_type:user username:alice`; every key is a parameter as well."),
                *(Parameter(key) for key in CHANGES.keys),
                *PAGE,
                Parameter("after_id", "The last entry of the page before."),
            ),
        ),
    ),
)
