"""Conversations as real tools have them: what each request carries, and what the model answers to it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.script import Reply

SONNET = "claude-sonnet-4-5-20250929"
CODEX = "gpt-5.3-codex"
AGENT = "gpt-4.1"


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a tool and its answer."""

    path: str
    """Below the gateway's prefix."""
    headers: Mapping[str, str]
    """All but the token."""
    body: Mapping[str, Any]
    reply: Reply = field(repr=False)


def claude_code(session: str) -> Iterator[Turn]:
    """Two tasks in one session of Claude Code: a tool loop with thinking, then a short question."""
    messages: list[dict[str, Any]] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nAnswer in English.\n</system-reminder>"},
                {"type": "text", "text": "Fix the flaky login test", "cache_control": {"type": "ephemeral"}},
            ],
        },
        {"role": "system", "content": "Today is Monday."},
    ]
    replies = (
        messages_answer(
            thinking="A flaky test usually waits for the wrong thing. I should read it first.",
            text="I'll start with the test itself.",
            tools=[Tool("Read", {"file_path": "tests/test_login.py"})],
            usage=Tokens(input=1840, output=140, cache_write=9216),
        ),
        messages_answer(
            thinking="It sleeps 100 ms after the click; the redirect may take longer. Waiting for the URL is right.",
            tools=[
                Tool(
                    "Edit",
                    {
                        "file_path": "tests/test_login.py",
                        "old_string": "time.sleep(0.1)",
                        "new_string": "page.wait_for_url('**/home')",
                    },
                )
            ],
            usage=Tokens(input=612, output=233, cache_read=9216, cache_write=1105),
        ),
        messages_answer(
            tools=[Tool("Bash", {"command": "pytest tests/test_login.py -q --count 50", "timeout": 120000})],
            usage=Tokens(input=301, output=88, cache_read=10321),
        ),
        messages_answer(
            text="The test waited a fixed 100 ms for the redirect. It now waits for the page itself; 50 runs passed.",
            usage=Tokens(input=284, output=61, cache_read=10321),
        ),
    )
    results = ("def test_login(page): ...\n    time.sleep(0.1)", "The file was updated.", "50 passed in 21.4s")
    yield from _messages_loop(messages, replies, results, _claude_code_headers(session), _claude_code_body(session))
    messages.append({"role": "user", "content": "Thanks! Which other tests use time.sleep?"})
    answer = messages_answer(
        text="Two: tests/test_upload.py:40 and tests/test_search.py:17.",
        usage=Tokens(input=154, output=44, cache_read=10605),
    )
    yield from _messages_loop(messages, (answer,), (), _claude_code_headers(session), _claude_code_body(session))


