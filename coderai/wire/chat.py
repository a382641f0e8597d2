"""OpenAI Chat Completions (``POST /chat/completions``), as OpenAI and the many compatible providers speak it."""

import json
from typing import Any, Final

from msgspec import Raw, Struct

from coderai.errors import Invalid
from coderai.records import Answer, Api, Ask, Ending, ErrorType, Fact, Thought, ToolCall, Usage
from coderai.wire import endings, sse
from coderai.wire.endings import openai_error
from coderai.wire.members import NOTHING, UNREADABLE, Shape, count, part, word
from coderai.wire.pieces import Pieces
from coderai.wire.prompts import last_text, trailing
from coderai.wire.usage_option import wants_usage, with_usage

API: Final = Api.CHAT
KEEP_ALIVE: Final = sse.KEEP_ALIVE
OVERLOADED: Final = 503
CALL_SIZE: Final = 100
"""What a tool call without arguments counts for."""


# ---- the request -----------------------------------------------------------------------------------------------------


class _Request(Struct):
    model: Any = None
    stream: Any = None
    stream_options: Raw = NOTHING
    messages: list[Raw] | None = None


_REQUEST: Final = Shape(_Request)


def read_request(body: bytes) -> Ask:
    """Return what *body* asks for. Raises Invalid if it is no JSON object."""
    try:
        request = _REQUEST.read(body)
    except UNREADABLE as error:
        raise Invalid(f"the request body is not a JSON object: {error}") from error
    prompt, result, trouble = _last_words(request.messages)
    stream = bool(request.stream)
    return Ask(
        model=request.model if isinstance(request.model, str) else "",
        stream=stream,
        prompt=prompt,
        tool_result_id=result,
        usage_wanted=not stream or wants_usage(request.stream_options),
        trouble=trouble,
    )


def upstream_body(body: bytes, ask: Ask) -> bytes:
    """Return *body* itself, or, for a stream that does not ask for its usage, an edited one that does."""
    return body if ask.usage_wanted else with_usage(body)


def _last_words(conversation: list[Raw] | None) -> tuple[str | None, str | None, str | None]:
    """Return prompt, id of the tool result, trouble."""
    if not isinstance(conversation, list):
        return None, None, None if conversation is None else "messages is not an array"
    prompt = result = None
    try:
        for number, message in enumerate(trailing(conversation)):
            role = message.get("role")
            if number == 0 and role == "user":
                prompt = last_text(message.get("content"), "text")
            if role == "tool":
                result = word(message, "tool_call_id") or None
            if role != "user":  # tools send images of a result in a user message behind it
                break
    except UNREADABLE as error:
        return prompt, result, f"messages: {error}"
    return prompt, result, None


# ---- the answer ------------------------------------------------------------------------------------------------------


class _Chunk(Struct):
    """A chunk of a stream, or a whole answer."""

    id: Any = None
    choices: Any = None
    usage: Any = None
    error: Any = None


_CHUNK: Final = Shape(_Chunk)


class Meaning:
    """What the events of one answer say; also reads events that come without SSE around them."""

    def __init__(self, ask: Ask) -> None:
        self.calls: list[str] = []
        self._usage_wanted = ask.usage_wanted
        self._id = ""
        self._usage: dict[str, Any] | None = None
        self._parts: list[_Call | _Thinking] = []
        self._open: dict[tuple[Any, Any], _Call | _Thinking] = {}
        self._unfinished: dict[Any, bool] = {}
        self._done = False
        self._pieces = Pieces()
        self._error: tuple[ErrorType, str] | None = None

    def read(self, data: bytes) -> sse.Verdict | None:
        """Take in the JSON of one chunk, or the end marker. Raises UNREADABLE."""
        if data == b"[DONE]":
            self._done = True
            return sse.Verdict.END
        chunk = _CHUNK.read(data)
        self.take(chunk, "delta")
        if chunk.error:
            self._error = endings.read_error_object(chunk.error, OVERLOADED)
            return sse.Verdict.END
        if not self._usage_wanted and chunk.choices == [] and isinstance(chunk.usage, dict):
            return sse.Verdict.DROP
        return None

    def ends(self, head: bytes) -> bool:
        """Say whether an unread event is terminal."""
        return head.startswith(b'{"error"')

    def answer(self, trouble: str | None) -> Answer:
        """Return what was learned so far; without the end marker, complete only if every choice was finished."""
        facts: list[Fact] = [] if self._usage is None else [_usage(self._id, self._usage)]
        for piece in self._parts:
            facts.extend(piece.facts(self._id))
        trouble = trouble or self._pieces.trouble
        if self._error is not None:
            return Answer(self._id, tuple(facts), Ending.UPSTREAM_ERROR, *self._error, trouble)
        finished = bool(self._unfinished) and not any(self._unfinished.values())
        ending = Ending.COMPLETE if self._done or finished else Ending.BROKEN_OFF
        return Answer(self._id, tuple(facts), ending, trouble=trouble)

    def take(self, chunk: _Chunk, member: str) -> None:
        """Take in the choices: their ``delta`` in a stream, their ``message`` in a whole answer."""
        if not self._id and isinstance(chunk.id, str):
            self._id = chunk.id
        if isinstance(chunk.usage, dict):  # cumulative where it is repeated: the last one counts
            self._usage = chunk.usage
        for choice in chunk.choices if isinstance(chunk.choices, list) else ():
            if not isinstance(choice, dict):
                continue
            index = _key(choice.get("index"))
            if choice.get("finish_reason") is not None:
                self._unfinished[index] = False
            else:
                self._unfinished.setdefault(index, True)
            said = choice.get(member)
            if isinstance(said, dict):
                self._say(index, said)

    def _say(self, choice: Any, said: dict[str, Any]) -> None:
        if thinking := word(said, "reasoning_content") or word(said, "reasoning"):
            self._think(choice, thinking)
        calls = said.get("tool_calls")
        if isinstance(calls, list):
            for number, call in enumerate(calls):
                if isinstance(call, dict):
                    self._call(choice, call.get("index", number), call)
        if legacy := part(said, "function_call"):
            self._call(choice, "function_call", {"type": "function_call", "function": legacy})

    def _think(self, choice: Any, text: str) -> None:
        thinking = self._open.get((choice, "thinking"))
        if thinking is None:
            thinking = self._open[choice, "thinking"] = _Thinking()
            self._parts.append(thinking)
        self._pieces.keep(thinking.pieces, text)

    def _call(self, choice: Any, index: Any, said: dict[str, Any]) -> None:
        key = (choice, _key(index))
        call_id = word(said, "id")
        call = self._open.get(key)
        if not isinstance(call, _Call) or (call_id and call.id and call_id != call.id):
            # some providers give every call of an answer the same index
            if not self._pieces.room(CALL_SIZE):
                return
            call = self._open[key] = _Call()
            self._parts.append(call)
        if call_id and not call.id:
            call.id = call_id
            self.calls.append(call_id)
        call.kind = call.kind or word(said, "type")
        for holder, member in (("function", "arguments"), ("custom", "input")):
            if detail := part(said, holder):
                call.kind = call.kind or holder
                call.name = call.name or word(detail, "name")
                self._pieces.keep(call.pieces, _text(detail.get(member)))


