"""The scripted model: calls the shell tool that it is offered, whatever its name and form, then says what came out."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from coderai.demo.answers import Tokens
from coderai.demo.answers import Tool as Call
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.script import Reply, Seen
from coderai.demo.usual import usual_answer
from coderai.wire.body import decoded

COMMAND = "printf 'hello from %s' behind-the-gateway"
PRINTED = "hello from behind-the-gateway"
FINAL = "The gateway said hello, and all of it was written down."
FIRST, SECOND = Tokens(input=1200, output=48, cache_read=300), Tokens(input=1310, output=17, cache_read=900)

_SHELLS = (
    "bash",
    "shell",
    "shell_command",
    "exec_command",
    "run_shell_command",
    "execute",
    "execute_command",
    "run_terminal_command",
    "run_commands",
    "local_shell",
    "exec",
)


def answer(seen: Seen) -> Reply:
    """Return what the model says to one request."""
    if seen.method != "POST" or not seen.path.partition("?")[0].endswith(
        ("/messages", "/chat/completions", "/responses")
    ):
        return usual_answer(seen)
    body = plain(seen)
    asked = json.loads(body)
    done = PRINTED.encode() in body
    call = None if done else _call(asked)
    if call is None:
        text, tools, usage = (FINAL if done else "A greeting"), [], SECOND
    else:
        text, tools, usage = "I will greet it.", [call], FIRST
    model = str(asked.get("model", ""))
    stream = True if asked.get("stream") else None  # the provider itself cannot look into compressed bodies
    if "/messages" in seen.path:
        return messages_answer(text=text, tools=tools, usage=usage, model=model, stream=stream)
    if "/chat/" in seen.path:
        return chat_answer(text=text, tools=tools, usage=usage, model=model, stream=stream)
    return responses_answer(text="" if tools else text, tools=tools, usage=usage, model=model, stream=stream)


def plain(seen: Seen) -> bytes:
    """Return the body, decompressed: Codex that is signed in sends zstd."""
    return decoded(seen.body, seen.headers.get("Content-Encoding", ""), 1 << 25)


def brings_result(seen: Seen) -> bool:
    """Whether the request holds the result of the command."""
    return PRINTED.encode() in plain(seen)


def _call(asked: Mapping[str, Any]) -> Call | None:
    offered = dict(_offered(asked))
    for name in sorted(offered, key=lambda name: _SHELLS.index(name.lower()) if name.lower() in _SHELLS else 99):
        if name.lower() in _SHELLS:
            digest = hashlib.sha256(repr(asked.get("messages") or asked.get("input")).encode()).hexdigest()
            return Call(name, _arguments(offered[name]), id=f"call_{digest[:20]}")
    return None


def _offered(asked: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in asked.get("tools") or ():
        inner = tool.get("function", tool)
        yield str(inner.get("name", "")), inner.get("input_schema") or inner.get("parameters") or {}


def _arguments(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the schema requires."""
    members = schema.get("properties") or {}
    wanted = [
        name for name in members if name in (schema.get("required") or ()) or name in ("command", "cmd", "commands")
    ]
    return {name: _value(name, members[name]) for name in wanted}


def _value(name: str, member: Mapping[str, Any]) -> Any:
    kind = member.get("type")
    if name in ("command", "cmd", "commands"):
        if kind == "array":
            return ["sh", "-c", COMMAND] if name == "command" else [COMMAND]
        return COMMAND
    if member.get("enum"):
        return member["enum"][0]
    return {"boolean": False, "integer": 1, "number": 1, "array": [], "object": {}}.get(str(kind), "greet")
