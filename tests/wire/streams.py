"""Streams as providers send them, with made-up ids and texts, and what a reader must learn from each."""

import json
from dataclasses import dataclass, field
from typing import Any

from coderai.records import Api, Ending, ErrorType, Fact, Thought, ToolCall, Usage

WEB = {"web_search_requests": 0, "cache_ephemeral_1h_input": 0, "cache_ephemeral_5m_input": 0}
CHAT_EXTRA = {
    "prompt_audio": 0,
    "completion_accepted_prediction": 0,
    "completion_rejected_prediction": 0,
    "completion_audio": 0,
    "completion_reasoning": 0,
}


@dataclass(frozen=True)
class Played:
    """A stream and what is to be learned from it."""

    name: str
    api: Api
    stream: bytes
    facts: tuple[Fact, ...] = ()
    ending: Ending = Ending.COMPLETE
    calls: tuple[str, ...] = ()
    response_id: str = ""
    error: tuple[ErrorType | None, str] = (None, "")
    usage_wanted: bool = True
    sent: bytes | None = field(default=None)
    """What the client gets, where it is not the stream."""


def compact(event: Any) -> str:
    """JSON as the providers write it."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False)


def named(*events: dict[str, Any]) -> bytes:
    """Events of Messages and Responses: with their names."""
    return b"".join(f"event: {event['type']}\ndata: {compact(event)}\n\n".encode() for event in events)


def bare(*chunks: dict[str, Any] | str) -> bytes:
    """Events of Chat: data only."""
    texts = [chunk if isinstance(chunk, str) else compact(chunk) for chunk in chunks]
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def _delta(index: int, **delta: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


MESSAGE_START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 12,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 20000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 5,
            "service_tier": "standard",
        },
    },
}
MESSAGE_USAGE = Usage(
    "msg_01",
    input=12,
    output=61,
    cache_read=20000,
    cache_write=300,
    extra=WEB | {"cache_ephemeral_1h_input": 200, "cache_ephemeral_5m_input": 100},
)

THINKING_AND_TOOL = named(
    MESSAGE_START,
    {"type": "ping"},
    _start(0, type="thinking", thinking="", signature=""),
    _delta(0, type="thinking_delta", thinking="The user wants "),
    _delta(0, type="thinking_delta", thinking="the files – all of them."),
    _delta(0, type="signature_delta", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h"),
    _stop(0),
    _start(1, type="redacted_thinking", data="EmwKAhgBEgy3va3pzix"),
    _stop(1),
    _start(2, type="text", text=""),
    _delta(2, type="text_delta", text='I look: "message_stop" ✓'),
    _stop(2),
    _start(3, type="tool_use", id="toolu_01A", name="Bash", input={}),
    _delta(3, type="input_json_delta", partial_json=""),
    _delta(3, type="input_json_delta", partial_json='{"command": "ls'),
    _delta(3, type="input_json_delta", partial_json=' -la", "n": 1.0}'),
    _stop(3),
    _start(4, type="tool_use", id="toolu_01B", name="Read", input={"path": "a"}, toolset_name="fs"),
    _stop(4),
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 61}},
    {"type": "message_stop"},
)

SERVER_TOOLS = named(
    MESSAGE_START,
    _start(0, type="server_tool_use", id="srvtoolu_01", name="web_search", input={}),
    _delta(0, type="input_json_delta", partial_json='{"query": "weather"}'),
    _stop(0),
    _start(1, type="web_search_tool_result", tool_use_id="srvtoolu_01", content=[]),
    _stop(1),
    _start(2, type="mcp_tool_use", id="mcptoolu_01", name="echo", server_name="s", input={"a": 1}),
    _stop(2),
    {"type": "some_future_event", "data": [1, 2]},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {
            "input_tokens": 4000,
            "cache_read_input_tokens": 7,
            "output_tokens": 90,
            "cache_creation_input_tokens": None,
            "server_tool_use": {"web_search_requests": 2},
        },
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
)

MESSAGES = (
    Played(
        "Claude Code: thinking and two tools",
        Api.MESSAGES,
        THINKING_AND_TOOL,
        facts=(
            MESSAGE_USAGE,
            Thought("The user wants the files – all of them."),
            ToolCall("Bash", "toolu_01A", '{"command": "ls -la", "n": 1.0}', "msg_01"),
            ToolCall("Read", "toolu_01B", '{"path":"a"}', "msg_01"),
        ),
        calls=("toolu_01A", "toolu_01B"),
        response_id="msg_01",
    ),
    Played(
        "server tools raise the input count later",
        Api.MESSAGES,
        SERVER_TOOLS,
        facts=(
            Usage(
                "msg_01",
                input=4000,
                output=90,
                cache_read=7,
                cache_write=300,
                extra={
                    "web_search_requests": 2,
                    "cache_ephemeral_1h_input": 200,
                    "cache_ephemeral_5m_input": 100,
                },
            ),
            ToolCall("web_search", "srvtoolu_01", '{"query": "weather"}', "msg_01", kind="server_tool_use"),
            ToolCall("echo", "mcptoolu_01", '{"a":1}', "msg_01", kind="mcp_tool_use"),
        ),
        calls=("srvtoolu_01", "mcptoolu_01"),
        response_id="msg_01",
    ),
    Played(
        "overloaded in the middle",
        Api.MESSAGES,
        named(
            MESSAGE_START,
            _start(0, type="tool_use", id="toolu_01C", name="Bash", input={}),
            _delta(0, type="input_json_delta", partial_json='{"command": "rm'),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
        facts=(
            Usage("msg_01", 12, 5, 20000, 300, MESSAGE_USAGE.extra),
            ToolCall("Bash", "toolu_01C", '{"command": "rm', "msg_01"),
        ),
        ending=Ending.UPSTREAM_ERROR,
        calls=("toolu_01C",),
        response_id="msg_01",
        error=(ErrorType.OVERLOADED, "Overloaded"),
    ),
    Played(
        "broken off inside the arguments",
        Api.MESSAGES,
        named(
            MESSAGE_START,
            _start(0, type="tool_use", id="toolu_01D", name="Bash", input={}),
            _delta(0, type="input_json_delta", partial_json='{"command"'),
        )
        + b'event: content_block_delta\ndata: {"type":"content_blo',
        facts=(
            Usage("msg_01", 12, 5, 20000, 300, MESSAGE_USAGE.extra),
            ToolCall("Bash", "toolu_01D", '{"command"', "msg_01"),
        ),
        ending=Ending.BROKEN_OFF,
        calls=("toolu_01D",),
        response_id="msg_01",
    ),
    Played(
        "the last event has no blank line and no newline",
        Api.MESSAGES,
        named(MESSAGE_START) + b'event: message_stop\ndata: {"type": "message_stop"}',
        facts=(Usage("msg_01", 12, 5, 20000, 300, MESSAGE_USAGE.extra),),
        response_id="msg_01",
    ),
    Played(
        "comments, bare colons, ids, several data lines, garbage, no blank after the colon",
        Api.MESSAGES,
        b"\xef\xbb\xbfdata:"
        + json.dumps(MESSAGE_START).encode()
        + b" \n\n:\n\n: keep-alive\n\n\n\nid: 7\nretry: 10\n\ndata\n\ndata:\n\n\xff\xfe garbage\n\n"
        + b'data: {"type":"content_block_delta","index":0,"del\n\ndata: [1]\n\ndata: "text"\n\n'
        + b'event: message_delta\ndata: {"type": "message_delta",\ndata: "usage": {"output_tokens": 61}}\n\n'
        + b'event: message_stop\ndata: {"type":\ndata:"message_stop"}\n\n: after the end\n\n',
        facts=(MESSAGE_USAGE,),
        response_id="msg_01",
    ),
)


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


def _response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": status, "instructions": "Be brief.", **more}


def _event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "response." + kind, "sequence_number": 1, **more}


REASONING = {
    "id": "rs_1",
    "type": "reasoning",
    "encrypted_content": "gAAAAABo",
    "summary": [{"type": "summary_text", "text": "**Plan**"}, {"type": "summary_text", "text": "Do it"}],
}
FUNCTION_CALL = {
    "id": "fc_1",
    "type": "function_call",
    "name": "shell",
    "namespace": "functions",
    "call_id": "call_1",
    "arguments": ' {"command":["ls"]} ',
}
CUSTOM_CALL = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "name": "apply_patch",
    "call_id": "call_2",
    "input": "*** Begin Patch\n",
}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"query": "x"}}
LOCAL_SHELL = {"id": "lsh_1", "type": "local_shell_call", "call_id": "call_3", "action": {"command": ["id"]}}
COMMENTARY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "Looking around."}],
}
FINAL = COMMENTARY | {"id": "msg_2", "phase": "final_answer"}
OUTPUT = [REASONING, FUNCTION_CALL, CUSTOM_CALL, SEARCH, LOCAL_SHELL, COMMENTARY, FINAL]
OUTPUT_FACTS = (
    Thought("**Plan**", "reasoning_summary"),
    Thought("Do it", "reasoning_summary"),
    ToolCall("shell", "call_1", '{"command":["ls"]}', "resp_1", "fc_1", "function_call"),
    ToolCall("apply_patch", "call_2", "*** Begin Patch\n", "resp_1", "ctc_1", "custom_tool_call"),
    ToolCall("web_search_call", "", "", "resp_1", "ws_1", "web_search_call"),
    ToolCall("local_shell_call", "call_3", '{"command":["id"]}', "resp_1", "lsh_1", "local_shell_call"),
    Thought("Looking around.", "commentary"),
)
RESPONSES_USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 900},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 30},
    "total_tokens": 1050,
}
RESPONSES_FACT = Usage("resp_1", 100, 50, 900, extra={"output_reasoning": 30, "total_tokens": 1050})
BEGUN = (_event("created", response=_response("in_progress")), _event("in_progress", response=_response("x")))
DONE_ITEMS = tuple(_event("output_item.done", output_index=index, item=item) for index, item in enumerate(OUTPUT))

RESPONSES = (
    Played(
        "Codex: reasoning, calls of four kinds, commentary",
        Api.RESPONSES,
        named(
            *BEGUN,
            _event("output_item.added", output_index=1, item=FUNCTION_CALL | {"arguments": ""}),
            _event("function_call_arguments.delta", output_index=1, item_id="fc_1", delta='{"comm'),
            _event("output_text.delta", output_index=6, item_id="msg_2", delta="response.completed"),
            _event("completed", response=_response("completed", output=OUTPUT, usage=RESPONSES_USAGE)),
        ),
        facts=(RESPONSES_FACT, *OUTPUT_FACTS),
        calls=("call_1", "call_2", "call_3"),
        response_id="resp_1",
    ),
    Played(
        "the ChatGPT back end: the final output is empty, the items came before",
        Api.RESPONSES,
        named(*BEGUN, *DONE_ITEMS, _event("completed", response={"id": "resp_1", "usage": RESPONSES_USAGE})),
        facts=(RESPONSES_FACT, *OUTPUT_FACTS),
        calls=("call_1", "call_2", "call_3"),
        response_id="resp_1",
    ),
    Played(
        "cut by max_output_tokens",
        Api.RESPONSES,
        named(
            *BEGUN, _event("incomplete", response=_response("incomplete", output=[REASONING], usage=RESPONSES_USAGE))
        ),
        facts=(RESPONSES_FACT, *OUTPUT_FACTS[:2]),
        ending=Ending.INCOMPLETE,
        response_id="resp_1",
    ),
    Played(
        "failed, with what was done until then",
        Api.RESPONSES,
        named(
            *BEGUN,
            DONE_ITEMS[1],
            _event(
                "failed",
                response=_response("failed", error={"code": "rate_limit_exceeded", "message": "Too fast"}),
            ),
        ),
        facts=(OUTPUT_FACTS[2],),
        ending=Ending.UPSTREAM_ERROR,
        calls=("call_1",),
        response_id="resp_1",
        error=(ErrorType.RATE_LIMITED, "Too fast"),
    ),
    Played(
        "an error event",
        Api.RESPONSES,
        named({"type": "error", "code": "server_error", "message": "Oh", "param": None, "sequence_number": 1}),
        ending=Ending.UPSTREAM_ERROR,
        error=(ErrorType.SERVER_ERROR, "Oh"),
    ),
    Played(
        "broken off: half arguments, half a summary, half a comment",
        Api.RESPONSES,
        named(
            *BEGUN,
            _event("output_item.added", output_index=0, item=REASONING | {"summary": []}),
            _event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="**Pl"),
            _event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="an**"),
            _event("output_item.added", output_index=1, item=FUNCTION_CALL | {"arguments": ""}),
            _event("function_call_arguments.delta", output_index=1, delta='{"command":["l'),
            _event("output_item.added", output_index=2, item=COMMENTARY | {"content": []}),
            _event("output_text.delta", output_index=2, content_index=0, delta="Look"),
        ),
        facts=(
            Thought("**Plan**", "reasoning_summary"),
            ToolCall("shell", "call_1", '{"command":["l', "resp_1", "fc_1", "function_call"),
            Thought("Look", "commentary"),
        ),
        ending=Ending.BROKEN_OFF,
        calls=("call_1",),
        response_id="resp_1",
    ),
    Played(
        "an open-weight model: readable reasoning; [DONE] is not an end here",
        Api.RESPONSES,
        named(
            *BEGUN,
            _event(
                "output_item.done",
                output_index=0,
                item={"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
            ),
        )
        + b"data: [DONE]\n\n",
        facts=(Thought("Hm."),),
        ending=Ending.BROKEN_OFF,
        response_id="resp_1",
    ),
)

ALL = (*MESSAGES, *CHAT, *RESPONSES)
