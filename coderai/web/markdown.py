"""A session in Markdown, for reading. Pure.

Text of somebody else stands in fences that it cannot close, names in code spans.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from coderai.web.looks import exact, lasting, pretty, stamp
from coderai.web.session_story import Step, told

Document = Mapping[str, Any]


def head_lines(session: Document, out: frozenset[str]) -> Iterator[str]:
    """Return what stands above the threads."""
    usage = session["token_usage_summary"]
    ended = session.get("ended_at")
    facts = {
        "User": _code(session["initiator"]["username"]),
        "On behalf of": ", ".join(_code(each["username"]) for each in session.get("on_behalf_of") or ()),
        "Client": _code(session.get("client", "Unknown")),
        "Providers": ", ".join(_code(name) for name in session["provider_names"] or session["providers"]),
        "Models": ", ".join(_code(name) for name in session["models"]),
        "Started": stamp(session["started_at"]),
        "Ended": stamp(ended) if ended else "",
        "Threads": exact(session["thread_count"]),
        "Requests": exact(session["interception_count"]),
        "Tool calls": exact(session["tool_call_count"]),
        "Tokens": _tokens(usage),
        "Left out": ", ".join(sorted(out)),
    }
    yield f"# Session {_code(session['id'])}"
    yield ""
    yield from (f"- {name}: {value}" for name, value in facts.items() if value)


def thread_lines(thread: Document, number: int) -> Iterator[str]:
    """Return one thread."""
    (whole,), _ = told([thread], steps_shown=len(thread["steps"]), steps_in_all=len(thread["steps"]))
    yield ""
    yield f"## Thread {number}{f' ({_code(whole.agent.name)})' if whole.agent.id else ''}"
    yield ""
    yield f"{stamp(thread['started_at'])}, {_code(thread['model'])}"
    if whole.origin:
        yield f"Prompt: {_code(whole.origin)}"
    if thread.get("prompt") is not None:
        yield ""
        yield from _fenced(thread["prompt"])
    for step in whole.steps:
        yield from _step_lines(step, thread)


def _step_lines(step: Step, thread: Document) -> Iterator[str]:
    said = step.said
    took = lasting(said["started_at"], said.get("ended_at"))
    yield ""
    yield f"### Step {step.number}: {step.ending[1]}{f', {took}' if took else ''}"
    yield ""
    via = f"{_code(said['model'])} via {_code(said['provider_name'] or said['provider'])} with {_code(step.credential)}"
    yield f"{via}; {_tokens(said['token_usage'])}; request {_code(said['interception_id'])}"
    if said.get("prompt") is not None and said["interception_id"] != thread["id"]:
        yield from ("", "Prompt:", "", *_fenced(said["prompt"]))
    for thought in said["thinking"]:
        yield from ("", "Thinking:", "", *_fenced(thought["text"]))
    for call in said["tool_calls"]:
        yield from ("", f"Tool {_code(call['tool'])}:", "", *_fenced(pretty(call["input"])))
    if said.get("error"):
        error = said["error"]
        yield from ("", f"Error {_code(error['type'] or 'unknown')}:", "", *_fenced(error["message"]))


def _tokens(usage: Document) -> str:
    read, written = usage["cache_read_input_tokens"], usage["cache_write_input_tokens"]
    cache = f" (cache: {exact(read)} read, {exact(written)} written)" if read or written else ""
    return f"{exact(usage['input_tokens'])} in, {exact(usage['output_tokens'])} out{cache}"


def _code(text: str) -> str:
    """Return a code span that holds *text* on one line, whatever back-ticks are in it."""
    line = " ".join(text.split())
    ticks = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{ticks} {line} {ticks}" if "`" in line else f"`{line}`"


def _fenced(text: str) -> Iterator[str]:
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    yield f"{fence}text"
    yield text
    yield fence
