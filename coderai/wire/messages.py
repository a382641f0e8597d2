"""Anthropic Messages (``POST /v1/messages``). Facts: platform.claude.com, "Messages" and "Streaming messages"."""

import json
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.errors import Invalid
from coderai.records import Answer, Api, Ask, Ending, ErrorType, Fact, Thought, ToolCall, Usage
from coderai.wire import endings, sse
from coderai.wire.endings import anthropic_error
from coderai.wire.members import NOTHING, UNREADABLE, Shape, count, items, part, source, value, word
from coderai.wire.pieces import Pieces
from coderai.wire.prompts import last_text, trailing

API: Final = Api.MESSAGES
KEEP_ALIVE: Final = sse.KEEP_ALIVE
OVERLOADED: Final = 529


# ---- the request -----------------------------------------------------------------------------------------------------


class _Request(Struct):
    model: Any = None
    stream: Any = None
    metadata: Raw = NOTHING
    messages: list[Raw] | None = None


_REQUEST: Final = Shape(_Request)


def read_request(body: bytes) -> Ask:
    """Return what *body* asks for. Raises Invalid if it is no JSON object."""
    try:
        request = _REQUEST.read(body)
    except UNREADABLE as error:
        raise Invalid(f"the request body is not a JSON object: {error}") from error
    prompt, result, trouble = _last_words(request.messages)
    return Ask(
        model=request.model if isinstance(request.model, str) else "",
        stream=request.stream is True,
        prompt=prompt,
        tool_result_id=result,
        session_hint=_user_id(request.metadata),
        trouble=trouble,
    )


def upstream_body(body: bytes, ask: Ask) -> bytes:
    """Return *body*: nothing needs an edit in this API."""
    return body


def _last_words(conversation: list[Raw] | None) -> tuple[str | None, str | None, str | None]:
    """Return prompt, id of the tool result, trouble."""
    if not isinstance(conversation, list):
        return None, None, None if conversation is None else "messages is not an array"
    prompt = result = None
    try:
        for number, message in enumerate(trailing(conversation)):
            role, content = message.get("role"), message.get("content")
            if number == 0 and role == "user":
                prompt = last_text(content, "text")
            result = _tool_result(content)
            if role != "user" or result:
                break
    except UNREADABLE as error:
        return prompt, result, f"messages: {error}"
    return prompt, result, None


def _tool_result(content: Any) -> str | None:
    if isinstance(content, list):
        for block in reversed(content):
            if word(block, "type") == "tool_result" and word(block, "tool_use_id"):
                return word(block, "tool_use_id")
    return None


def _user_id(metadata: Raw) -> str | None:
    if not metadata:
        return None
    try:
        return word(value(metadata), "user_id") or None
    except UNREADABLE:
        return None


# ---- the answer ------------------------------------------------------------------------------------------------------


class _Event(Struct):
    type: Any = None
    index: Any = None
    message: Any = None
    content_block: Raw = NOTHING
    delta: Any = None
    usage: Any = None
    error: Any = None


class _Block(Struct):
    type: Any = None
    id: Any = None
    name: Any = None
    thinking: Any = None
    input: Raw = NOTHING


class _Body(Struct):
    type: Any = None
    id: Any = None
    content: Raw = NOTHING
    usage: Any = None
    error: Any = None


_EVENT: Final = Shape(_Event)
_BLOCK: Final = Shape(_Block)
_BODY: Final = Shape(_Body)

_DELTA: Final = b'{"type":"content_block_delta","index":'
_TEXT: Final = b'"delta":{"type":"text_delta"'


