"""What must be true after a run: of the tool's words, of the records, and of what the provider saw."""

from collections.abc import Iterator, Sequence
from typing import Any

from agent import COMMAND, FINAL, FIRST, SECOND, brings_result
from running import CENTRAL_KEYS, OWN_KEY, Ended
from tools import PROMPT, Tool

from coderai.access.credentials import mask
from coderai.demo.script import Seen

Record = dict[str, Any]


def faults(
    tool: Tool,
    byok: bool,
    token: str,
    ended: Ended,
    records: Sequence[Record],
    seen: Sequence[Seen],
    own_key: str = OWN_KEY,
) -> Iterator[str]:
    """Yield what is wrong, in words."""
    if ended.code is None:
        yield "it did not come to an end"
    elif ended.code != 0:
        yield f"exit code {ended.code}: {' '.join(ended.text.split())[-300:]}"
    if FINAL not in " ".join(ended.text.split()):
        yield "the final answer did not come out"
    first = next((one for one in records if one["tool_usages"]), None)
    last = next((one for one in reversed(records) if _output(one) == SECOND.output and not one["user_prompts"]), None)
    if first is None or last is None:
        yield f"{len(records)} exchanges recorded, but not the two of the tool loop"
        return
    yield from _loop(first, last)
    for one in (first, last):
        yield from _who(tool, byok, one, own_key)
    yield from _provider(tool, byok, token, seen, own_key)


def _loop(first: Record, last: Record) -> Iterator[str]:
    prompts = [row["prompt"] for row in first["user_prompts"]]
    if not prompts or PROMPT not in prompts[0]:
        yield f"recorded as prompt: {prompts}"
    call = first["tool_usages"][0]
    if COMMAND.split("'")[1] not in call["input"]:
        yield f"recorded as tool call: {call['tool']} {call['input']}"
    if (_output(first), _output(last)) != (FIRST.output, SECOND.output):
        yield f"recorded as output tokens: {_output(first)}, {_output(last)}"
    if (last.get("thread_root_id") or last["id"]) != (first.get("thread_root_id") or first["id"]):
        yield "the second exchange is not in the thread of the first"
    if first["session_id"] != last["session_id"]:
        yield "the two exchanges are in different sessions"


def _who(tool: Tool, byok: bool, one: Record, own_key: str) -> Iterator[str]:
    if one["client"] != tool.label:
        yield f"recorded as client: {one['client']} ({one['user_agent']})"
    if bool(one.get("client_session_id")) != tool.has_session:
        yield f"recorded as the tool's own session: {one.get('client_session_id')}"
    yield from whose(tool.family, byok, one, own_key)


def whose(family: str, byok: bool, one: Record, own_key: str = OWN_KEY) -> Iterator[str]:
    """Yield what is wrong about the key and the ending."""
    key = own_key if byok else CENTRAL_KEYS[family]
    credential = ("byok" if byok else "centralized", mask(key))
    if (one["credential_kind"], one["credential_hint"]) != credential:
        yield f"recorded as credential: {one['credential_kind']} {one['credential_hint']}"
    if one["ending"] != "complete":
        yield f"recorded as ending: {one['ending']} {one.get('error_message')}"


def _provider(tool: Tool, byok: bool, token: str, seen: Sequence[Seen], own_key: str) -> Iterator[str]:
    if not any(map(brings_result, seen)):
        yield "the result of the command did not reach the provider"
    if any(token in value for each in seen for value in each.headers.values()):
        yield "the gateway token reached the provider"
    key = own_key if byok else CENTRAL_KEYS[tool.family]
    if not all(any(key in value for value in each.headers.values()) for each in seen):
        yield "a request reached the provider without the right key"


def _output(one: Record) -> int:
    return sum(row["output_tokens"] for row in one["token_usages"])