def codex(session: str) -> Iterator[Turn]:
    """A task of Codex over the Responses API: a plan, a patch as free text, a test run."""
    headers = {
        "User-Agent": "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)",
        "originator": "codex_exec",
        "session-id": session,
        "thread-id": session,
        "Accept": "text/event-stream",
    }
    items: list[dict[str, Any]] = [
        _said("developer", "You are Codex, a coding agent."),
        _said("user", "<environment_context>\n<cwd>/srv/shop</cwd>\n</environment_context>"),
        _said("user", "Add a rate limit of 10 requests per second to the search endpoint"),
    ]
    patch = (
        "*** Begin Patch\n*** Update File: shop/search.py\n@@\n+@limited(per_second=10)\n def search():\n*** End Patch"
    )
    replies = (
        responses_answer(
            reasoning="**Looking for the endpoint**\n\nThe search view is probably in shop/search.py.",
            tools=[Tool("exec_command", {"cmd": "rg -n 'def search' shop"})],
            usage=Tokens(input=7012, output=212, reasoning=128),
        ),
        responses_answer(
            reasoning="**Adding the decorator**\n\nThere is a decorator for limits in shop/limits.py already.",
            commentary="The decorator exists already, so one line is enough.",
            tools=[Tool("apply_patch", patch)],
            usage=Tokens(input=498, output=174, cache_read=6912, reasoning=64),
        ),
        responses_answer(
            text="The search endpoint now answers at most 10 requests per second; further ones get a 429.",
            usage=Tokens(input=377, output=58, cache_read=7424),
        ),
    )
    outputs = ("shop/search.py:12:def search():", "Done!")
    for number, reply in enumerate(replies):
        body = {
            "model": CODEX,
            "instructions": "You are Codex.",
            "input": list(items),
            "tools": [{"type": "custom", "name": "apply_patch"}, {"type": "function", "name": "exec_command"}],
            "parallel_tool_calls": False,
            "reasoning": {"effort": "medium", "summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": session,
            "client_metadata": {"session_id": session},
        }
        yield Turn("/openai/v1/responses", headers, body, reply)
        for item in json.loads(reply.whole or b"{}")["output"]:
            items.append(item)
            if item["type"].endswith("_call"):
                kind = item["type"] + "_output"
                items.append({"type": kind, "call_id": item["call_id"], "output": outputs[number]})


def coder_agents(chat: str, sub_chat: str) -> Iterator[Turn]:
    """A chat of Coder Agents over Chat Completions whose sub-agent works over Messages, in the same session."""
    headers = {"User-Agent": "coder-agents/v2.33.1 (linux/amd64)", "X-Coder-Chat-Id": chat}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a coding agent in a workspace."},
        {"role": "user", "content": "Find out why the nightly build got slower and propose a fix"},
    ]
    first = chat_answer(
        tools=[Tool("spawn_agent", {"title": "Compare build logs", "prompt": "Compare the last two nightly logs"})],
        usage=Tokens(input=3318, output=97),
    )
    yield _chat_turn(messages, first, headers)
    yield from _sub_agent({**headers, "X-Coder-Subchat-Id": sub_chat})
    message = json.loads(first.whole or b"{}")["choices"][0]["message"]
    result = "The cache key contains the date since Tuesday, so the cache is never hit."
    messages += [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": result}]
    last = chat_answer(
        text="The build cache is keyed by date since Tuesday. Key it by the lock file's hash instead.",
        usage=Tokens(input=410, output=73, cache_read=3200),
    )
    yield _chat_turn(messages, last, headers)


def _sub_agent(headers: Mapping[str, str]) -> Iterator[Turn]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Compare the last two nightly logs"}]
    replies = (
        messages_answer(
            thinking="The cache lines of both logs are what matters.",
            tools=[
                Tool("execute", {"command": "grep cache nightly-41.log"}),
                Tool("execute", {"command": "grep cache nightly-42.log"}),
            ],
            usage=Tokens(input=1207, output=151),
        ),
        messages_answer(
            text="The cache key contains the date since Tuesday, so the cache is never hit.",
            usage=Tokens(input=1512, output=39),
        ),
    )
    body = {"model": SONNET, "max_tokens": 16000, "stream": True}
    yield from _messages_loop(messages, replies, ("cache hit: key 2f9a\ncache miss: key 2026-11-20",), headers, body)


def _messages_loop(
    messages: list[dict[str, Any]],
    replies: tuple[Reply, ...],
    results: tuple[str, ...],
    headers: Mapping[str, str],
    body: Mapping[str, Any],
) -> Iterator[Turn]:
    """One turn for each reply; the calls of a reply are followed by their results, as a tool loop does it."""
    for number, reply in enumerate(replies):
        query = "?beta=true" if "anthropic-beta" in headers else ""
        yield Turn(f"/anthropic/v1/messages{query}", headers, {**body, "messages": list(messages)}, reply)
        content = json.loads(reply.whole or b"{}")["content"]
        messages.append({"role": "assistant", "content": content})
        calls = [block["id"] for block in content if block["type"] == "tool_use"]
        if calls:
            parts = [{"type": "tool_result", "tool_use_id": call, "content": results[number]} for call in calls]
            messages.append({"role": "user", "content": parts})


def _claude_code_headers(session: str) -> dict[str, str]:
    return {
        "User-Agent": "claude-cli/2.1.329 (external, cli)",
        "X-Claude-Code-Session-Id": session,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "X-Stainless-Lang": "js",
        "X-Stainless-Retry-Count": "0",
        "Accept": "application/json",
    }


def _claude_code_body(session: str) -> dict[str, Any]:
    user = json.dumps({"device_id": "0" * 64, "account_uuid": "", "session_id": session})
    return {
        "model": SONNET,
        "max_tokens": 32000,
        "stream": True,
        "system": [{"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        "metadata": {"user_id": user},
        "tools": [
            {"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("Read", "Edit", "Bash")
        ],
    }


def _said(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def _chat_turn(messages: list[dict[str, Any]], reply: Reply, headers: Mapping[str, str]) -> Turn:
    body = {
        "model": AGENT,
        "messages": list(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [{"type": "function", "function": {"name": "spawn_agent", "parameters": {"type": "object"}}}],
    }
    return Turn("/openai/v1/chat/completions", headers, body, reply)
