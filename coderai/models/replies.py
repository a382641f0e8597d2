"""What a model said in a whole JSON answer, or why it said nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from coderai.records import Api


def said(api: Api, body: bytes) -> str | None:
    """Return the text of an answer; None when this is no answer of that API."""
    try:
        return _READERS[api](msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        return None


def complaint(body: bytes) -> str:
    """Return the message of an error answer in whatever form; '' when it has none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace").strip()
    error = document.get("error", document) if isinstance(document, dict) else document
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _messages(document: Mapping[str, Any]) -> str:
    return "".join(_texts(document["content"], "text"))


def _chat(document: Mapping[str, Any]) -> str:
    return document["choices"][0]["message"]["content"] or ""


def _responses(document: Mapping[str, Any]) -> str:
    parts = [item["content"] for item in document["output"] if item["type"] == "message"]
    return "".join(text for part in parts for text in _texts(part, "output_text"))


def _texts(blocks: Iterable[Mapping[str, Any]], kind: str) -> Iterable[str]:
    return (block["text"] for block in blocks if block["type"] == kind)


_READERS = {Api.MESSAGES: _messages, Api.CHAT: _chat, Api.RESPONSES: _responses}
