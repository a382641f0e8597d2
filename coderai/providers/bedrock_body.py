"""The body of a Messages request, as Bedrock's InvokeModel takes it: edited on the raw JSON, all other bytes stay."""

import json
from collections.abc import Iterable
from typing import Any

from coderai.providers.bedrock_models import (
    ADAPTIVE_ONLY,
    ADAPTIVE_TOO,
    BETAS,
    BUDGET_PERCENT,
    CONTEXT,
    EFFORT,
    LEAST_BUDGET,
    REMOVED,
    USUAL_PERCENT,
    VERSION,
    is_one_of,
)
from coderai.wire.edits import EditedObject
from coderai.wire.members import UNREADABLE, value, word


def kept_betas(model: str, headers: Iterable[str]) -> list[str]:
    """Return the beta flags that *model* takes, from the values of ``anthropic-beta`` headers, in their order."""
    asked = (flag.strip() for header in headers for flag in header.split(","))
    known = (flag for flag in asked if flag in BETAS and (not BETAS[flag] or is_one_of(model, BETAS[flag])))
    return list(dict.fromkeys(known))


def invoke_body(body: bytes, model: str, betas: list[str]) -> bytes:
    """Return *body*, a JSON object, for *model*; *betas* come from ``kept_betas``. Raises UNREADABLE."""
    edited = EditedObject(body)
    _convert_thinking(edited, model)
    edited.remove("model", "stream", *REMOVED)
    _limit_output_config(edited, model, betas)
    if CONTEXT not in betas:
        edited.remove("context_management")
    if not edited.get("anthropic_version"):
        edited.set("anthropic_version", json.dumps(VERSION).encode())
    if betas:
        own = _read(edited, "anthropic_beta")
        flags = [*own, *(flag for flag in betas if flag not in own)] if isinstance(own, list) else betas
        edited.set("anthropic_beta", json.dumps(flags).encode())
    return edited.written()


def _convert_thinking(edited: EditedObject, model: str) -> None:
    """Turn a thinking budget into adaptive thinking or the other way round, as the model needs it."""
    kind = word(_read(edited, "thinking"), "type")
    if kind == "enabled" and is_one_of(model, ADAPTIVE_ONLY):
        thinking = EditedObject(bytes(edited.get("thinking")))
        thinking.set("type", b'"adaptive"')
        thinking.remove("budget_tokens")
        edited.set("thinking", thinking.written())
    elif kind == "adaptive" and not is_one_of(model, ADAPTIVE_ONLY + ADAPTIVE_TOO):
        most = _read(edited, "max_tokens")
        if isinstance(most, int) and not isinstance(most, bool):  # else Bedrock says what is wrong with it
            edited.set("thinking", _budget(most, word(_read(edited, "output_config"), "effort")))


def _budget(max_tokens: int, effort: str) -> bytes:
    """Nothing else is kept: what came with adaptive thinking is unknown to models that need a budget."""
    budget = max_tokens * BUDGET_PERCENT.get(effort, USUAL_PERCENT) // 100
    if budget < LEAST_BUDGET:
        return b'{"type":"disabled"}'
    return b'{"type":"enabled","budget_tokens":%d}' % budget


def _limit_output_config(edited: EditedObject, model: str, betas: list[str]) -> None:
    if is_one_of(model, ADAPTIVE_ONLY):
        if isinstance(_read(edited, "output_config"), dict):
            config = EditedObject(bytes(edited.get("output_config")))
            config.remove("format")
            if len(config):
                edited.set("output_config", config.written())
                return
            edited.remove("output_config")
    elif EFFORT not in betas:
        edited.remove("output_config")


def _read(edited: EditedObject, name: str) -> Any:
    text = edited.get(name)
    try:
        return value(text) if text else None
    except UNREADABLE:
        return None
