"""The audit trail: ``interceptions``, ``sessions``, ``models``, ``clients`` below both prefixes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from coderai.api import record_documents as documents
from coderai.api.answers import answer
from coderai.api.parameters import clean, flag, once, part, whole
from coderai.api.record_shapes import (
    detail_shape,
    interception_shape,
    labels_shape,
    session_shape,
    whole_interception_shape,
)
from coderai.api.routes import PAGE, About, Ask, Parameter, Route, Signed
from coderai.control.lookup import Paging
from coderai.control.users import as_uuid
from coderai.errors import Invalid, NotFound
from coderai.query import CLIENTS, INTERCEPTIONS, MODELS, SESSIONS, Language, read_filter, read_values
from coderai.store.labels import Label


async def _interceptions(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    asked = read_filter(INTERCEPTIONS, query.get("q", ""), query, datetime.now(UTC))
    page = _paging(query, "after_id")
    if page.after_id:
        page = _with_id(page, "after_id", page.after_id)
    records, count = await ask.services.lookup.interceptions(ask.caller, asked, page)
    results = [interception_shape(record) for record in records]
    return answer({"count": count.value, "count_capped": count.capped, "results": results})


async def _interception(ask: Ask) -> web.Response:
    interception_id = as_uuid(part(ask.request, "id"))
    if interception_id is None:
        raise NotFound("interception", "?")
    return answer(whole_interception_shape(await ask.services.lookup.interception(ask.caller, interception_id)))


async def _sessions(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    asked = read_filter(SESSIONS, query.get("q", ""), query, datetime.now(UTC))
    page = _paging(query, "after_session_id")
    found = await ask.services.lookup.sessions(ask.caller, asked, page)
    return answer(
        {
            "count": found.count.value,
            "count_capped": found.count.capped,
            "sessions": [session_shape(session, running=page.running) for session in found.sessions],
            **({"next_cursor": found.next_cursor} if found.next_cursor else {}),
        }
    )


async def _session(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    before, after = clean(query, "before_id"), clean(query, "after_id")
    if before and after:
        raise Invalid("this page does not exist", [("before_id", "cannot be given together with after_id")])
    page = Paging(
        _limit(query, default=50, most=200),
        after_id=after,
        before_id=before,
        running=flag(query, "include_running"),
        thread=clean(query, "thread"),
        search=_search(query),
    )
    session_id, initiator = part(ask.request, "session_id"), clean(query, "initiator")
    detail = await ask.services.lookup.session(ask.caller, session_id, initiator, page)
    return answer(detail_shape(detail, running=page.running))


def _search(query: Mapping[str, str]) -> str:
    text = clean(query, "search").strip()
    if len(text) > _SEARCH_LENGTH:
        raise Invalid("the search cannot be understood", [("search", f"may have {_SEARCH_LENGTH} characters")])
    return text


async def _models(ask: Ask) -> web.Response:
    return await _labels(ask, MODELS, "model")


async def _clients(ask: Ask) -> web.Response:
    return await _labels(ask, CLIENTS, "client")


async def _labels(ask: Ask, language: Language, label: Label) -> web.Response:
    query = once(ask.request.query)
    prefix = read_values(language, query.get("q", ""), query).get(label, "")
    page = Paging(_limit(query), whole(query, "offset"))
    return answer(await ask.services.lookup.labels(ask.caller, label, prefix, page))


def _paging(query: Mapping[str, str], after: str) -> Paging:
    page = Paging(
        limit=_limit(query),
        offset=whole(query, "offset"),
        after_id=clean(query, after),
        cursor=clean(query, "cursor") if after == "after_session_id" else "",
        running=flag(query, "include_running"),
    )
    if page.after_id and page.cursor:
        raise Invalid("this page does not exist", [("cursor", f"cannot be given together with {after}")])
    if page.offset and (page.after_id or page.cursor):
        raise Invalid("this page does not exist", [("offset", "cannot be given together with a cursor")])
    return page


def _with_id(page: Paging, name: str, value: str) -> Paging:
    interception_id = as_uuid(value)
    if interception_id is None:
        raise Invalid("this page does not exist", [(name, "must be the id of an interception, a UUID")])
    return Paging(page.limit, page.offset, interception_id, running=page.running)


def _limit(query: Mapping[str, str], default: int = 100, most: int = 1000) -> int:
    return whole(query, "limit", default, most)


async def _counted(ask: Ask) -> web.Response:
    labels = await ask.services.lookup.counted_labels(ask.caller, _limit(once(ask.request.query)))
    return answer(labels_shape(labels))


_SEARCH_LENGTH: Final = 256
_RUNNING: Final = Parameter("include_running", "What has not ended yet as well.", "boolean")


def _filters(language: Language) -> tuple[Parameter, ...]:
    q = Parameter("q", 'For example `client:"Coder Agents" provider:openai`; every key is a parameter as well.')
    return q, *(Parameter(key) for key in language.keys)


ROUTES: Final = (
    Route(
        "GET",
        "/interceptions",
        Signed(_interceptions),
        About(
            "List exchanges with providers, newest first",
            documents.Interceptions,
            query=(
                *_filters(INTERCEPTIONS),
                *PAGE,
                Parameter("after_id", "The last one of the page before."),
                _RUNNING,
            ),
        ),
    ),
    Route(
        "GET",
        "/interceptions/{id}",
        Signed(_interception),
        About("Show an exchange with all its records", documents.WholeInterception),
    ),
    Route(
        "GET",
        "/sessions",
        Signed(_sessions),
        About(
            "List sessions, newest activity first",
            documents.Sessions,
            query=(
                *_filters(SESSIONS),
                *PAGE,
                Parameter("cursor", "`next_cursor` of the page before."),
                Parameter("after_session_id", "The last session of the page before."),
                _RUNNING,
            ),
        ),
    ),
    Route(
        "GET",
        "/sessions/{session_id}",
        Signed(_session),
        About(
            "Show a session with a page of its threads",
            documents.SessionDetail,
            query=(
                Parameter("initiator", "An id or a username, where several people have a session of this id."),
                Parameter("limit", "How many threads at most: 1 to 200; 50 when it is missing or 0.", "integer"),
                Parameter("after_id", "The last thread of the page before."),
                Parameter("before_id", "The first thread of the page after."),
                Parameter("thread", "Only the thread of the interception with this id."),
                Parameter(
                    "search",
                    "Only threads that hold this text, in letters of any case: in a prompt, a thought, the name or the"
                    " arguments of a tool call, the model. Of at most 1000 steps that do.",
                ),
                _RUNNING,
            ),
            refusals=(409,),
        ),
    ),
    Route(
        "GET",
        "/models",
        Signed(_models),
        About("List the models that were seen", list[str], query=(*_filters(MODELS), *PAGE)),
    ),
    Route(
        "GET",
        "/clients",
        Signed(_clients),
        About("List the tools that were seen", list[str], query=(*_filters(CLIENTS), *PAGE)),
    ),
)

LABELS: Final = (
    Route(
        "GET",
        "/api/v2/ai/labels",
        Signed(_counted),
        About(
            "List what sessions can be narrowed to, with how many sessions there are of each, counted up to 100",
            documents.Labels,
            query=(Parameter("limit", "How many of each kind at most: 1 to 1000; 100 when it is missing.", "integer"),),
        ),
    ),
)
