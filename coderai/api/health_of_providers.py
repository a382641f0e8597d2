"""How the providers do: ``/api/v2/ai/provider-health``. Keys and circuits are those of the process that answers."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from coderai.access.roles import Right, require
from coderai.api import live_documents as documents
from coderai.api.answers import answer, moment
from coderai.api.routes import About, Ask, Route, Signed
from coderai.api.services import Gateway
from coderai.providers.registry import Instance
from coderai.store.health import WINDOW, Doing, Failed, provider_doings

_PERCENTILES: Final = (50, 95)


async def _health(ask: Ask) -> web.Response:
    require(ask.caller, Right.READ_DEPLOYMENT)
    gateway, store = ask.services.gateway, ask.services.store
    now, instances = store.clock(), gateway.registry.all()
    async with store.reading() as db:
        doings = await provider_doings(db, now, [instance.name for instance in instances])
    return answer(
        {
            "window_seconds": int(WINDOW.total_seconds()),
            "capped": doings.capped,
            "providers": [_shape(each, doings.by_name[each.name], gateway, now) for each in instances],
        }
    )


def _shape(instance: Instance, doing: Doing, gateway: Gateway, now: datetime) -> dict[str, Any]:
    return {
        "name": instance.name,
        "type": instance.type,
        "state": instance.state,
        "reason": instance.reason,
        "requests": doing.requests,
        "errors": doing.errors,
        "first_byte_ms": _percentiles(doing.waits),
        "last_error": _failed(doing.last_error) if doing.last_error else None,
        "keys": list(_keys(instance, now)),
        "circuits": [
            {"route": route, "model": model, "state": str(state)}
            for (name, route, model), state in gateway.circuits()
            if name == instance.name and state != "closed"
        ],
    }


def _percentiles(waits: Sequence[timedelta]) -> dict[str, int] | None:
    if not waits:
        return None
    at = {f"p{each}": waits[max(0, math.ceil(len(waits) * each / 100) - 1)] for each in _PERCENTILES}
    return {name: round(wait / timedelta(milliseconds=1)) for name, wait in at.items()}


def _failed(failed: Failed) -> dict[str, Any]:
    return {
        "at": moment(failed.at),
        "ending": failed.ending,
        "http_status": failed.status,
        "type": failed.error_type or "",
        "message": failed.message or "",
        "model": failed.model,
        "interception_id": failed.interception_id,
    }


def _keys(instance: Instance, now: datetime) -> Iterator[dict[str, Any]]:
    """Numbered in the order in which they are tried: those of the configuration have no id."""
    for number, (_key, seconds, why) in enumerate(instance.keys.states(), 1):
        until = moment((now + timedelta(seconds=seconds)).replace(microsecond=0)) if seconds else None
        yield {"number": number, "state": why or "ok", "until": until}


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/ai/provider-health",
        Signed(_health),
        About("How the providers do: errors and times of the last hour, keys, circuits", documents.ProvidersHealth),
    ),
)
