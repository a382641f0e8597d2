"""How records become rows: columns, cleaning, cutting. *moment* and *flag* make values of the database's own types."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from coderai.records import Ended, Interception, Link, Stamped, Thought, ToolCall, Usage

Row = tuple[Any, ...]
AsMoment = Callable[[datetime], Any]
AsFlag = Callable[[bool], Any]

# PostgreSQL takes 2,700 bytes in an entry of an index, and the facets index several of these together.
_MODEL_BYTES = 512
_KEY_BYTES = 512
_CLIENT = 64
_SESSION_ID = 256
_HINT = 15
_ERROR_BYTES = 1024
_MOST = 2**53 - 1
"""The greatest count kept: exact for every JSON reader, and a session can add up a thousand of them."""


def facet_key(it: Interception, session_id: str) -> tuple[str, ...]:
    """Return the key of the facet row that counts *it*."""
    return (
        session_id,
        it.initiator_id,
        it.provider,
        it.provider_name,
        cut(it.model, _MODEL_BYTES),
        client_label(it),
        cut(it.on_behalf_of or "", _KEY_BYTES),
    )


def session_of(it: Interception, link: Link) -> str:
    """Return the id of the session: what the client said, else the thread's root, else itself."""
    return client_session(it) or link.root_id or it.id


def client_session(it: Interception) -> str | None:
    """Return the client's session id as stored."""
    return clean(it.client_session_id)[:_SESSION_ID] if it.client_session_id else None


def client_label(it: Interception) -> str:
    """Return the client's label as stored."""
    return clean(it.client)[:_CLIENT]


def call_key(call_id: str) -> str:
    """Return a tool call id as stored and looked up."""
    return cut(call_id, _KEY_BYTES)


def linked(parent_id: str, parent_root: str | None) -> Link:
    """Return the link of a follower of *parent_id*."""
    return Link(parent_id, parent_root or parent_id)


def interception_row(it: Interception, link: Link, process_id: str, moment: AsMoment, flag: AsFlag) -> Row:
    """In the order of ``INTERCEPTION_COLUMNS``; *moment* and *flag* make values of the database's types."""
    return (
        it.id,
        it.initiator_id,
        it.api_key_id,
        it.provider,
        it.provider_name,
        cut(it.model, _MODEL_BYTES),
        client_label(it),
        client_session(it),
        link.parent_id,
        link.root_id,
        session_of(it, link),
        json_text(it.metadata),
        it.credential_kind,
        clean(it.credential_hint)[:_HINT],
        moment(it.started_at),
        it.api.value,
        clean(it.user_agent),
        flag(it.stream),
        process_id,
        cut(it.on_behalf_of, _KEY_BYTES) if it.on_behalf_of else None,
    )


INTERCEPTION_COLUMNS = (
    "id",
    "initiator_id",
    "api_key_id",
    "provider",
    "provider_name",
    "model",
    "client",
    "client_session_id",
    "thread_parent_id",
    "thread_root_id",
    "session_id",
    "metadata",
    "credential_kind",
    "credential_hint",
    "started_at",
    "api",
    "user_agent",
    "stream",
    "process_id",
    "on_behalf_of",
)
PROMPT_COLUMNS = ("interception_id", "id", "prompt", "metadata", "created_at")
END_COLUMNS = (
    "ended_at",
    "ending",
    "http_status",
    "error_type",
    "error_message",
    "first_byte_at",
    "credential_hint",
    "id",
)
USAGE_COLUMNS = (
    "interception_id",
    "id",
    "provider_response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "metadata",
    "created_at",
)
TOOL_COLUMNS = (
    "interception_id",
    "id",
    "provider_response_id",
    "provider_tool_call_id",
    "provider_item_id",
    "tool",
    "kind",
    "input",
    "metadata",
    "created_at",
    "initiator_id",
)
THOUGHT_COLUMNS = ("interception_id", "id", "content", "metadata", "created_at")
SESSION_COLUMNS = (
    "id",
    "initiator_id",
    "started_at",
    "first_id",
    "client",
    "metadata",
    "ended_at",
    "last_active_at",
    "last_prompt_at",
    "last_prompt_interception_id",
    "interceptions",
    "threads",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
)
FACET_COLUMNS = (
    "session_id",
    "initiator_id",
    "provider",
    "provider_name",
    "model",
    "client",
    "on_behalf_of",
    "first_at",
    "last_at",
    "n",
)


def prompt_row(it: Interception, prompt_id: str, moment: AsMoment) -> Row:
    """In the order of ``PROMPT_COLUMNS``."""
    return it.id, prompt_id, clean(it.prompt or ""), "{}", moment(it.started_at)


def end_row(ended: Ended, moment: AsMoment) -> Row:
    """In the order of ``END_COLUMNS``."""
    end = ended.end
    hint = end.credential_hint
    return (
        moment(ended.ended_at),
        end.ending.value,
        end.http_status,
        end.error_type.value if end.error_type else None,
        cut(end.error_message, _ERROR_BYTES) or None,
        moment(end.first_byte_at) if end.first_byte_at else None,
        clean(hint)[:_HINT] if hint is not None else None,
        ended.interception.id,
    )


def usage_row(it: Interception, stamped: Stamped, usage: Usage, moment: AsMoment) -> Row:
    """In the order of ``USAGE_COLUMNS``."""
    return (
        it.id,
        stamped.id,
        clean(usage.response_id),
        whole(usage.input),
        whole(usage.output),
        whole(usage.cache_read),
        whole(usage.cache_write),
        json_text({name: whole(count) for name, count in usage.extra.items()}) if usage.extra else "{}",
        moment(stamped.created_at),
    )


def tool_row(it: Interception, stamped: Stamped, call: ToolCall, moment: AsMoment) -> Row:
    """In the order of ``TOOL_COLUMNS``."""
    return (
        it.id,
        stamped.id,
        clean(call.response_id),
        call_key(call.call_id) or None,
        clean(call.item_id),
        clean(call.tool),
        clean(call.kind),
        clean(call.input),
        "{}",
        moment(stamped.created_at),
        it.initiator_id,
    )


def thought_row(it: Interception, stamped: Stamped, thought: Thought, moment: AsMoment) -> Row:
    """In the order of ``THOUGHT_COLUMNS``."""
    source = "{}" if not thought.source else json_text({"source": thought.source})
    return it.id, stamped.id, clean(thought.text), source, moment(stamped.created_at)


def clean(value: str) -> str:
    """Replace what no database takes: U+0000 and lone surrogates."""
    if "\0" in value:
        value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def cut(value: str, limit: int) -> str:
    """Return *value*, cleaned, in at most *limit* bytes of UTF-8."""
    value = clean(value)
    if len(value) * 4 <= limit or len(encoded := value.encode()) <= limit:
        return value
    return encoded[:limit].decode(errors="ignore")


def whole(count: int) -> int:
    """Return *count* as a number that fits and adds up."""
    return min(max(int(count), 0), _MOST)


def json_text(value: Mapping[str, Any]) -> str:
    """Return compact JSON, with text as it is."""
    if not value:
        return "{}"
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeError, OverflowError):  # lone surrogates: the standard library takes them
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