class _Thinking:
    """Reasoning in the open, an extension of many compatible providers."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def facts(self, response_id: str) -> list[Fact]:
        text = "".join(self.pieces)
        return [Thought(text)] if text else []


class _Call:
    """A tool call of which we have seen some fragments."""

    __slots__ = ("id", "kind", "name", "pieces")

    def __init__(self) -> None:
        self.id = self.kind = self.name = ""
        self.pieces: list[str] = []

    def facts(self, response_id: str) -> list[Fact]:
        kind = self.kind or "function"
        return [ToolCall(self.name or kind, self.id, "".join(self.pieces), response_id, kind=kind)]


def _key(index: Any) -> Any:
    """Return something that can be a key; a missing index is the first."""
    return index if isinstance(index, int | str) else 0


def _text(arguments: Any) -> str:
    """Arguments are text that holds JSON; some providers send the object itself."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments)


def _usage(response_id: str, usage: dict[str, Any]) -> Usage:
    """``prompt_tokens`` contain the cached ones, ``completion_tokens`` the reasoning."""
    prompt, completion = part(usage, "prompt_tokens_details"), part(usage, "completion_tokens_details")
    cached = count(prompt, "cached_tokens")
    return Usage(
        response_id=response_id,
        input=max(count(usage, "prompt_tokens") - cached, 0),
        output=count(usage, "completion_tokens"),
        cache_read=cached,
        extra={
            "prompt_audio": count(prompt, "audio_tokens"),
            "completion_accepted_prediction": count(completion, "accepted_prediction_tokens"),
            "completion_rejected_prediction": count(completion, "rejected_prediction_tokens"),
            "completion_audio": count(completion, "audio_tokens"),
            "completion_reasoning": count(completion, "reasoning_tokens"),
        },
    )


class StreamReader(sse.StreamReader):
    """Reads a streamed answer."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(Meaning(ask))


def read_answer(body: bytes, ask: Ask) -> Answer:
    """Return what a whole JSON answer says. Never raises: what is unreadable is named in ``trouble``."""
    try:
        whole = _CHUNK.read(body)
    except UNREADABLE as error:
        return Answer(ending=Ending.COMPLETE, trouble=f"unreadable answer: {error}")
    meaning = Meaning(ask)
    meaning.take(whole, "message")
    learned = meaning.answer(None)
    if whole.error:
        kind, message = endings.read_error_object(whole.error, OVERLOADED)
        return Answer(learned.response_id, learned.facts, Ending.UPSTREAM_ERROR, kind, message)
    return Answer(learned.response_id, learned.facts, Ending.COMPLETE, trouble=learned.trouble)


# ---- errors ----------------------------------------------------------------------------------------------------------


def read_error(status: int, body: bytes) -> tuple[ErrorType, str]:
    """Classify an error answer of the provider."""
    return endings.read_error(status, body, OVERLOADED)


def error_body(status: int, message: str, *, code: str | None = None) -> bytes:
    """Return a refusal of our own."""
    return openai_error(status, message, code=code)


def error_event(message: str, seam: bytes = sse.ANY_SEAM) -> bytes:
    """Return an event that says that the answer failed; *seam* is the reader's. No ``[DONE]`` may follow."""
    error = {"message": message, "type": "server_error", "param": None, "code": "server_error"}
    return seam + b"data: " + json.dumps({"error": error}).encode() + b"\n\n"
