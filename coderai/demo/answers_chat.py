"""Answers of OpenAI's Chat Completions API."""

from collections.abc import Iterator, Sequence
from typing import Any

from coderai.demo.answers import EVENT_STREAM, SOME, Tokens, Tool, compact, made_up, pieces, unnamed_event
from coderai.demo.script import IfUsageWanted, Reply, Step

CREATED = 1780000000
DONE = b"data: [DONE]\n\n"


def chat_answer(
    *,
    text: str = "",
    reasoning: str = "",
    tools: Sequence[Tool] = (),
    usage: Tokens = SOME,
    model: str = "gpt-4.1",
    id: str = "",
    finish_reason: str = "",
    stream: bool | None = None,
    usage_always: bool = False,
) -> Reply:
    """Return a whole answer with one choice; *reasoning* becomes ``reasoning_content`` as compatible providers send it.

    The chunk with the usage is sent when the request has ``include_usage``, or always with *usage_always*.
    """
    calls = [_call(tool) for tool in tools]
    head = {"id": id or made_up("chatcmpl-", 29), "created": CREATED, "model": model, "service_tier": "default"}
    finish = finish_reason or ("tool_calls" if tools else "stop")
    whole = compact(_completion(head, text, reasoning, calls, finish, usage)).encode()
    headers = {"x-request-id": made_up("req_", 32), "openai-processing-ms": "412"}
    if stream is False:
        return Reply(headers=headers, chunks=[whole])
    chunk = {**head, "object": "chat.completion.chunk", "system_fingerprint": "fp_44709d6fcb"}
    steps: list[Step] = [
        unnamed_event({**chunk, "choices": [choice], "usage": None})
        for choice in _choices(text, reasoning, calls, finish)
    ]
    counted = unnamed_event({**chunk, "choices": [], "usage": _usage(usage)})
    steps += [counted if usage_always else IfUsageWanted(counted), DONE]
    return Reply(headers=headers, chunks=steps, content_type=EVENT_STREAM, whole=whole if stream is None else None)


def _completion(
    head: dict[str, Any], text: str, reasoning: str, calls: list[dict[str, Any]], finish: str, usage: Tokens
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None, "annotations": []}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(usage)}


def _call(tool: Tool) -> dict[str, Any]:
    call_id = tool.id or made_up("call_")
    if tool.kind == "custom" or (not tool.kind and isinstance(tool.input, str)):
        return {"id": call_id, "type": "custom", "custom": {"name": tool.name, "input": tool.arguments}}
    return {"id": call_id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}


def _choices(text: str, reasoning: str, calls: list[dict[str, Any]], finish: str) -> Iterator[dict[str, Any]]:
    yield _choice({"role": "assistant", "content": "" if text else None, "refusal": None})
    for piece in pieces(reasoning):
        yield _choice({"reasoning_content": piece})
    for piece in pieces(text):
        yield _choice({"content": piece})
    for index, call in enumerate(calls):
        kind = call["type"]
        member = "arguments" if kind == "function" else "input"
        yield _choice({"tool_calls": [{"index": index, **call, kind: call[kind] | {member: ""}}]})
        for at in range(0, len(call[kind][member]), 12):
            fragment = {member: call[kind][member][at : at + 12]}
            yield _choice({"tool_calls": [{"index": index, kind: fragment}]})
    yield _choice({}, finish)


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _usage(usage: Tokens) -> dict[str, Any]:
    prompt = usage.input + usage.cache_read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
