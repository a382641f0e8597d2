"""One client tool as it was seen on the wire: two requests of a tool loop, and what the records must say about them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.script import Reply
from coderai.records import Api

Json = dict[str, Any]
PROMPT = "Fix the flaky login test\n"
CALL_ID = "call_7fQ2mB9xTzLr4KpVd1NcYe0a"
READ = Tool("read_file", {"path": "tests/test_login.py"}, id=CALL_ID)
RESULT = "def test_login(page): ...\n    time.sleep(0.1)"
FIRST = Tokens(input=1840, output=140, cache_read=9216)
SECOND = Tokens(input=2120, output=61, cache_read=9216)
SESSION = "3f2b8c1e-52f1-4a3e-9d0b-7f2f6d0c9a11"


@dataclass(frozen=True)
class Talk:
    """One row of the table."""

    id: str
    label: str
    """What the tool is recorded as."""
    api: Api
    headers: Mapping[str, str]
    """All but the credential, as the tool sends them."""
    first: Json
    second: Json
    session: str | None = None
    """The session key that is recorded."""
    path: str = ""
    """Empty: the usual one of the API, on the instance of its family."""
    key_header: str = "Authorization"
    """Where the tool puts its key, or the gateway token."""
    call: Tool = READ
    prompt: str = PROMPT
    encoding: str = ""
    """Of the bodies."""
    edited: bool = False
    """The one edit that is made: usage is asked for where the tool does not."""
    central: bool = True
    byok: bool = True
    hints: Mapping[str, str] = field(default_factory=dict)
    """Part of the recorded metadata."""

    @property
    def url(self) -> str:
        return self.path or _PATHS[self.api]

    @property
    def upstream_path(self) -> str:
        """Where the provider is asked, query included."""
        instance, rest = self.url[1:].split("/", 1)
        return "/v1/" + rest.removeprefix("v1/") if instance == "openai" else "/" + rest

    @property
    def replies(self) -> tuple[Reply, Reply]:
        """What the model answers: the tool call, then the words."""
        answer = _ANSWERS[self.api]
        model = str(self.first["model"])
        return (
            answer(tools=[self.call], usage=FIRST, model=model, stream=True),
            answer(text="It no longer waits.", usage=SECOND, model=model, stream=True),
        )


_PATHS = {
    Api.MESSAGES: "/anthropic/v1/messages",
    Api.CHAT: "/openai/v1/chat/completions",
    Api.RESPONSES: "/openai/v1/responses",
}
_ANSWERS: Mapping[Api, Callable[..., Reply]] = {
    Api.MESSAGES: messages_answer,
    Api.CHAT: chat_answer,
    Api.RESPONSES: responses_answer,
}


def stainless(lang: str, version: str, **more: str) -> dict[str, str]:
    """The group of headers of the official SDKs."""
    runtime = {"js": "node", "python": "CPython"}[lang]
    return {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-Stainless-Lang": lang,
        "X-Stainless-Package-Version": version,
        "X-Stainless-OS": "Linux",
        "X-Stainless-Arch": "x64",
        "X-Stainless-Runtime": runtime,
        "X-Stainless-Runtime-Version": "v24.20.0" if lang == "js" else "3.11.7",
        "X-Stainless-Retry-Count": "0",
        **more,
    }


def messages(first: list[Any], *, model: str = "claude-sonnet-4-5-20250929", **members: Any) -> tuple[Json, Json]:
    """Two requests of the Messages API: the conversation *first*, then with the call and its result."""
    body = {"model": model, "max_tokens": 32000, "messages": first, "stream": True, **members}
    call = {"type": "tool_use", "id": CALL_ID, "name": READ.name, "input": json.loads(READ.arguments)}
    result = {"type": "tool_result", "tool_use_id": CALL_ID, "content": RESULT, "cache_control": {"type": "ephemeral"}}
    thought = {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"}
    more = [{"role": "assistant", "content": [thought, call]}, {"role": "user", "content": [result]}]
    return body, body | {"messages": [*first, *more]}


def responses(
    first: list[Any], *, model: str = "gpt-5.3-codex", call: Tool = READ, **members: Any
) -> tuple[Json, Json]:
    """Two requests of the Responses API."""
    body = {"model": model, "input": first, "stream": True, "store": False, **members}
    custom = isinstance(call.input, str)
    kind, member = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
    more = [
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAAAABpC2vd"},
        {"type": kind, "call_id": CALL_ID, "name": call.name, member: call.arguments, "id": "fc_01"},
        {"type": f"{kind}_output", "call_id": CALL_ID, "output": RESULT, "id": "fco_01"},
    ]
    return body, body | {"input": [*first, *more]}


def chat(first: list[Any], *, model: str = "gpt-4.1", usage: bool = True, **members: Any) -> tuple[Json, Json]:
    """Two requests of Chat Completions; with *usage* the tool itself asks for the usage chunk."""
    wanted = {"stream_options": {"include_usage": True}} if usage else {}
    body = {"model": model, "messages": first, "stream": True, **wanted, **members}
    function = {"name": READ.name, "arguments": READ.arguments}
    more = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": CALL_ID, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": CALL_ID, "content": RESULT},
    ]
    return body, body | {"messages": [*first, *more]}


def text(words: str, **members: Any) -> Json:
    """A block of text."""
    return {"type": "text", "text": words, **members}


def user(*content: Any) -> Json:
    """A message of the user: a string, or blocks."""
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def said(role: str, words: str, **members: Any) -> Json:
    """An item of the Responses API."""
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": words}], **members}


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


FUNCTIONS = [{"type": "function", "function": {"name": READ.name, "parameters": {"type": "object"}}}]
"""Tools of Chat Completions."""
FLAT_FUNCTIONS = [{"type": "function", "name": READ.name, "parameters": {"type": "object"}, "strict": False}]
"""Tools of the Responses API."""
SCHEMAS = [{"name": READ.name, "description": "Read a file", "input_schema": {"type": "object"}}]
"""Tools of the Messages API."""
EPHEMERAL = {"type": "ephemeral"}
