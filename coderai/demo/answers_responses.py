"""Answers of OpenAI's Responses API."""

from collections.abc import Iterator, Sequence
from typing import Any

from coderai.demo.answers import EVENT_STREAM, SOME, Tokens, Tool, compact, event, made_up, pieces
from coderai.demo.script import Reply

CREATED = 1780000000
Item = dict[str, Any]


def responses_answer(
    *,
    text: str = "",
    reasoning: str = "",
    commentary: str = "",
    tools: Sequence[Tool] = (),
    usage: Tokens = SOME,
    model: str = "gpt-5.3-codex",
    id: str = "",
    status: str = "completed",
    error: str = "",
    previous_response_id: str | None = None,
    stream: bool | None = None,
) -> Reply:
    """Return a whole answer: a reasoning summary, a commentary message, tool calls, the final message, in this order.

    *status* is ``completed``, ``incomplete`` or ``failed`` (then *error* is its message).
    """
    items = _items(text, reasoning, commentary, tools)
    response: dict[str, Any] = {
        "id": id or made_up("resp_", 48),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": {"code": "server_error", "message": error or "The model failed"} if status == "failed" else None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": model,
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": previous_response_id,
        "reasoning": {"effort": "medium", "summary": "detailed"},
        "store": False,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "usage": _usage(usage),
        "metadata": {},
    }
    headers = {"x-request-id": made_up("req_", 32), "openai-processing-ms": "287"}
    whole = compact(response).encode()
    if stream is False:
        return Reply(headers=headers, chunks=[whole])
    numbered = ({"sequence_number": number, **data} for number, data in enumerate(_events(response)))
    return Reply(
        headers=headers,
        chunks=[event({"type": data["type"]} | data) for data in numbered],
        content_type=EVENT_STREAM,
        whole=whole if stream is None else None,
    )


def _items(text: str, reasoning: str, commentary: str, tools: Sequence[Tool]) -> list[Item]:
    items: list[Item] = []
    if reasoning:
        items.append(
            {
                "id": made_up("rs_", 48),
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": reasoning}],
                "content": [],
                "encrypted_content": "gAAAAABpC2vd" + "kq7Xw2" * 8,
            }
        )
    if commentary:
        items.append(_message(commentary, "commentary"))
    items.extend(_call(tool) for tool in tools)
    if text:
        items.append(_message(text, "final_answer"))
    return items


def _message(text: str, phase: str) -> Item:
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    return {
        "id": made_up("msg_", 48),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "phase": phase,
        "content": content,
    }


def _call(tool: Tool) -> Item:
    kind = tool.kind or ("custom_tool_call" if isinstance(tool.input, str) else "function_call")
    prefix, member = ("ctc_", "input") if kind == "custom_tool_call" else ("fc_", "arguments")
    head = {"id": tool.item_id or made_up(prefix, 48), "type": kind, "status": "completed"}
    if kind not in ("function_call", "custom_tool_call"):
        hosted = {"call_id": tool.id} if tool.id else {}
        return head | hosted | (dict(tool.input) if not isinstance(tool.input, str) else {})
    return head | {"call_id": tool.id or made_up("call_"), "name": tool.name, member: tool.arguments}


def _events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = response | {"status": "in_progress", "output": [], "usage": None, "error": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        yield {"type": "response.output_item.added", "output_index": index, "item": _emptied(item)}
        at = {"item_id": item["id"], "output_index": index}
        yield from _inside(item, at)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _emptied(item: Item) -> Item:
    match item["type"]:
        case "reasoning":
            return item | {"summary": []}
        case "message":
            return item | {"status": "in_progress", "content": []}
        case "function_call":
            return item | {"status": "in_progress", "arguments": ""}
        case "custom_tool_call":
            return item | {"status": "in_progress", "input": ""}
        case _:
            return item | {"status": "in_progress"}


def _inside(item: Item, at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match item["type"]:
        case "reasoning":
            yield from _summary(item, at)
        case "message":
            yield from _content(item, at)
        case "function_call":
            yield from _arguments("response.function_call_arguments", "arguments", item, at)
        case "custom_tool_call":
            yield from _arguments("response.custom_tool_call_input", "input", item, at)


def _summary(item: Item, at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, part in enumerate(item["summary"]):
        where = {**at, "summary_index": number}
        yield {"type": "response.reasoning_summary_part.added", **where, "part": part | {"text": ""}}
        for piece in pieces(part["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **where, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}


def _content(item: Item, at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, part in enumerate(item["content"]):
        where = {**at, "content_index": number}
        yield {"type": "response.content_part.added", **where, "part": part | {"text": ""}}
        for piece in pieces(part["text"]):
            yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **where, "part": part}


def _arguments(name: str, member: str, item: Item, at: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(item[member]), 12):
        yield {"type": f"{name}.delta", **at, "delta": item[member][start : start + 12]}
    yield {"type": f"{name}.done", **at, member: item[member]}


def _usage(usage: Tokens) -> dict[str, Any]:
    given = usage.input + usage.cache_read
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": given + usage.output,
    }
