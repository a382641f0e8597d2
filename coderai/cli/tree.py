"""A session as a tree: threads, their prompts, and step by step what the model thought and which tools it called."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from coderai.cli.agents import Agents
from coderai.cli.shapes import Failure, Interception, SessionDetail, Step, Thread, Tokens, ToolCall, who
from coderai.cli.text import Look, count, harmless, lasting, moment, one_line

_COMPLETE = (None, "", "complete")


@dataclass(slots=True)
class Node:
    """One line, the lines that belong to it, and what hangs below."""

    text: str
    children: "list[Node]" = field(default_factory=list)


def session_lines(session: SessionDetail, look: Look, *, full: bool, first: int = 1) -> list[str]:
    """Return the lines for a session; its threads are counted from *first*.

    A text that is too long for the terminal is cut, unless it is to be shown in *full*; for a pipe it is never cut.
    """
    agents = Agents((step.metadata for thread in session.threads for step in _steps(thread)), look)
    threads = [_thread(thread, number, agents, look) for number, thread in enumerate(session.threads, first)]
    whole = full or not look.terminal
    lines = [_header(session, look), *_below(threads, "", whole)]
    return lines if whole else [_cut(line, look.width) for line in lines]


def interception_lines(one: Interception, look: Look, *, full: bool) -> list[str]:
    """Return the lines for a single exchange."""
    facts = {
        "session": one.session_id,
        "initiator": who(one.initiator, [one.on_behalf_of] if one.on_behalf_of else []),
        "client": one.client or "Unknown",
        "agent": Agents([one.metadata], look).mark(one.metadata).removeprefix("agent "),
        "user agent": one.user_agent,
        "provider": f"{one.provider_name or one.provider} ({one.provider})",
        "model": one.model,
        "api": f"{one.api}{', streamed' if one.stream else ''}" if one.api else "",
        "credential": _credential(one.credential_kind, one.credential_hint),
        "started": one.started_at,
        "ended": one.ended_at or "running",
        "took": _took(one.started_at, one.ended_at),
        "status": str(one.http_status) if one.http_status else "",
        "ending": one.ending or "",
        "error": ": ".join(part for part in (one.error_type, one.error_message) if part),
        "thread": one.thread_root_id or "",
        "follows": one.thread_parent_id or "",
        "tokens": _tokens(one.tokens, look),
    }
    nodes = [Node(f"{name:<11} {one_line(value)}") for name, value in facts.items() if value]
    nodes += [_labelled("prompt", row.prompt) for row in one.user_prompts]
    nodes += [_labelled("thinking", row.content or row.text) for row in one.model_thoughts]
    nodes += [_tool(call) for call in one.tool_usages]
    whole = full or not look.terminal
    lines = [f"Interception {one_line(one.id)}", *_below(nodes, "", whole)]
    return lines if whole else [_cut(line, look.width) for line in lines]


def _header(session: SessionDetail, look: Look) -> str:
    tokens = session.token_usage_summary
    parts = [
        one_line(who(session.initiator, session.on_behalf_of)),
        one_line(session.client or "Unknown"),
        _span(session.started_at, session.ended_at),
        _tokens(tokens, look),
    ]
    return f"Session {one_line(session.id)}   " + " · ".join(part for part in parts if part)


def _steps(thread: Thread) -> Sequence[Step]:
    return thread.agentic_actions if thread.steps is None else thread.steps


def _thread(thread: Thread, number: int, agents: Agents, look: Look) -> Node:
    steps = _steps(thread)
    name = next((step.provider_name for step in steps if step.provider_name), thread.provider)
    credential = _credential(thread.credential_kind, thread.credential_hint)
    took = _took(thread.started_at, thread.ended_at)
    head = f"Thread {number}  {one_line(thread.model)} via {one_line(name)}"
    clock, agent = _clock(thread.started_at), agents.mark(steps[0].metadata) if steps else ""
    parts = (head + (f" ({credential})" if credential else ""), clock, took, agent)
    node = Node("  ".join(part for part in parts if part))
    if thread.prompt is not None:
        node.children.append(_labelled("prompt", thread.prompt))
    for place, step in enumerate(steps, 1):
        shown = step.prompt if step.prompt != thread.prompt or place > 1 else None
        other = agents.mark(step.metadata)
        node.children.append(_step(step, place, shown, thread.model, other if other != agent else "", look))
    if thread.error_message and not any(step.error for step in steps):
        node.children.append(_labelled("error", _failure(Failure(thread.error_type, thread.error_message))))
    return node


def _step(step: Step, number: int, prompt: str | None, model: str, agent: str, look: Look) -> Node:
    remarks = [_tokens(step.token_usage, look)]
    if step.model and step.model != model:
        remarks.append(one_line(step.model))
    if agent:
        remarks.append(agent)
    if step.ended_at is None and step.started_at:
        remarks.append("running")
    if step.ending not in _COMPLETE:
        remarks.append(one_line(str(step.ending)).replace("_", " "))
    node = Node(f"step {number:<4} " + " · ".join(part for part in remarks if part))
    if prompt is not None:
        node.children.append(_labelled("prompt", prompt))
    node.children += [_labelled("thinking", thought.text) for thought in step.thinking]
    node.children += [_tool(call) for call in step.tool_calls]
    if step.error:
        failure = step.error if isinstance(step.error, Failure) else Failure(None, step.error)
        node.children.append(_labelled("error", _failure(failure)))
    return node


def _labelled(label: str, text: str) -> Node:
    return Node(f"{label:<9} {harmless(text.strip())}")


def _tool(call: ToolCall) -> Node:
    return Node(f"{'tool':<9} {one_line(call.tool)} {harmless(call.input)}".rstrip())


def _failure(failure: Failure) -> str:
    return ": ".join(part for part in (failure.type, failure.message) if part)


def _below(nodes: Sequence[Node], prefix: str, whole: bool) -> Iterator[str]:
    """Yield the branches; a text of several lines keeps them when it is shown as a whole."""
    for node in nodes:
        last = node is nodes[-1]
        inner = prefix + ("   " if last else "│  ")
        text = node.text.expandtabs(4)
        first, *more = text.split("\n") if whole else [text.replace("\n", " ⏎ ")]
        yield prefix + ("└─ " if last else "├─ ") + first
        hanging = inner + ("│" if node.children else " ") + " " * 9
        yield from ((hanging + line).rstrip() for line in more)
        yield from _below(node.children, inner, whole)


def _cut(line: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return line if cell_len(line) <= width else set_cell_size(line, max(width - 1, 0)) + "…"


def _tokens(tokens: Tokens, look: Look) -> str:
    text = f"{count(tokens.input_tokens, look)} in / {count(tokens.output_tokens, look)} out"
    read, written = tokens.cache_read_input_tokens, tokens.cache_write_input_tokens
    return text + (f" (cache {count(read, look)} read, {count(written, look)} written)" if read or written else "")


def _credential(kind: str, hint: str) -> str:
    name = {"centralized": "central key", "byok": "own key"}.get(kind, one_line(kind))
    return f"{name} {one_line(hint)}".strip()


def _clock(text: str) -> str:
    at = moment(text)
    return at.astimezone(UTC).strftime("%H:%M:%S") if at else ""


def _took(start: str, end: str | None) -> str:
    begun, ended = moment(start), moment(end)
    return lasting(ended - begun) if begun and ended else ""


def _span(start: str, end: str | None) -> str:
    begun, ended = moment(start), moment(end)
    if begun is None:
        return ""
    begun = begun.astimezone(UTC)
    text = begun.strftime("%Y-%m-%d %H:%M")
    if ended is None:
        return f"{text} UTC, running"
    end_text = _short_end(begun, ended.astimezone(UTC))
    arrow = "" if text.endswith(end_text) else f" → {end_text}"
    return f"{text}{arrow} UTC ({lasting(ended - begun)})"


def _short_end(begun: datetime, ended: datetime) -> str:
    return ended.strftime("%H:%M" if ended.date() == begun.date() else "%Y-%m-%d %H:%M")
