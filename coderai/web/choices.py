"""Which model is meant: what administrators choose for everybody, and what people choose for themselves."""

import re
from typing import Any, Final

from aiohttp import web

from coderai.access.roles import Right
from coderai.models.choosing import CONTEXTS, DEPLOYMENT_CONTEXTS, PERSONAL_CONTEXTS, ROOT, Mode
from coderai.web.calls import Refused
from coderai.web.routes import Page
from coderai.web.visiting import Visit

_CHATS: Final = "/api/experimental/chats"
_CONFIG: Final = f"{_CHATS}/config"
_THRESHOLDS: Final = f"{_CONFIG}/user-compaction-thresholds"
_WHOLE: Final = re.compile("[0-9]{1,9}")
LABELS: Final = {
    "root": "Chats",
    "general": "Sub-agents, general",
    "explore": "Sub-agents that explore",
    "title_generation": "Titles of chats",
}
MODES: Final = {
    Mode.DEPLOYMENT_DEFAULT: "what the administrator chose",
    Mode.CHAT_DEFAULT: "the chat's own model",
}


async def _overrides(visit: Visit) -> web.StreamResponse:
    if not visit.reader.may(Right.KEEP_MODELS):
        raise Refused(403, "What is chosen for everybody is the owners' business.")
    return await _overrides_page(visit)


async def _set_override(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    document = {"model_config_id": fields.get("model", "")}
    try:
        await visit.send("PUT", f"{_CONFIG}/model-override/{visit.part('context')}", document)
    except Refused as error:
        if error.status != 400:
            raise
        return await _overrides_page(visit, visit.request.match_info["context"], error)
    return visit.go("/ai/settings/overrides", "The choice is saved.")


async def _set_gate(visit: Visit) -> web.StreamResponse:
    fields = await visit.form()
    await visit.send("PUT", f"{_CONFIG}/personal-model-overrides", {"allow_users": bool(fields.get("allow_users"))})
    return visit.go("/ai/settings/overrides", "Saved.")


async def _overrides_page(visit: Visit, at: str = "", error: Refused | None = None) -> web.Response:
    chosen = [await visit.get(f"{_CONFIG}/model-override/{context}") for context in DEPLOYMENT_CONTEXTS]
    return await visit.large_page(
        "overrides.html",
        200 if error is None else error.status,
        models=await visit.get(f"{_CHATS}/model-configs"),
        chosen=chosen,
        gate=(await visit.get(f"{_CONFIG}/personal-model-overrides"))["allow_users"],
        labels=LABELS,
        at=at,
        error=error,
    )


async def _own(visit: Visit) -> web.StreamResponse:
    return await _own_page(visit)


async def _set_own(visit: Visit) -> web.StreamResponse:
    """A choice is a mode, or the id of a model."""
    fields, context = await visit.form(), visit.request.match_info["context"]
    choice = fields.get("choice", "")
    document = {"mode": choice} if choice in set(Mode) else {"mode": Mode.MODEL.value, "model_config_id": choice}
    try:
        await visit.send("PUT", f"{_CONFIG}/user-personal-model-overrides/{visit.part('context')}", document)
    except Refused as error:
        if error.status not in (400, 403):
            raise
        return await _own_page(visit, context, error)
    return visit.go("/account/models", "Your choice is saved.")


async def _set_threshold(visit: Visit) -> web.StreamResponse:
    fields, path = await visit.form(), f"{_THRESHOLDS}/{visit.part('model')}"
    text = fields.get("percent", "").strip()
    try:
        if not text:
            await visit.send("DELETE", path)
        elif not _WHOLE.fullmatch(text):
            rule = f"{text!r} is no whole number of per cent from 0 to 100"
            raise Refused(400, "This cannot be saved", validations=[("threshold_percent", rule)])
        else:
            await visit.send("PUT", path, {"threshold_percent": int(text)})
    except Refused as error:
        if error.status != 400:
            raise
        return await _own_page(visit, visit.request.match_info["model"], error)
    return visit.go("/account/models", "Saved.")


async def _own_page(visit: Visit, at: str = "", error: Refused | None = None) -> web.Response:
    own = await visit.get(f"{_CONFIG}/user-personal-model-overrides")
    percents: dict[str, Any] = {
        each["model_config_id"]: each["threshold_percent"] for each in (await visit.get(_THRESHOLDS))["thresholds"]
    }
    groups = (await visit.get(f"{_CHATS}/models"))["providers"]
    return await visit.large_page(
        "choices.html",
        200 if error is None else error.status,
        models=[model for group in groups for model in group["models"]],
        own=own,
        contexts=PERSONAL_CONTEXTS,
        root=ROOT,
        resolved=[await visit.get(f"{_CONFIG}/resolved-model/{context}") for context in CONTEXTS],
        percents=percents,
        labels=LABELS,
        modes=MODES,
        at=at,
        error=error,
    )


PAGES: Final = (
    Page("GET", "/ai/settings/overrides", _overrides),
    Page("POST", "/ai/settings/overrides", _set_gate),
    Page("POST", "/ai/settings/overrides/{context}", _set_override),
    Page("GET", "/account/models", _own),
    Page("POST", "/account/models/{context}", _set_own),
    Page("POST", "/account/thresholds/{model}", _set_threshold),
)
