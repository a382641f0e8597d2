"""Providers: which there are, whether they work, adding one, rotating its keys without seeing the old ones."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from multidict import MultiMapping

from coderai.kinds import KINDS
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_API: Final = "/api/v2/ai/providers"
_PATH: Final = "/ai/settings/providers"
_BEDROCK: Final = ("region", "protocol", "model", "small_fast_model", "access_key", "access_key_secret", "role_arn")
_SECRET: Final = ("access_key", "access_key_secret")
_SHOWN: Final = ("type", "name", "display_name", "base_url", *(f"settings.{name}" for name in _BEDROCK))


@dataclass(frozen=True, slots=True)
class Offer:
    """A type of provider as the menu shows it, with what a new one most likely is."""

    label: str
    base_url: str = ""
    example: str = ""
    """Shown in the empty field."""
    model: str = ""
    small_fast_model: str = ""


OFFERS: Final = {
    "openai": Offer("OpenAI", "https://api.openai.com/v1/"),
    "anthropic": Offer("Anthropic", "https://api.anthropic.com"),
    "bedrock": Offer(
        "Amazon Bedrock",
        model="global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        small_fast_model="global.anthropic.claude-haiku-4-5-20251001-v1:0",
    ),
    "azure": Offer("Azure OpenAI", example="https://YOUR-RESOURCE.openai.azure.com/openai/v1"),
    "copilot": Offer("GitHub Copilot", "https://api.business.githubcopilot.com"),
    "google": Offer("Google Gemini", "https://generativelanguage.googleapis.com/v1beta/openai/"),
    "openrouter": Offer("OpenRouter", "https://openrouter.ai/api/v1"),
    "vercel": Offer("Vercel AI Gateway", "https://ai-gateway.vercel.sh/v1"),
    "openai-compat": Offer("OpenAI compatible", example="https://provider.example.com/v1"),
}


async def _list(visit: Visit) -> web.StreamResponse:
    return visit.page("providers.html", providers=await visit.get(_API), offers=OFFERS)


async def _add(visit: Visit) -> web.StreamResponse:
    kind = visit.query.get("type", "")
    if kind not in OFFERS:
        return visit.page("providers_types.html", offers=OFFERS)
    offer = OFFERS[kind]
    given = {"type": kind, "name": kind, "base_url": offer.base_url, "enabled": "true", "region": "us-east-1"}
    given |= {"model": offer.model, "small_fast_model": offer.small_fast_model}
    return _form(visit, given)


async def _create(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {
        "type": fields.get("type", ""),
        "name": fields.get("name", "").strip(),
        "display_name": fields.get("display_name", "").strip(),
        "base_url": fields.get("base_url", "").strip(),
        "enabled": bool(fields.get("enabled")),
        "api_keys": _new_keys(fields),
    }
    if document["type"] == "bedrock":
        document["settings"] = _bedrock(fields)
    try:
        made = await visit.send("POST", _API, document)
    except Refused as error:
        if error.status not in (400, 409):
            raise
        return _form(visit, dict(fields), error)
    return visit.go(f"{_PATH}/{quote(made['name'])}", f"{made['name']} is added. Test it, then point a tool at it.")


async def _show(visit: Visit) -> web.StreamResponse:
    return await _one(visit)


async def _save(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    before = await visit.get(f"{_API}/{visit.part('provider')}")
    document: dict[str, Any] = {name: fields[name].strip() for name in ("display_name", "base_url") if name in fields}
    document["enabled"] = bool(fields.get("enabled"))
    if before["api_keys"] or fields.getall("new_key", []):
        gone = set(fields.getall("remove_key", []))
        kept = [{"id": key["id"]} for key in before["api_keys"] if key["id"] not in gone]
        document["api_keys"] = kept + [{"api_key": key} for key in _new_keys(fields)]
    if before["settings"] is not None:
        document["settings"] = _bedrock(fields)
    try:
        await visit.send("PATCH", f"{_API}/{visit.part('provider')}", document)
    except Refused as error:
        if error.status not in (400, 409):
            raise
        return await _one(visit, error, fields=fields)
    return visit.go(visit.request.path, "Saved. Calls go by it from now on; those that run are not disturbed.")


async def _switch(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    on = fields.get("enabled") == "true"
    await visit.send("PATCH", f"{_API}/{visit.part('provider')}", {"enabled": on})
    name = visit.request.match_info["provider"]
    return visit.go(_PATH, f"{name} is {'enabled' if on else 'disabled: its calls are refused'}.")


async def _test(visit: Visit) -> web.StreamResponse:
    await visit.form()
    return await _one(visit, tested=await visit.send("POST", f"{_API}/{visit.part('provider')}/test"))


async def _remove(visit: Visit) -> web.StreamResponse:
    await visit.form()
    try:
        await visit.send("DELETE", f"{_API}/{visit.part('provider')}")
    except Refused as error:
        if error.status not in (400, 409):
            raise
        return await _one(visit, error)
    return visit.go(_PATH, f"{visit.request.match_info['provider']} is removed. What was recorded of it stays.")


async def _one(
    visit: Visit, error: Refused | None = None, *, fields: MultiMapping[str] | None = None, tested: Any = None
) -> web.Response:
    provider = await visit.get(f"{_API}/{visit.part('provider')}")
    given = {**provider, **(provider["settings"] or {}), "enabled": "true" if provider["enabled"] else ""}
    if fields is not None:
        given |= {"enabled": "", **fields}
    return visit.page(
        "providers_one.html",
        200 if error is None else error.status,
        provider=provider,
        given=given,
        error=error,
        names=_SHOWN,
        tested=tested,
        offer=OFFERS.get(provider["type"], Offer(provider["type"])),
        takes_keys=KINDS[provider["type"]].takes_keys if provider["type"] in KINDS else True,
        bedrock=provider["settings"] is not None,
        removed=fields.getall("remove_key", []) if fields is not None else [],
    )


def _form(visit: Visit, given: dict[str, str], error: Refused | None = None) -> web.Response:
    kind = given.get("type", "")
    return visit.page(
        "providers_add.html",
        200 if error is None else error.status,
        given=given,
        error=error,
        names=_SHOWN,
        offer=OFFERS.get(kind, Offer("a provider")),
        takes_keys=KINDS[kind].takes_keys if kind in KINDS else True,
        bedrock=kind == "bedrock",
    )


def _new_keys(fields: MultiMapping[str]) -> list[str]:
    return [key.strip() for key in fields.getall("new_key", []) if key.strip()]


def _bedrock(fields: MultiMapping[str]) -> dict[str, Any]:
    """A secret that was not typed stays as it is."""
    given = {name: fields.get(name, "").strip() for name in _BEDROCK}
    sent = {name: value for name, value in given.items() if value or name not in _SECRET}
    return {"_type": "bedrock", "_version": 1, **sent}


PAGES: Final = (
    Page("GET", _PATH, _list),
    Page("GET", _PATH + "/add", _add),
    Page("POST", _PATH + "/add", _create),
    Page("GET", _PATH + "/{provider}", _show),
    Page("POST", _PATH + "/{provider}", _save),
    Page("POST", _PATH + "/{provider}/switch", _switch),
    Page("POST", _PATH + "/{provider}/test", _test),
    Page("POST", _PATH + "/{provider}/remove", _remove),
)
