"""The answers about sessions and single exchanges as types."""

from typing import Any, Literal, NotRequired

from coderai.api.documents import Document, Moment, Person, Tokens


class LabelCount(Document):
    name: str
    sessions: int
    sessions_capped: bool


class PersonCount(Person):
    sessions: int
    sessions_capped: bool


class Labels(Document):
    models: list[LabelCount]
    clients: list[LabelCount]
    providers: list[LabelCount]
    initiators: list[PersonCount]


class Session(Document):
    id: str
    initiator: Person
    on_behalf_of: NotRequired[list[Person] | None]
    providers: list[str]
    provider_names: list[str]
    models: list[str]
    client: str
    metadata: dict[str, Any]
    started_at: Moment
    ended_at: NotRequired[Moment | None]
    last_active_at: Moment
    threads: int
    interceptions: int
    token_usage_summary: Tokens
    last_prompt: NotRequired[str | None]
    first_interception_id: str
    running: NotRequired[int | None]


class Sessions(Document):
    count: int
    count_capped: bool
    sessions: list[Session]
    next_cursor: NotRequired[str | None]


class ToolCall(Document):
    id: str
    interception_id: str
    tool: str
    kind: str
    injected: bool
    input: str
    created_at: Moment


class Thought(Document):
    text: str
    source: NotRequired[str | None]


class Failure(Document):
    type: str | None
    message: str


class Step(Document):
    interception_id: str
    model: str
    provider: str
    provider_name: str
    client: str
    api: str
    stream: bool
    user_agent: str
    credential_kind: str
    credential_hint: str
    started_at: Moment
    first_byte_at: NotRequired[Moment | None]
    ended_at: NotRequired[Moment | None]
    http_status: NotRequired[int | None]
    ending: NotRequired[str | None]
    provider_response_ids: list[str]
    prompt: NotRequired[str | None]
    token_usage: Tokens
    thinking: list[Thought]
    tool_calls: list[ToolCall]
    error: NotRequired[Failure | None]
    metadata: dict[str, Any]


class Thread(Document):
    id: str
    prompt: NotRequired[str | None]
    model: str
    provider: str
    credential_kind: str
    credential_hint: str
    started_at: Moment
    ended_at: NotRequired[Moment | None]
    token_usage: Tokens
    steps: list[Step]
    found: NotRequired[list[str] | None]
    error_type: NotRequired[str | None]
    error_message: NotRequired[str | None]


class SearchResult(Document):
    threads: int
    steps: int
    capped: bool


class SessionDetail(Document):
    id: str
    initiator: Person
    on_behalf_of: NotRequired[list[Person] | None]
    providers: list[str]
    provider_names: list[str]
    models: list[str]
    client: NotRequired[str | None]
    metadata: dict[str, Any]
    started_at: Moment
    ended_at: NotRequired[Moment | None]
    last_active_at: Moment
    token_usage_summary: Tokens
    thread_count: int
    interception_count: int
    tool_call_count: int
    first_interception_id: str
    threads: list[Thread]
    search: NotRequired[SearchResult | None]
    running: NotRequired[int | None]
    state: NotRequired[Literal["running", "idle", "ended", "interrupted"] | None]


class Usage(Tokens):
    id: str
    interception_id: str
    provider_response_id: str
    metadata: dict[str, Any]
    created_at: Moment


class Prompt(Document):
    id: str
    interception_id: str
    provider_response_id: str
    prompt: str
    metadata: dict[str, Any]
    created_at: Moment


class Interception(Document):
    id: str
    api_key_id: str | None
    initiator: Person
    on_behalf_of: NotRequired[Person | None]
    provider: str
    provider_name: str
    model: str
    client: str
    session_id: str
    metadata: dict[str, Any]
    started_at: Moment
    ended_at: Moment | None
    token_usages: list[Usage]
    user_prompts: list[Prompt]
    tool_usages: list[ToolCall]


class Interceptions(Document):
    count: int
    count_capped: bool
    results: list[Interception]


class ThoughtRow(Document):
    id: str
    interception_id: str
    content: str
    metadata: dict[str, Any]
    created_at: Moment


class WholeInterception(Interception):
    api: str
    user_agent: str
    stream: bool
    client_session_id: str | None
    thread_parent_id: str | None
    thread_root_id: str | None
    credential_kind: str
    credential_hint: str
    http_status: int | None
    first_byte_at: Moment | None
    model_thoughts: list[ThoughtRow]
