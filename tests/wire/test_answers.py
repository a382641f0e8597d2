"""Whole answers, error answers, and our own refusals."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.records import Answer, Api, Ask, Ending, ErrorType, Thought, ToolCall, Usage
from coderai.wire.apis import WIRES
from coderai.wire.endings import anthropic_error, openai_error
from tests.wire.streams_chat import CHAT_EXTRA, CHAT_FACT, CHAT_USAGE
from tests.wire.streams_messages import WEB
from tests.wire.streams_responses import OUTPUT, OUTPUT_FACTS, RESPONSES_FACT, RESPONSES_USAGE

each_api = pytest.mark.parametrize("api", list(Api))


def read(api: Api, body: Any) -> Answer:
    return WIRES[api].read_answer(body if isinstance(body, bytes) else json.dumps(body).encode(), Ask())


def test_messages() -> None:
    body = b"""{"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "Hm", "signature": "x"}, {"type": "thinking", "thinking": ""},
        {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "I look"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"n": 1.0, "command" : "ls"}},
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}],
        "usage": {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3, "future": 1,
                  "server_tool_use": {"web_search_requests": 1}}}"""

    assert read(Api.MESSAGES, body) == Answer(
        "msg_1",
        (
            Usage("msg_1", 5, 7, 3, extra=WEB | {"web_search_requests": 1}),
            Thought("Hm"),
            ToolCall("Bash", "toolu_1", '{"n": 1.0, "command" : "ls"}', "msg_1"),
            ToolCall("web_search", "srv_1", "{}", "msg_1", kind="server_tool_use"),
        ),
        Ending.COMPLETE,
    )


def test_chat() -> None:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}},
        {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "text"}},
        {"id": "call_3", "type": "function", "function": {"name": "g", "arguments": ""}},
    ]
    message = {"role": "assistant", "content": None, "reasoning_content": "Hm", "tool_calls": calls}
    body = {
        "id": "chatcmpl-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": CHAT_USAGE,
    }

    assert read(Api.CHAT, body) == Answer(
        "chatcmpl-1",
        (
            CHAT_FACT,
            Thought("Hm"),
            ToolCall("f", "call_1", '{"a":', "chatcmpl-1", kind="function"),
            ToolCall("c", "call_2", "text", "chatcmpl-1", kind="custom"),
            ToolCall("g", "call_3", "", "chatcmpl-1", kind="function"),
        ),
        Ending.COMPLETE,
    )


def test_responses() -> None:
    body = {"id": "resp_1", "status": "completed", "output": OUTPUT, "usage": RESPONSES_USAGE, "error": None}
    facts = read(Api.RESPONSES, json.dumps(body, separators=(",", ":")).encode())

    assert facts == Answer("resp_1", (RESPONSES_FACT, *OUTPUT_FACTS), Ending.COMPLETE)


@pytest.mark.parametrize(
    ("body", "ending", "error_type", "words"),
    [
        ({"status": "incomplete"}, Ending.INCOMPLETE, None, ""),
        (
            {"status": "failed", "error": {"code": "server_error", "message": "Oh"}},
            *[Ending.UPSTREAM_ERROR, ErrorType.SERVER_ERROR, "Oh"],
        ),
        ({"status": "failed"}, Ending.UPSTREAM_ERROR, ErrorType.UNKNOWN, ""),
    ],
)
def test_responses_that_did_not_complete(
    body: dict[str, Any], ending: Ending, error_type: ErrorType | None, words: str
) -> None:
    learned = read(Api.RESPONSES, body)

    assert (learned.ending, learned.error_type, learned.error_message) == (ending, error_type, words)


@pytest.mark.parametrize("api", [Api.MESSAGES, Api.CHAT])
def test_an_error_with_status_200(api: Api) -> None:
    learned = read(api, {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})

    assert (learned.ending, learned.error_type, learned.error_message) == (
        Ending.UPSTREAM_ERROR,
        ErrorType.OVERLOADED,
        "Busy",
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff", b'{"id":', b"[" * 100_000])
@each_api
def test_an_unreadable_answer_is_complete_but_trouble(api: Api, body: bytes) -> None:
    learned = read(api, body)

    assert (learned.facts, learned.ending) == ((), Ending.COMPLETE)
    assert learned.trouble is not None


def test_odd_numbers_do_not_become_usage() -> None:
    usage = {"prompt_tokens": -5, "completion_tokens": 7.0, "prompt_tokens_details": {"cached_tokens": True}}

    assert read(Api.CHAT, {"usage": usage}).facts == (Usage(output=7, extra=CHAT_EXTRA),)


names = st.sampled_from(
    [
        "id",
        "type",
        "content",
        "choices",
        "usage",
        "output",
        "message",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "error",
        "status",
        "code",
        "item",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["tool_use", "function_call", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(api=st.sampled_from(Api), body=st.dictionaries(names, values), status=st.integers(300, 599))
def test_answers_of_any_shape_never_raise(api: Api, body: dict[str, Any], status: int) -> None:
    assert isinstance(read(api, body), Answer)
    assert isinstance(WIRES[api].read_error(status, json.dumps(body).encode()), tuple)


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "status", "kind"),
    [
        (Api.MESSAGES, 400, ErrorType.BAD_REQUEST),
        (Api.MESSAGES, 404, ErrorType.BAD_REQUEST),
        (Api.MESSAGES, 413, ErrorType.BAD_REQUEST),
        (Api.MESSAGES, 422, ErrorType.BAD_REQUEST),
        (Api.MESSAGES, 401, ErrorType.UNAUTHORIZED),
        (Api.MESSAGES, 403, ErrorType.UNAUTHORIZED),
        (Api.MESSAGES, 408, ErrorType.TIMEOUT),
        (Api.MESSAGES, 429, ErrorType.RATE_LIMITED),
        (Api.MESSAGES, 500, ErrorType.SERVER_ERROR),
        (Api.MESSAGES, 503, ErrorType.SERVER_ERROR),
        (Api.MESSAGES, 529, ErrorType.OVERLOADED),
        (Api.CHAT, 503, ErrorType.OVERLOADED),
        (Api.RESPONSES, 503, ErrorType.OVERLOADED),
        (Api.RESPONSES, 529, ErrorType.SERVER_ERROR),
        (Api.CHAT, 418, ErrorType.UNKNOWN),
        (Api.CHAT, 302, ErrorType.UNKNOWN),
    ],
)
def test_statuses(api: Api, status: int, kind: ErrorType) -> None:
    assert WIRES[api].read_error(status, b"") == (kind, "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"type":"error","error":{"type":"x","message":"Too long"}}', "Too long"),
        (b'{"error":"plain"}', "plain"),
        (b'[{"error":{"code":400,"message":"Google"}}]', "Google"),
        (b'{"message":"bare"}', "bare"),
        (b'{"detail":"FastAPI"}', "FastAPI"),
        (b'{"error":{"message":5}}', ""),
        (b"  upstream connect error\n", "upstream connect error"),
        (b"\xff", "\ufffd"),
        (b"", ""),
    ],
)
@each_api
def test_the_providers_words(api: Api, body: bytes, words: str) -> None:
    assert WIRES[api].read_error(400, body)[1] == words


@pytest.mark.parametrize("words", ["x" * 5000, "ü" * 5000, "x" + "🙂" * 2000])
@each_api
def test_long_words_are_cut_between_characters(api: Api, words: str) -> None:
    for body in (json.dumps({"error": {"message": words}}).encode(), words.encode()):
        kept = WIRES[api].read_error(500, body)[1]
        assert words.startswith(kept)
        assert 1020 < len(kept.encode()) <= 1024


def test_a_401_in_the_form_that_stops_the_tools() -> None:
    assert json.loads(anthropic_error(401, "M", "D")) == {
        "type": "error",
        "error": {"type": "authentication_error", "message": "M"},
        "message": "M",
        "detail": "D",
    }
    assert json.loads(openai_error(401, "M", "D")) == {
        "error": {"message": "M", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"},
        "message": "M",
        "detail": "D",
    }


@pytest.mark.parametrize(
    ("status", "anthropic", "openai"),
    [
        (400, "invalid_request_error", ("invalid_request_error", None)),
        (403, "permission_error", ("invalid_request_error", "permission_denied")),
        (404, "not_found_error", ("invalid_request_error", "not_found")),
        (405, "invalid_request_error", ("invalid_request_error", "method_not_supported")),
        (413, "request_too_large", ("invalid_request_error", "request_too_large")),
        (415, "invalid_request_error", ("invalid_request_error", "unsupported_media_type")),
        (426, "invalid_request_error", ("invalid_request_error", "upgrade_required")),
        (429, "rate_limit_error", ("rate_limit_error", "rate_limit_exceeded")),
        (499, "invalid_request_error", ("invalid_request_error", None)),
        (500, "api_error", ("server_error", None)),
        (501, "invalid_request_error", ("invalid_request_error", "unsupported")),
        (502, "api_error", ("server_error", "bad_gateway")),
        (503, "overloaded_error", ("server_error", "service_unavailable")),
        (504, "timeout_error", ("server_error", "timeout")),
        (529, "overloaded_error", ("server_error", "overloaded")),
    ],
)
def test_our_refusals(status: int, anthropic: str, openai: tuple[str, str | None]) -> None:
    assert json.loads(WIRES[Api.MESSAGES].error_body(status, "M")) == {
        "type": "error",
        "error": {"type": anthropic, "message": "M"},
    }
    for api in (Api.CHAT, Api.RESPONSES):
        assert json.loads(WIRES[api].error_body(status, "M")) == {
            "error": {"message": "M", "type": openai[0], "param": None, "code": openai[1]}
        }


def test_a_code_of_ones_own() -> None:
    assert json.loads(WIRES[Api.CHAT].error_body(403, "M", code="byok_off"))["error"]["code"] == "byok_off"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "rate_limit_error"}, ErrorType.RATE_LIMITED),
        ({"type": "authentication_error"}, ErrorType.UNAUTHORIZED),
        ({"type": "api_error"}, ErrorType.SERVER_ERROR),
        ({"type": "timeout_error"}, ErrorType.TIMEOUT),
        ({"code": "context_length_exceeded"}, ErrorType.BAD_REQUEST),
        ({"code": "server_is_overloaded"}, ErrorType.OVERLOADED),
        ({"code": 502}, ErrorType.SERVER_ERROR),
        ({"code": "429", "type": "x"}, ErrorType.RATE_LIMITED),
        ({"code": "new", "type": "server_error"}, ErrorType.SERVER_ERROR),
        ({"code": True, "type": []}, ErrorType.UNKNOWN),
        ("plain text", ErrorType.UNKNOWN),
    ],
)
def test_errors_inside_a_stream(error: Any, kind: ErrorType) -> None:
    reader = WIRES[Api.CHAT].StreamReader(Ask())
    reader.feed(b"data: " + json.dumps({"error": error}).encode() + b"\n\n")

    assert reader.ended
    assert reader.close().error_type is kind
