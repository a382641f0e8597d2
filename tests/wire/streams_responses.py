"""Streams of the Responses API."""

from typing import Any

from coderai.records import Api, Ending, ErrorType, Thought, ToolCall, Usage
from tests.wire.playing import Played, named


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
