"""What is kept how long, and what is forgotten: retention and erasure."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from typing import Any, Final

from aiohttp import web

from coderai.api import upkeep_documents as documents
from coderai.api.answers import answer, moment
from coderai.api.bodies import Body, Text, read
from coderai.api.parameters import once, part
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.control.pruning import Ages, Due
from coderai.durations import parse, shortest
from coderai.errors import Invalid
from coderai.store.retention import Purged

_NAMES: Final = Ages.__slots__
_RECORDS: Final = tuple(field.name for field in fields(Purged))


class RunRetention(Body):
    """POST /ai/retention/run. Durations such as "30d"; what is missing is as the server's settings say."""

    ai_records: Text | None = None
    api_keys: Text | None = None
    audit_logs: Text | None = None


async def _look(ask: Ask) -> web.Response:
    found = await ask.services.pruning.look(ask.caller, _ages(once(ask.request.query)))
    return answer(
        {
            "configured": found.configured,
            **{name: shortest(getattr(found.kept, name)) for name in _NAMES},
            "oldest_record": moment(found.oldest) if found.oldest else None,
            "due": _due(found.due),
        }
    )


async def _run(ask: Ask) -> web.Response:
    body = await read(ask.request, RunRetention)
    gone, left = await ask.services.pruning.run(ask.caller, _ages({name: getattr(body, name) for name in _NAMES}))
    return answer({"deleted": _due(gone), "left": left})


async def _erase(ask: Ask) -> web.Response:
    found = await ask.services.erasure.erase(ask.caller, part(ask.request, "user"))
    counts = {field.name: getattr(found.erased, field.name) for field in fields(found.erased)}
    return answer(
        {
            "user_id": found.user_id,
            "username": found.tombstone,
            "erased": counts,
            "done": found.done,
            "running": found.running,
        }
    )


def _ages(given: Mapping[str, str | None]) -> Ages:
    ages: dict[str, timedelta] = {}
    for name in _NAMES:
        if text := given.get(name):
            try:
                ages[name] = parse(text)
            except Invalid as error:
                raise Invalid("an age cannot be understood", [(name, error.message)]) from error
    return Ages(**ages)


def _due(due: Due) -> dict[str, Any]:
    records = {name: getattr(due.records, name) for name in _RECORDS}
    return {**records, "api_keys": due.api_keys, "audit_logs": due.audit_logs}


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/ai/retention",
        Signed(_look),
        About(
            "How long things are kept, and what is too old now",
            documents.Retention,
            query=tuple(Parameter(name, "As if this were the setting, for example `30d`.") for name in _NAMES),
        ),
    ),
    Route(
        "POST",
        "/api/v2/ai/retention/run",
        Signed(_run),
        About("Delete what is too old, for some seconds", documents.RetentionRun, body=RunRetention),
    ),
    Route(
        "POST",
        "/api/v2/users/{user}/erase",
        Signed(_erase),
        About("Forget a person: account, name and contents", documents.Erasure, refusals=(400, 409)),
    ),
)
