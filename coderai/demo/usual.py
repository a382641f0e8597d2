"""What needs no script: lists of models, counts of tokens, and small talk."""

import json

from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.script import Reply, Seen

ANTHROPIC_MODELS = ("claude-opus-4-6", "claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001")
OPENAI_MODELS = ("gpt-5.3-codex", "gpt-5.4-nano", "gpt-4.1")


def usual_answer(seen: Seen) -> Reply:
    """Return the answer to a request that no script is needed for, and a 500 for all others."""
    path = seen.path.partition("?")[0]
    if path.endswith("/models"):
        return _json(_anthropic_models() if "anthropic-version" in seen.headers else _openai_models())
    if path.endswith("/messages/count_tokens"):
        return _json({"input_tokens": max(1, len(seen.body) // 4)})
    text = f"the script has no answer left for {seen.method} {path}"
    return _json({"type": "error", "error": {"type": "api_error", "message": text}}, status=500)


def small_talk(seen: Seen) -> Reply:
    """What the scripted models say to anybody who comes by after the demonstration."""
    text = "I am a scripted model: I always say this. What you sent has been recorded."
    path = seen.path.partition("?")[0]
    for ending, answer in (
        ("/messages", messages_answer),
        ("/chat/completions", chat_answer),
        ("/responses", responses_answer),
    ):
        if seen.method == "POST" and path.endswith(ending):
            return answer(text=text)
    return usual_answer(seen)


def _json(document: object, status: int = 200) -> Reply:
    return Reply(status=status, chunks=[json.dumps(document, separators=(",", ":")).encode()])


def _anthropic_models() -> object:
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2025-10-01T00:00:00Z"}
        for name in ANTHROPIC_MODELS
    ]
    return {"data": data, "has_more": False, "first_id": ANTHROPIC_MODELS[0], "last_id": ANTHROPIC_MODELS[-1]}


def _openai_models() -> object:
    data = [{"id": name, "object": "model", "created": 1764547200, "owned_by": "openai"} for name in OPENAI_MODELS]
    return {"object": "list", "data": data}
