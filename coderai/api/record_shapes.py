"""Records as the API shows them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from coderai.api.answers import moment
from coderai.control.lookup import SessionDetail
from coderai.store.interceptions import Record, ThoughtRow, ToolRow, UsageRow
from coderai.store.labels import Counted, Labels
from coderai.store.sessions import Session, Tokens
from coderai.store.threads import Found, Thread
from coderai.store.users import Person

Shape = dict[str, Any]

_UNKNOWN = "Unknown"
_HINT = 15


def session_shape(session: Session, *, running: bool) -> Shape:
    """Return a row of the list of sessions; *running* says whether what is in flight was asked for."""
    return {
        "id": session.id,
        "initiator": person_shape(session.initiator),
        **_given("on_behalf_of", [person_shape(person) for person in session.on_behalf_of] or None),
        "providers": list(session.providers),
        "provider_names": list(session.provider_names),
        "models": list(session.models),
        "client": session.client,
        "metadata": session.metadata,
        "started_at": moment(session.started_at),
        **_time("ended_at", session.ended_at),
        "threads": session.threads,
        "interceptions": session.interceptions,
        "token_usage_summary": _tokens(session.tokens),
        **_given("last_prompt", session.last_prompt),
        "last_active_at": moment(session.last_active_at),
        "first_interception_id": session.first_id,
        **({"running": session.running} if running else {}),
    }


def detail_shape(detail: SessionDetail, *, running: bool) -> Shape:
    """Return one session with a page of its threads."""
    session = detail.session
    threads = [_thread(thread, detail.found) for thread in detail.threads]
    shown = [record for thread in detail.threads for record in thread.records]
    return {
        "id": session.id,
        "initiator": person_shape(session.initiator),
        **_given("on_behalf_of", [person_shape(person) for person in session.on_behalf_of] or None),
        "providers": list(session.providers),
        "provider_names": list(session.provider_names),
        "models": list(session.models),
        **_given("client", None if session.client == _UNKNOWN else session.client),
        "metadata": session.metadata,
        "started_at": moment(session.started_at),
        **_time("ended_at", session.ended_at),
        "last_active_at": moment(session.last_active_at),
        **_time("page_started_at", min((record.started_at for record in shown), default=None)),
        **_time("page_ended_at", _latest(record.ended_at for record in shown)),
        "token_usage_summary": {**_tokens(session.tokens), "metadata": sum_counts(detail.token_metadata)},
        "thread_count": session.threads,
        "interception_count": session.interceptions,
        "tool_call_count": detail.tool_calls,
        "first_interception_id": session.first_id,
        "threads": threads,
        **_given("search", _found(detail.found) if detail.found else None),
        **({"running": session.running, "state": detail.state} if running else {}),
    }


def interception_shape(record: Record) -> Shape:
    """Return a row of the list of interceptions."""
    return {
        "id": record.id,
        "api_key_id": record.api_key_id,
        "initiator": person_shape(record.initiator),
        **_given("on_behalf_of", person_shape(record.on_behalf_of) if record.on_behalf_of else None),
        "provider": record.provider,
        "provider_name": record.provider_name,
        "model": record.model,
        "client": record.client,
        "session_id": record.session_id,
        "metadata": record.metadata,
        "started_at": moment(record.started_at),
        "ended_at": moment(record.ended_at) if record.ended_at else None,
        **_given("ending", record.ending),
        **_given("error_type", record.error_type),
        **_given("error_message", record.error_message or None),
        "token_usages": [_usage(usage) for usage in record.usages],
        "user_prompts": [
            {
                "id": prompt.id,
                "interception_id": prompt.interception_id,
                "provider_response_id": prompt.provider_response_id,
                "prompt": prompt.prompt,
                "metadata": prompt.metadata,
                "created_at": moment(prompt.created_at),
            }
            for prompt in record.prompts
        ],
        "tool_usages": [{**_tool(tool), "invocation_error": tool.invocation_error or ""} for tool in record.tools],
    }


def whole_interception_shape(record: Record) -> Shape:
    """Return everything about one interception."""
    return {
        **interception_shape(record),
        "api": record.api,
        "user_agent": record.user_agent,
        "stream": record.stream,
        "client_session_id": record.client_session_id,
        "thread_parent_id": record.thread_parent_id,
        "thread_root_id": record.thread_root_id,
        "credential_kind": record.credential_kind,
        "credential_hint": _hint(record.credential_hint),
        "http_status": record.http_status,
        "first_byte_at": moment(record.first_byte_at) if record.first_byte_at else None,
        "model_thoughts": [
            {
                "id": thought.id,
                "interception_id": thought.interception_id,
                "content": thought.content,
                "metadata": thought.metadata,
                "created_at": moment(thought.created_at),
            }
            for thought in record.thoughts
        ],
    }


def _found(found: Found) -> Shape:
    steps = sum(len(ids) for ids in found.steps.values())
    return {"threads": len(found.steps), "steps": steps, "capped": found.capped}


def labels_shape(labels: Labels) -> Shape:
    """Return what sessions can be narrowed to."""
    plain = {"models": labels.models, "clients": labels.clients, "providers": labels.providers}
    return {
        **{kind: [{"name": each.name, **_sessions(each)} for each in found] for kind, found in plain.items()},
        "initiators": [{**person_shape(person), **_sessions(each)} for person, each in labels.initiators],
    }


def _sessions(counted: Counted) -> Shape:
    return {"sessions": counted.sessions, "sessions_capped": counted.capped}


def _thread(thread: Thread, found: Found | None) -> Shape:
    head, records = thread.head, thread.records
    hits = None if found is None else {step for ids in found.steps.values() for step in ids}
    still_running = any(record.ended_at is None for record in records)
    return {
        "id": head.id,
        **_given("prompt", head.prompts[0].prompt if head.prompts else None),
        "model": head.model,
        "provider": head.provider,
        "credential_kind": head.credential_kind,
        "credential_hint": _hint(head.credential_hint),
        "started_at": moment(records[0].started_at),
        **_time("ended_at", None if still_running else _latest(record.ended_at for record in records)),
        "token_usage": _token_sum(records),
        "agentic_actions": [_action(record) for record in records if record.tools],
        "steps": [_step(record) for record in records],
        **_given("found", None if hits is None else [record.id for record in records if record.id in hits]),
        **_given("error_type", head.error_type),
        **_given("error_message", head.error_message or None),
        **_firewall(head.metadata),
    }


def _firewall(metadata: Mapping[str, Any]) -> Shape:
    """What the agent firewall said about a request; the gateway has checked it, older rows may hold anything."""
    session, number = (metadata.get(f"agent_firewall_{name}") for name in ("session_id", "sequence_number"))
    if not isinstance(session, str) or not isinstance(number, str) or not number.isdecimal():
        return {}
    return {"agent_firewall_session_id": session, "agent_firewall_sequence_number": int(number)}


def _action(record: Record) -> Shape:
    return {
        "model": record.model,
        "token_usage": _token_sum([record]),
        "thinking": [{"text": thought.content} for thought in record.thoughts],
        "tool_calls": [_tool(tool) for tool in record.tools],
    }


def _step(record: Record) -> Shape:
    failed = record.error_type or record.error_message
    return {
        "interception_id": record.id,
        "model": record.model,
        "provider": record.provider,
        "provider_name": record.provider_name,
        "client": record.client,
        "api": record.api,
        "stream": record.stream,
        "user_agent": record.user_agent,
        "credential_kind": record.credential_kind,
        "credential_hint": _hint(record.credential_hint),
        "started_at": moment(record.started_at),
        **_time("first_byte_at", record.first_byte_at),
        **_time("ended_at", record.ended_at),
        **_given("http_status", record.http_status),
        **_given("ending", record.ending),
        "provider_response_ids": _response_ids(record),
        **_given("prompt", record.prompts[0].prompt if record.prompts else None),
        "token_usage": _token_sum([record]),
        "thinking": [_thought(thought) for thought in record.thoughts],
        "tool_calls": [_tool(tool) for tool in record.tools],
        **_given("error", {"type": record.error_type, "message": record.error_message or ""} if failed else None),
        "metadata": record.metadata,
    }


def _response_ids(record: Record) -> list[str]:
    """What the provider calls its answers: usually one."""
    ids = [usage.provider_response_id for usage in record.usages] + [tool.provider_response_id for tool in record.tools]
    return list(dict.fromkeys(each for each in ids if each))


def _thought(thought: ThoughtRow) -> Shape:
    return {"text": thought.content, **_given("source", thought.metadata.get("source"))}


def _tool(tool: ToolRow) -> Shape:
    return {
        "id": tool.id,
        "interception_id": tool.interception_id,
        "provider_response_id": tool.provider_response_id,
        **_given("provider_tool_call_id", tool.provider_tool_call_id),
        "server_url": tool.server_url or "",
        "tool": tool.tool,
        "kind": tool.kind,
        "injected": tool.injected,
        "input": tool.input,
        "metadata": tool.metadata,
        "created_at": moment(tool.created_at),
    }


def _usage(usage: UsageRow) -> Shape:
    return {
        "id": usage.id,
        "interception_id": usage.interception_id,
        "provider_response_id": usage.provider_response_id,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_write_input_tokens": usage.cache_write_input_tokens,
        "metadata": usage.metadata,
        "created_at": moment(usage.created_at),
    }


def person_shape(person: Person) -> Shape:
    """Return a person as records name one."""
    return {
        "id": person.id,
        "username": person.username,
        **_given("name", person.name or None),
        **_given("avatar_url", person.avatar_url or None),
    }


def _tokens(tokens: Tokens) -> Shape:
    return {
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_write_input_tokens": tokens.cache_write,
    }


def _token_sum(records: Sequence[Record]) -> Shape:
    usages = [usage for record in records for usage in record.usages]
    tokens = Tokens(
        sum(usage.input_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        sum(usage.cache_read_input_tokens for usage in usages),
        sum(usage.cache_write_input_tokens for usage in usages),
    )
    return {**_tokens(tokens), "metadata": sum_counts(usage.metadata for usage in usages)}


def sum_counts(documents: Iterable[Mapping[str, Any]]) -> Mapping[str, int]:
    """Add up whole numbers by name; names of nested objects are joined with dots."""
    total: Counter[str] = Counter()
    for document in documents:
        for name, number in _numbers(document, ""):
            total[name] += number
    return dict(total)


def _numbers(document: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, int]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            yield prefix + name, value


def _hint(hint: str) -> str:
    """A stored hint that does not look like a mask is not shown: it could be a key."""
    return hint if not hint or (len(hint) <= _HINT and "..." in hint) else "..."


def _given(name: str, value: Any) -> Shape:
    return {} if value is None else {name: value}


def _time(name: str, value: datetime | None) -> Shape:
    return {} if value is None else {name: moment(value)}


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)
