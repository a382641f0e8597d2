"""One session: its summary, and its threads as a timeline; and one exchange as a whole."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from coderai.web.routes import Page
from coderai.web.session_story import STATES, Step, told
from coderai.web.sessions import API, PATHS, session_address
from coderai.web.visiting import Visit

_PAGE: Final = 20
_STEPS: Final = 20
"""Of one thread; further ones come when they are asked for."""
_STEPS_IN_ALL: Final = 100
_ALL_STEPS: Final = 500
"""Of one thread, on a page of its own."""
_POLLS: Final = 120
_SECONDS: Final = {"running": 5, "idle": 15}
"""How often a session that may go on is looked at again."""
_INTERCEPTIONS: Final = "/api/v2/aibridge/interceptions"


async def _show(visit: Visit) -> web.StreamResponse:
    query = visit.query
    asked = {name: query[name] for name in ("initiator", "search", "thread") if query.get(name)}
    moves = {f"{way}_id": query[way] for way in ("after", "before") if query.get(way)}
    more = {"limit": str(_PAGE + 1), "include_running": "true"}
    session = await visit.get(f"{API}/{visit.part('id')}", {**asked, **moves, **more})
    polls = _whole(query.get("polls", ""), _POLLS)
    if polls and visit.request.headers.get("HX-Request"):
        return await visit.large_page("session_tail.html", **_values(visit, session, polls - 1, tail_only=True))
    return await visit.large_page("session.html", **_values(visit, session, _POLLS))


def _values(visit: Visit, session: Mapping[str, Any], polls: int, *, tail_only: bool = False) -> dict[str, Any]:
    search, thread = visit.query.get("search", "").strip(), visit.query.get("thread", "")
    base = visit.request.path.partition("/sessions")[0] + "/sessions"
    said, earlier, later = _page_of(visit, session)
    first = _whole(visit.query.get("n", ""), 10**6) or (0 if visit.query.get("before") else 1)
    threads, agents = told(
        said,
        first=0 if search or thread else first,
        search=search,
        steps_shown=_ALL_STEPS if thread else _STEPS,
        steps_in_all=_ALL_STEPS if thread else _STEPS_IN_ALL,
        all_open=bool(thread),
    )
    settled = next((place for place, each in enumerate(threads) if each.running), len(threads))
    last = not later and not search and not thread
    if tail_only:
        settled = 0
    before_tail = threads[settled - 1].said["id"] if settled else visit.query.get("after", "")
    goes_on = last and session["state"] in _SECONDS
    number = first + settled if first else 0
    return {
        "session": session,
        "state": STATES[session["state"]],
        "base": base,
        "here": session_address(base, session),
        "address": lambda **query: session_address(base, session, **query),
        "search": search,
        "one_thread": thread,
        "threads": threads[:settled],
        "tail": threads[settled:],
        "agents": agents,
        "earlier": earlier,
        "later": later,
        "first": first,
        "next_number": first + len(threads) if first else 0,
        "last": last,
        "tail_only": tail_only,
        "given_up": goes_on and not polls,
        "seconds": _SECONDS.get(session["state"], 0),
        "again": session_address(base, session, **_tail(before_tail, number, polls)) if goes_on and polls else "",
        "text_limit": 6_000,
    }


def _page_of(visit: Visit, session: Mapping[str, Any]) -> tuple[list[Any], str, str]:
    """Return the threads of the page, and the ids to go on from to earlier and to later ones."""
    threads, before, after = session["threads"], visit.query.get("before"), visit.query.get("after")
    more = len(threads) > _PAGE
    shown = (threads[-_PAGE:] if before else threads[:_PAGE]) if more else threads
    if not shown:
        return [], "", ""
    return shown, shown[0]["id"] if after or (before and more) else "", shown[-1]["id"] if before or more else ""


def _tail(after: str, number: int, polls: int) -> dict[str, str]:
    return {"polls": str(polls), **({"after": after} if after else {}), **({"n": str(number)} if number else {})}


def _whole(text: str, most: int) -> int:
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 8 else 0


async def _one(visit: Visit) -> web.StreamResponse:
    one = await visit.get(f"{_INTERCEPTIONS}/{visit.part('id')}")
    base = visit.request.path.partition("/interceptions")[0] + "/sessions"
    step: Step = told([_as_thread(one)])[0][0].steps[0]
    back = {"id": one["session_id"], "initiator": one["initiator"], "first_interception_id": one["id"]}
    return await visit.large_page(
        "interception.html",
        one=one,
        step=step,
        base=base,
        back=session_address(base, back, thread=one["id"]) + f"#s-{one['id']}",
        search="",
        text_limit=0,
    )


def _as_thread(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return an exchange in the form of a thread of one step."""
    usages = one["token_usages"]
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")
    failed = one.get("error_type") or one.get("error_message")
    step = {
        **{name: value for name, value in one.items() if value is not None},
        "interception_id": one["id"],
        "provider_response_ids": list(dict.fromkeys(each["provider_response_id"] for each in usages)),
        "token_usage": {name: sum(each[name] for each in usages) for name in names},
        "thinking": [{"text": thought["content"]} for thought in one["model_thoughts"]],
        "tool_calls": one["tool_usages"],
        **({"error": {"type": one.get("error_type"), "message": one.get("error_message") or ""}} if failed else {}),
    }
    prompt = one["user_prompts"][0]["prompt"] if one["user_prompts"] else None
    return {"id": one["id"], "prompt": prompt, "ended_at": one["ended_at"], "steps": [step]}


PAGES: Final = (
    *(Page("GET", f"{path}/{{id}}", _show) for path in PATHS),
    *(Page("GET", f"{path.removesuffix('/sessions')}/interceptions/{{id}}", _one) for path in PATHS),
)