class Meaning:
    """What the events of one answer say; also reads events that come without SSE around them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._id = ""
        self._usage: dict[str, Any] = {}
        self._blocks: list[_Growing] = []
        self._open: dict[int, _Growing] = {}
        self._pieces = Pieces()
        self._ending = Ending.BROKEN_OFF
        self._error: tuple[ErrorType | None, str] = (None, "")

    def read(self, data: bytes) -> sse.Verdict | None:
        """Take in the JSON of one event. Raises UNREADABLE."""
        if data.startswith(_DELTA) and data.find(_TEXT, 38, 72) > 0:
            return None  # most of a stream; plain text is not recorded
        event = _EVENT.read(data)
        match event.type:
            case "content_block_delta":
                self._grow(event.index, event.delta)
            case "content_block_start":
                if self._pieces.room(len(bytes(event.content_block))):
                    self._start(event.index, _BLOCK.read(event.content_block))
            case "message_start":
                self._id = word(event.message, "id") or self._id
                self._count(part(event.message, "usage"))
            case "message_delta":
                self._count(event.usage)
            case "message_stop":
                self._ending = Ending.COMPLETE
                return sse.Verdict.END
            case "error":
                self._ending = Ending.UPSTREAM_ERROR
                self._error = endings.read_error_object(event.error, OVERLOADED)
                return sse.Verdict.END
        return None

    def ends(self, head: bytes) -> bool:
        """Say whether an unread event is terminal: those of this API are short."""
        return head.startswith((b'{"type":"message_stop"', b'{"type":"error"'))

    def answer(self, trouble: str | None) -> Answer:
        """Return what was learned so far."""
        facts: list[Fact] = [] if not self._usage else [_usage(self._id, self._usage)]
        for block in self._blocks:
            facts.extend(block.facts(self._id))
        kind, message = self._error
        return Answer(self._id, tuple(facts), self._ending, kind, message, trouble or self._pieces.trouble)

    def _count(self, usage: Any) -> None:
        """Later numbers replace earlier ones: those of ``message_delta`` are cumulative, but not always complete."""
        if isinstance(usage, dict):
            self._usage |= {name: number for name, number in usage.items() if number is not None}

    def _start(self, index: Any, block: _Block) -> None:
        growing = _Growing(block)
        self._blocks.append(growing)
        if isinstance(index, int):
            self._open[index] = growing
        if growing.is_call and isinstance(block.id, str) and block.id:
            self.calls.append(block.id)

    def _grow(self, index: Any, delta: Any) -> None:
        block = self._open.get(index) if isinstance(index, int) else None
        if block is not None:
            self._pieces.keep(block.pieces, word(delta, "partial_json") or word(delta, "thinking"))


class _Growing:
    """A content block of which we have seen the start, and perhaps the rest."""

    __slots__ = ("block", "is_call", "pieces")

    def __init__(self, block: _Block) -> None:
        self.block = block
        self.is_call = isinstance(block.type, str) and block.type.endswith("tool_use")
        self.pieces: list[str] = []

    def facts(self, response_id: str) -> list[Fact]:
        grown = "".join(self.pieces)
        if not self.is_call:
            return _thought(self.block, grown)
        call_id, name = self.block.id, self.block.name
        return [
            ToolCall(
                tool=name if isinstance(name, str) and name else self.block.type,
                call_id=call_id if isinstance(call_id, str) else "",
                input=grown or source(self.block.input),
                response_id=response_id,
                kind=self.block.type,
            )
        ]


def _thought(block: _Block, grown: str) -> list[Fact]:
    if block.type != "thinking":  # redacted thinking is not readable
        return []
    text = (block.thinking if isinstance(block.thinking, str) else "") + grown
    return [Thought(text)] if text else []


def _usage(response_id: str, usage: dict[str, Any]) -> Usage:
    """Anthropic's ``input_tokens`` already are without the cached ones."""
    created = part(usage, "cache_creation")
    return Usage(
        response_id=response_id,
        input=count(usage, "input_tokens"),
        output=count(usage, "output_tokens"),
        cache_read=count(usage, "cache_read_input_tokens"),
        cache_write=count(usage, "cache_creation_input_tokens"),
        extra={
            "web_search_requests": count(part(usage, "server_tool_use"), "web_search_requests"),
            "cache_ephemeral_1h_input": count(created, "ephemeral_1h_input_tokens"),
            "cache_ephemeral_5m_input": count(created, "ephemeral_5m_input_tokens"),
        },
    )


class StreamReader(sse.StreamReader):
    """Reads a streamed answer."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(Meaning())


def read_answer(body: bytes, ask: Ask) -> Answer:
    """Return what a whole JSON answer says. Never raises: what is unreadable is named in ``trouble``."""
    try:
        answer = _BODY.read(body)
        blocks = [_Growing(_BLOCK.read(block)) for block in items(answer.content) or ()]
    except UNREADABLE as error:
        return Answer(ending=Ending.COMPLETE, trouble=f"unreadable answer: {error}")
    response_id = answer.id if isinstance(answer.id, str) else ""
    facts: list[Fact] = [_usage(response_id, answer.usage)] if isinstance(answer.usage, dict) else []
    for block in blocks:
        facts.extend(block.facts(response_id))
    if answer.type == "error":
        kind, message = endings.read_error_object(answer.error, OVERLOADED)
        return Answer(response_id, tuple(facts), Ending.UPSTREAM_ERROR, kind, message)
    return Answer(response_id, tuple(facts), Ending.COMPLETE)


# ---- errors ----------------------------------------------------------------------------------------------------------


def read_error(status: int, body: bytes) -> tuple[ErrorType, str]:
    """Classify an error answer of the provider."""
    return endings.read_error(status, body, OVERLOADED)


def error_body(status: int, message: str, *, code: str | None = None) -> bytes:
    """Return a refusal of our own."""
    return anthropic_error(status, message, code=code)


def error_event(message: str, seam: bytes = sse.ANY_SEAM) -> bytes:
    """Return an event that says that the answer failed; *seam* is the reader's."""
    error = {"type": "error", "error": {"type": "api_error", "message": message}}
    return seam + b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n"
