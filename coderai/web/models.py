"""The registry of models: what chats may be started with, and how each is asked. Traffic is never changed by it."""

import json
import re
from typing import Any, Final

from aiohttp import web
from multidict import MultiMapping

from coderai.access.roles import Right
from coderai.web.calls import Refused
from coderai.web.model_fields import PREFIX, Field, fields, merged, written
from coderai.web.routes import Page
from coderai.web.visiting import Visit, quoted

_CHATS: Final = "/api/experimental/chats"
_CONFIGS: Final = f"{_CHATS}/model-configs"
_PATH: Final = "/ai/settings/models"
_WHOLE: Final = re.compile("[0-9]{1,18}")
_PLAIN: Final = ("model", "display_name", "context_limit", "compression_threshold")


async def _list(visit: Visit) -> web.StreamResponse:
    _looks(visit)
    groups: dict[str, list[Any]] = {}
    for model in await visit.get(_CONFIGS):
        groups.setdefault(model["provider_name"], []).append(model)
    return visit.page("models.html", groups=groups)


async def _add(visit: Visit) -> web.StreamResponse:
    _looks(visit)
    providers = await visit.get("/api/v2/ai/providers")
    chosen = next((each for each in providers if each["id"] == visit.query.get("provider")), None)
    if chosen is None:
        return visit.page("models_providers.html", providers=providers)
    return await _form(visit, chosen["id"], chosen["type"], chosen["name"], visit.query)


async def _create(visit: Visit) -> web.StreamResponse:
    given = await visit.form()
    provider = await visit.get(f"/api/v2/ai/providers/{quoted(given.get('provider', ''))}")
    known = await _known(visit, provider["type"])
    try:
        document = _document(given, {}, known) | {"ai_provider_id": provider["id"]}
        made = await visit.send("POST", _CONFIGS, document)
    except Refused as error:
        if error.status not in (400, 409):
            raise
        return await _form(visit, provider["id"], provider["type"], provider["name"], given, error=error)
    return visit.go(_PATH, f"{made['display_name']} is registered.")


async def _show(visit: Visit) -> web.StreamResponse:
    _looks(visit)
    model = await visit.get(f"{_CONFIGS}/{visit.part('model')}")
    return await _form(visit, "", model["provider"], model["provider_name"], model=model)


async def _save(visit: Visit) -> web.StreamResponse:
    given = await visit.form()
    model = await visit.get(f"{_CONFIGS}/{visit.part('model')}")
    known = await _known(visit, model["provider"])
    try:
        document = _document(given, model.get("model_config", {}), known)
        await visit.send("PATCH", f"{_CONFIGS}/{visit.part('model')}", document)
    except Refused as error:
        if error.status not in (400, 409):
            raise
        return await _form(visit, "", model["provider"], model["provider_name"], given, model, error)
    return visit.go(_PATH, "Saved.")


async def _remove(visit: Visit) -> web.StreamResponse:
    await visit.form()
    await visit.send("DELETE", f"{_CONFIGS}/{visit.part('model')}")
    return visit.go(_PATH, "The model is removed. Overrides that named it fall through to the next choice.")


async def _call(visit: Visit) -> web.StreamResponse:
    """Show the call; nothing is sent."""
    given = await visit.form()
    asked: dict[str, Any] = {"prompt": given["prompt"]} if given.get("prompt") else {}
    asked["stream"] = bool(given.get("stream"))
    path = f"{_CONFIGS}/{visit.part('model')}"
    call = await visit.send("POST", f"{path}/request", asked)
    body = json.dumps(call["body"], indent=2, ensure_ascii=False)
    prompt, stream = given.get("prompt", ""), asked["stream"]
    return visit.page(
        "models_call.html", model=await visit.get(path), call=call, body=body, prompt=prompt, stream=stream
    )


def _looks(visit: Visit) -> None:
    if not visit.reader.may(Right.READ_ALL_MODELS):
        raise Refused(403, "The registry of all models is for owners and auditors; yours are under My models.")


async def _known(visit: Visit, kind: str) -> list[Field]:
    return list(fields(await visit.get(f"{_CHATS}/model-config-schema", {"provider": kind})))


async def _form(
    visit: Visit,
    provider: str,
    kind: str,
    provider_name: str,
    given: MultiMapping[str] | None = None,
    model: Any = None,
    error: Refused | None = None,
) -> web.Response:
    """Adding (without a *model*) and changing; *given* is what was typed before it was refused."""
    known = await _known(visit, kind)
    options = model.get("model_config", {}) if model else {}
    typed = given if error is not None and given is not None else {}
    groups: dict[str, list[tuple[Field, str]]] = {}
    for field in known:
        groups.setdefault(field.group, []).append((field, typed.get(field.name, written(options, field))))
    plain = {name: typed.get(name, str(model[name]) if model else "") for name in _PLAIN}
    ticks = {
        name: bool(typed.get(name)) if typed else bool(model and model[name]) for name in ("is_default", "enabled")
    }
    return visit.page(
        "models_one.html",
        200 if error is None else error.status,
        provider=provider,
        provider_name=provider_name,
        model=model,
        plain=plain,
        ticks=ticks if model or typed else {"is_default": False, "enabled": True},
        groups=groups,
        error=error,
        names=(*_PLAIN, *(field.name for field in known)),
        opened={name.removeprefix(PREFIX) for name, _ in error.validations} if error else set(),
    )


def _document(given: MultiMapping[str], before: Any, known: list[Field]) -> dict[str, Any]:
    document: dict[str, Any] = {name: given.get(name, "").strip() for name in ("model", "display_name")}
    for name in ("context_limit", "compression_threshold"):
        if text := given.get(name, "").strip().replace(",", ""):
            if not _WHOLE.fullmatch(text):
                raise Refused(400, "This model cannot be saved.", validations=[(name, f"{text!r} is no whole number")])
            document[name] = int(text)
    document |= {"enabled": bool(given.get("enabled")), "is_default": bool(given.get("is_default"))}
    return document | {"model_config": merged(before, iter(known), given)}


PAGES: Final = (
    Page("GET", _PATH, _list),
    Page("GET", _PATH + "/add", _add),
    Page("POST", _PATH + "/add", _create),
    Page("GET", _PATH + "/{model}", _show),
    Page("POST", _PATH + "/{model}", _save),
    Page("POST", _PATH + "/{model}/remove", _remove),
    Page("POST", _PATH + "/{model}/call", _call),
)
