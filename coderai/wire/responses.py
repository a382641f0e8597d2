"""OpenAI Responses (``POST /responses``). Facts: the API reference, "Responses" and "Streaming events"."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.errors import Invalid
from coderai.records import Answer, Api, Ask, Ending, ErrorType, Fact, Usage
from coderai.wire import endings, sse
from coderai.wire.endings import openai_error
from coderai.wire.members import NOTHING, UNREADABLE, Shape, count, items, part, value, word
from coderai.wire.pieces import Pieces
from coderai.wire.prompts import is_human, trailing
from coderai.wire.response_items import Item

API: Final = Api.RESPONSES
KEEP_ALIVE: Final = sse.KEEP_ALIVE
OVERLOADED: Final = 503


# ---- the request -----------------------------------------------------------------------------------------------------


class _Request(Struct):
    model: Any = None
    stream: Any = None
    background: Any = None
    client_metadata: Raw = NOTHING
    input: list[Raw] | str | None = None


_REQUEST: Final = Shape(_Request)


def read_request(body: bytes) -> Ask:
    """Return what *body* asks for. Raises Invalid if it is no JSON object."""
    try:
        request = _REQUEST.read(body)
    except UNREADABLE as error:
        raise Invalid(f"the request body is not a JSON object: {error}") from error
    prompt, result, trouble = _last_words(request.input)
    session_hint, turn_hint = _hints(request.client_metadata)
    return Ask(
        model=_model(request.model),
        stream=request.stream is True,
        prompt=prompt,
        tool_result_id=result,
        session_hint=session_hint,
        turn_hint=turn_hint,
        background=request.background is True,
        trouble=trouble,
    )


def upstream_body(body: bytes, ask: Ask) -> bytes:
    """Return *body*: nothing needs an edit in this API."""
    return body


def _model(model: Any) -> str:
    if isinstance(model, int | float) and not isinstance(model, bool):
        return str(model)
    return model if isinstance(model, str) else ""


def _hints(client_metadata: Raw) -> tuple[str | None, str | None]:
    """Return what may name a session, and what is said about the turn."""
    try:
        said = value(client_metadata)
    except UNREADABLE:
        return None, None
    return word(said, "session_id") or None, word(said, "x-codex-turn-metadata") or None


def _last_words(asked: list[Raw] | str | None) -> tuple[str | None, str | None, str | None]:
    """Return prompt, id of the tool result, trouble."""
    if isinstance(asked, str):
        return asked if is_human(asked) else None, None, None
    if not isinstance(asked, list):
        return None, None, None if asked is None else "input is neither text nor an array"
    prompt = result = None
    try:
        for number, item in enumerate(trailing(asked)):
            role = item.get("role")
            if number == 0 and role == "user":
                prompt = _human(item.get("content"))
            if word(item, "type").endswith("_call_output"):
                result = word(item, "call_id") or None
            if role != "user" and item.get("type") != "item_reference":
                break  # only what came after the model's last words is new
    except UNREADABLE as error:
        return prompt, result, f"input: {error}"
    return prompt, result, None


def _human(content: Any) -> str | None:
    """Return the human text of a message: all of its parts, a line each."""
    if isinstance(content, str):
        return content if is_human(content) else None
    if not isinstance(content, list):
        return None
    texts = [word(block, "text") for block in content if word(block, "type") == "input_text"]
    texts = [text for text in texts if is_human(text)]
    return "\n".join(texts) if texts else None


# ---- the answer ------------------------------------------------------------------------------------------------------


class _Event(Struct):
    type: Any = None
    output_index: Any = None
    summary_index: Any = None
    content_index: Any = None
    delta: Any = None
    item: Raw = NOTHING
    response: Raw = NOTHING
    error: Any = None
    code: Any = None
    message: Any = None


class _Response(Struct):
    id: Any = None
    status: Any = None
    output: Raw = NOTHING
    usage: Any = None
    error: Any = None


_EVENT: Final = Shape(_Event)
_RESPONSE: Final = Shape(_Response)

_TEXT: Final = (
    b'{"type":"response.output_text.delta"',
    b'{"type":"response.output_text.done"',
    b'{"type":"response.content_part.',
    b'{"type":"response.in_progress"',
)
"""Events that tell us nothing new, and are most of a stream."""

_GROWING: Final[Mapping[str, str]] = {
    "response.function_call_arguments.delta": "",
    "response.custom_tool_call_input.delta": "",
    "response.mcp_call_arguments.delta": "",
    "response.code_interpreter_call_code.delta": "",
    "response.reasoning_summary_text.delta": "summary_index",
    "response.reasoning_text.delta": "content_index",
    "response.output_text.delta": "content_index",
}
"""Deltas worth keeping for answers that break off, and the member that says which part grows."""

_ENDINGS: Final[Mapping[str, Ending]] = {
    "response.completed": Ending.COMPLETE,
    "response.incomplete": Ending.INCOMPLETE,
    "response.failed": Ending.UPSTREAM_ERROR,
}


class Meaning:
    """What the events of one answer say; also reads events that come without SSE around them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._id = ""
        self._usage: dict[str, Any] | None = None
        self._items: dict[int, Item] = {}
        self._commentary = False
        self._pieces = Pieces()
        self._ending = Ending.BROKEN_OFF
        self._error: tuple[ErrorType | None, str] = (None, "")

    def read(self, data: bytes) -> sse.Verdict | None:
        """Take in the JSON of one event. Raises UNREADABLE."""
        if data.startswith(_TEXT) and not self._commentary:
            return None
        if data == b"[DONE]":  # some compatible servers add it; it ends nothing in this API
            return None
        event = _EVENT.read(data)
        kind = event.type
        if not isinstance(kind, str):
            return None
        if kind in _GROWING:
            self._grow(event, _GROWING[kind])
        elif kind in ("response.output_item.added", "response.output_item.done"):
            if self._pieces.room(len(bytes(event.item))):
                self._item(event.output_index, Item.read(event.item))
        elif kind == "response.created":
            self._id = self._id or _id(_RESPONSE.read(event.response))
        elif kind in _ENDINGS:
            self._ending = _ENDINGS[kind]
            self._take_final(event.response)
            return sse.Verdict.END
        elif kind == "error":
            self._ending = Ending.UPSTREAM_ERROR
            error = event.error or {"code": event.code, "message": event.message}
            self._error = endings.read_error_object(error, OVERLOADED)
            return sse.Verdict.END
        return None

    def ends(self, head: bytes) -> bool:
        """Say whether an unread event is terminal, by its beginning."""
        return head.startswith(
            (
                b'{"type":"response.completed"',
                b'{"type":"response.incomplete"',
                b'{"type":"response.failed"',
                b'{"type":"error"',
            )
        )

    def answer(self, trouble: str | None) -> Answer:
        """Return what was learned so far."""
        facts: list[Fact] = [] if self._usage is None else [_usage(self._id, self._usage)]
        for index in sorted(self._items):
            facts.extend(self._items[index].facts(self._id))
        kind, message = self._error
        return Answer(self._id, tuple(facts), self._ending, kind, message, trouble or self._pieces.trouble)

    def take(self, response: _Response) -> None:
        """Take in a response object as it is at the end."""
        self._id = self._id or _id(response)
        if isinstance(response.usage, dict):
            self._usage = response.usage
        output = [Item.read(item) for item in items(response.output) or ()]
        if output:  # the ChatGPT back end ends with an empty one: then the items of the stream count
            known = {item.call_id for item in output}
            output += [item for item in self._items.values() if item.is_call and item.call_id not in known]
            self._items = {}
            for index, item in enumerate(output):
                self._item(index, item)
        if response.error:
            self._error = endings.read_error_object(response.error, OVERLOADED)

    def _take_final(self, response: Raw) -> None:
        """A terminal event is one even if what it carries cannot be read."""
        try:
            self.take(_RESPONSE.read(response))
        except UNREADABLE as error:
            self._pieces.trouble = self._pieces.trouble or f"unreadable final response: {error}"

    def _item(self, index: Any, item: Item) -> None:
        if not isinstance(index, int):
            index = len(self._items)
        if item.call_id and item.is_call and item.call_id not in self.calls:
            self.calls.append(item.call_id)
        self._items[index] = item
        self._commentary = self._commentary or item.is_commentary

    def _grow(self, event: _Event, part_index: str) -> None:
        item = self._items.get(event.output_index) if isinstance(event.output_index, int) else None
        if item is not None and isinstance(event.delta, str):
            self._pieces.keep(item.grown(getattr(event, part_index) if part_index else 0), event.delta)


