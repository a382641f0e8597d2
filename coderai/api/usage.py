"""What was used, by whom and with what: ``/api/v2/ai/usage``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from aiohttp import web

from coderai.api import upkeep_documents as documents
from coderai.api.answers import answer
from coderai.api.parameters import once, whole
from coderai.api.routes import About, Ask, Parameter, Route, Signed
from coderai.errors import Invalid
from coderai.query import INTERCEPTIONS, read_filter
from coderai.store.sessions import Tokens
from coderai.store.usage import DIMENSIONS, Dimension, Used
from coderai.store.users import Person

_MOST: Final = 10_000


async def _usage(ask: Ask) -> web.Response:
    query = once(ask.request.query)
    by = _dimensions(query.get("by", ""))
    asked = read_filter(INTERCEPTIONS, query.get("q", ""), query)
    found = await ask.services.lookup.usage(ask.caller, by, asked)
    shown = found.groups[: whole(query, "limit", 1000, _MOST)]
    return answer(
        {
            "by": by,
            "count": len(found.groups),
            "groups": [_group(by, each, found.people) for each in shown],
            "total": _sums(found.groups),
        }
    )


def _dimensions(text: str) -> Sequence[Dimension]:
    names = [name.strip() for name in text.lower().split(",") if name.strip()] or ["user"]
    wrong = [name for name in names if name not in DIMENSIONS]
    if wrong or len(set(names)) != len(names):
        known = ", ".join(DIMENSIONS)
        raise Invalid("the groups cannot be understood", [("by", f"must be some of {known}, each once, with commas")])
    return cast(Sequence[Dimension], names)


def _group(by: Sequence[Dimension], used: Used, people: Mapping[str, Person]) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(by, used.group, strict=True))
    if "user" in values:
        person = people[values["user"]]
        values["user"] = {"id": person.id, "username": person.username, "name": person.name}
    return {**values, **_sums([used])}


def _sums(groups: Iterable[Used]) -> dict[str, Any]:
    count, tokens = 0, Tokens()
    for each in groups:
        count += each.interceptions
        tokens = Tokens(
            tokens.input + each.tokens.input,
            tokens.output + each.tokens.output,
            tokens.cache_read + each.tokens.cache_read,
            tokens.cache_write + each.tokens.cache_write,
        )
    return {
        "interceptions": count,
        "token_usage_summary": {
            "input_tokens": tokens.input,
            "output_tokens": tokens.output,
            "cache_read_input_tokens": tokens.cache_read,
            "cache_write_input_tokens": tokens.cache_write,
        },
    }


ROUTES: Final = (
    Route(
        "GET",
        "/api/v2/ai/usage",
        Signed(_usage),
        About(
            "Sum up exchanges and tokens",
            documents.UsageSummary,
            query=(
                Parameter("by", f"Some of {', '.join(DIMENSIONS)}, with commas; `user` when it is missing."),
                Parameter("q", 'For example `client:"Coder Agents"`; every key is a parameter as well.'),
                *(Parameter(key) for key in INTERCEPTIONS.keys),
                Parameter("limit", "How many groups at most: 1 to 10000; 1000 when it is missing or 0.", "integer"),
            ),
        ),
    ),
)
