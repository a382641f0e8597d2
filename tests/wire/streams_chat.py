"""Streams of Chat Completions."""

from typing import Any

from coderai.records import Api, Ending, ErrorType, Thought, ToolCall, Usage
from tests.wire.playing import Played, bare

CHAT_EXTRA = {
    "prompt_audio": 0,
    "completion_accepted_prediction": 0,
    "completion_rejected_prediction": 0,
    "completion_audio": 0,
    "completion_reasoning": 0,
}


def _chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [*choices], **more}


def _choice(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish}


def _call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    return {"index": index, **more, "function": {**name, "arguments": arguments}}


CHAT_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 9, "accepted_prediction_tokens": 2},
}
CHAT_FACT = Usage(
    "chatcmpl-1",
    input=36,
    output=20,
    cache_read=64,
    extra=CHAT_EXTRA | {"prompt_audio": 1, "completion_reasoning": 9, "completion_accepted_prediction": 2},
)
PARALLEL = (
    _chunk(_choice({"role": "assistant", "content": None}), usage=None),
    _chunk(_choice({"tool_calls": [_call(1, "", id="call_a", type="function", name="ls")]}), usage=None),
    _chunk(_choice({"tool_calls": [_call(1, '{"path":')]}), usage=None),
    _chunk(_choice({"tool_calls": [_call(2, '{"q"', id="call_b", type="function", name="grep")]}), usage=None),
    _chunk(_choice({"tool_calls": [_call(1, '"."}'), _call(2, ':"ü"}')]}), usage=None),
    _chunk(_choice({}, "tool_calls"), usage=None),
)
PARALLEL_CALLS = (
    ToolCall("ls", "call_a", '{"path":"."}', "chatcmpl-1", kind="function"),
    ToolCall("grep", "call_b", '{"q":"ü"}', "chatcmpl-1", kind="function"),
)
USAGE_ONLY = _chunk(usage=CHAT_USAGE)

CHAT = (
    Played(
        "parallel tools, usage asked for",
        Api.CHAT,
        bare(*PARALLEL, USAGE_ONLY, "[DONE]"),
        facts=(CHAT_FACT, *PARALLEL_CALLS),
        calls=("call_a", "call_b"),
        response_id="chatcmpl-1",
    ),
    Played(
        "aider: the usage chunk nobody asked for is dropped",
        Api.CHAT,
        bare(*PARALLEL, USAGE_ONLY, "[DONE]"),
        facts=(CHAT_FACT, *PARALLEL_CALLS),
        calls=("call_a", "call_b"),
        response_id="chatcmpl-1",
        usage_wanted=False,
        sent=bare(*PARALLEL, "[DONE]"),
    ),
    Played(
        "only a chunk without choices but with usage is dropped, and only its own blank line",
        Api.CHAT,
        bare(_chunk(usage=None, prompt_filter_results=[]))
        + bare(_chunk(_choice({"content": "a"}), usage=CHAT_USAGE))
        + b": before\r\n\r\n"
        + bare(USAGE_ONLY).replace(b"\n", b"\r\n")
        + b"\r\nid: 1\n"
        + bare(USAGE_ONLY)
        + bare("[DONE]"),
        facts=(CHAT_FACT,),
        response_id="chatcmpl-1",
        usage_wanted=False,
        sent=bare(_chunk(usage=None, prompt_filter_results=[]))
        + bare(_chunk(_choice({"content": "a"}), usage=CHAT_USAGE))
        + b": before\r\n\r\n"
        + b"\r\nid: 1\n\n"
        + bare("[DONE]"),
    ),
    Played(
        "a compatible provider: reasoning in the open, cumulative usage, one index for all calls, no [DONE]",
        Api.CHAT,
        bare(
            _chunk(_choice({"reasoning_content": "Let me "}), usage={"prompt_tokens": 3, "completion_tokens": 1}),
            _chunk(_choice({"reasoning": "think."}), usage={"prompt_tokens": 3, "completion_tokens": 2}),
            _chunk(_choice({"tool_calls": [_call(0, "{}", id="call_0", name="a")]})),
            _chunk(_choice({"tool_calls": [_call(0, "{}", id="call_1", name="b")]})),
            _chunk(_choice({"content": ""}, "stop"), usage={"prompt_tokens": 3, "completion_tokens": 7}),
        ),
        facts=(
            Usage("chatcmpl-1", 3, 7, extra=CHAT_EXTRA),
            Thought("Let me think."),
            ToolCall("a", "call_0", "{}", "chatcmpl-1", kind="function"),
            ToolCall("b", "call_1", "{}", "chatcmpl-1", kind="function"),
        ),
        calls=("call_0", "call_1"),
        response_id="chatcmpl-1",
    ),
    Played(
        "a custom tool, the old function call, more cached than asked",
        Api.CHAT,
        bare(
            _chunk(
                _choice(
                    {"tool_calls": [{"index": 0, "id": "call_c", "type": "custom", "custom": {"name": "patch"}}]},
                )
            ),
            _chunk(_choice({"tool_calls": [{"index": 0, "custom": {"input": "*** Begin"}}]})),
            _chunk(_choice({"function_call": {"name": "old", "arguments": "{"}})),
            _chunk(_choice({"function_call": {"arguments": "}"}}, "function_call")),
            _chunk(usage={"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}),
            "[DONE]",
        ),
        facts=(
            Usage("chatcmpl-1", 0, 0, 8, extra=CHAT_EXTRA),
            ToolCall("patch", "call_c", "*** Begin", "chatcmpl-1", kind="custom"),
            ToolCall("old", "", "{}", "chatcmpl-1", kind="function_call"),
        ),
        calls=("call_c",),
        response_id="chatcmpl-1",
    ),
    Played(
        "an error event, then [DONE]",
        Api.CHAT,
        bare(_chunk(_choice({"content": "a"})), {"error": {"message": "slow down", "code": 429}}, "[DONE]"),
        ending=Ending.UPSTREAM_ERROR,
        response_id="chatcmpl-1",
        error=(ErrorType.RATE_LIMITED, "slow down"),
    ),
    Played(
        "one of two choices never finished and [DONE] never came",
        Api.CHAT,
        bare(_chunk(_choice({"content": "a"}, "stop")), _chunk(_choice({"content": "b"}, None, 1))),
        ending=Ending.BROKEN_OFF,
        response_id="chatcmpl-1",
    ),
)