def _id(response: _Response) -> str:
    return response.id if isinstance(response.id, str) else ""


def _usage(response_id: str, usage: dict[str, Any]) -> Usage:
    """``input_tokens`` contain the cached ones, ``output_tokens`` the reasoning."""
    cached = count(part(usage, "input_tokens_details"), "cached_tokens")
    return Usage(
        response_id=response_id,
        input=max(count(usage, "input_tokens") - cached, 0),
        output=count(usage, "output_tokens"),
        cache_read=cached,
        extra={
            "output_reasoning": count(part(usage, "output_tokens_details"), "reasoning_tokens"),
            "total_tokens": count(usage, "total_tokens"),
        },
    )


class StreamReader(sse.StreamReader):
    """Reads a streamed answer."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(Meaning())


def read_answer(body: bytes, ask: Ask) -> Answer:
    """Return what a whole JSON answer says. Never raises: what is unreadable is named in ``trouble``."""
    meaning = Meaning()
    try:
        response = _RESPONSE.read(body)
        meaning.take(response)
    except UNREADABLE as error:
        return Answer(ending=Ending.COMPLETE, trouble=f"unreadable answer: {error}")
    learned = meaning.answer(None)
    ending = {"incomplete": Ending.INCOMPLETE, "failed": Ending.UPSTREAM_ERROR}.get(str(response.status))
    ending = ending or (Ending.UPSTREAM_ERROR if learned.error_type else Ending.COMPLETE)
    kind = learned.error_type or (ErrorType.UNKNOWN if ending is Ending.UPSTREAM_ERROR else None)
    return Answer(learned.response_id, learned.facts, ending, kind, learned.error_message, learned.trouble)


# ---- errors ----------------------------------------------------------------------------------------------------------


def read_error(status: int, body: bytes) -> tuple[ErrorType, str]:
    """Classify an error answer of the provider."""
    return endings.read_error(status, body, OVERLOADED)


def error_body(status: int, message: str, *, code: str | None = None) -> bytes:
    """Return a refusal of our own."""
    return openai_error(status, message, code=code)


def error_event(message: str, seam: bytes = sse.ANY_SEAM) -> bytes:
    """Return an event that says that the answer failed; *seam* is the reader's.

    The sequence number is 0: the provider's own last one is not known where this is written, and no client reads it.
    """
    event = {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": 0}
    return seam + b"event: error\ndata: " + json.dumps(event).encode() + b"\n\n"
