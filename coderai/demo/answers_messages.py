"""Answers of Anthropic's Messages API."""

from collections.abc import Iterator, Sequence
from typing import Any

from coderai.demo.answers import EVENT_STREAM, SOME, Tokens, Tool, compact, event, made_up, pieces
from coderai.demo.script import Reply

Block = dict[str, Any]


def messages_answer(
    *,
    text: str = "",
    thinking: str = "",
    tools: Sequence[Tool] = (),
    usage: Tokens = SOME,
    model: str = "claude-sonnet-4-5-20250929",
    id: str = "",
    stop_reason: str = "",
    signature: str = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds",
    stream: bool | None = None,
) -> Reply:
    """Return a whole answer: thinking, text, tool calls in this order.

    ``stream=None`` does what the request asks for; True and False do not look at it. ``stop_reason`` is derived from
    the tools when empty.
    """
    blocks = _blocks(text, thinking, tools, signature)
    message: dict[str, Any] = {
        "model": model,
        "id": id or made_up("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "content": blocks,
        "stop_reason": stop_reason or ("tool_use" if tools else "end_turn"),
        "stop_sequence": None,
        "usage": _usage(usage, usage.output),
    }
    headers = {"request-id": made_up("req_011", 21)}
    whole = compact(message).encode()
    if stream is False:
        return Reply(headers=headers, chunks=[whole])
    return Reply(
        headers=headers,
        chunks=[event(data) for data in _events(message, usage)],
        content_type=EVENT_STREAM,
        whole=whole if stream is None else None,
    )


def _blocks(text: str, thinking: str, tools: Sequence[Tool], signature: str) -> list[Block]:
    blocks: list[Block] = []
    if thinking:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": signature})
    if text:
        blocks.append({"type": "text", "text": text})
    blocks.extend(_tool_block(tool) for tool in tools)
    return blocks


def _tool_block(tool: Tool) -> Block:
    """A string stays one: streamed it is the raw, perhaps broken, JSON of the arguments."""
    given = tool.input if isinstance(tool.input, str) else dict(tool.input)
    block_id = tool.id or made_up("toolu_01", 22)
    return {"type": tool.kind or "tool_use", "id": block_id, "name": tool.name, "input": given}


def _usage(usage: Tokens, output: int) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def _events(message: dict[str, Any], usage: Tokens) -> Iterator[dict[str, Any]]:
    start = message | {"content": [], "stop_reason": None, "usage": _usage(usage, min(usage.output, 1))}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _emptied(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {
            "input_tokens": usage.input,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
            "output_tokens": usage.output,
        },
    }
    yield {"type": "message_stop"}


def _emptied(block: Block) -> Block:
    match block["type"]:
        case "thinking":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "text":
            return {"type": "text", "text": ""}
        case _:
            return block | {"input": {}}


def _deltas(block: Block) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in pieces(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in pieces(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case _:
            yield {"type": "input_json_delta", "partial_json": ""}
            arguments = block["input"] if isinstance(block["input"], str) else compact(block["input"])
            for at in range(0, len(arguments), 12):
                yield {"type": "input_json_delta", "partial_json": arguments[at : at + 12]}
