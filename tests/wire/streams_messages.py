"""Streams of the Messages API."""

import json
from typing import Any

from coderai.records import Api, Ending, ErrorType, Thought, ToolCall, Usage
from tests.wire.playing import Played, named

WEB = {"web_search_requests": 0, "cache_ephemeral_1h_input": 0, "cache_ephemeral_5m_input": 0}


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
