"""The answers about usage, retention and erasure as types."""

from typing import Literal, NotRequired

from coderai.api.documents import Document, Moment, Person, Tokens


class Due(Document):
    interceptions: int
    user_prompts: int
    token_usages: int
    tool_usages: int
    model_thoughts: int
    api_keys: int
    audit_logs: int


class Retention(Document):
    """Ages as durations; `0` keeps for ever."""

    configured: bool
    ai_records: str
    api_keys: str
    audit_logs: str
    oldest_record: Moment | None
    due: Due


class RetentionRun(Document):
    deleted: Due
    left: int


class Emptied(Document):
    interceptions: int
    user_prompts: int
    tool_usages: int
    model_thoughts: int


class Erasure(Document):
    user_id: str
    username: str
    erased: Emptied
    done: bool
    running: int


class UsageGroup(Document):
    """Beside the sums, a member for each dimension that was asked for."""

    user: NotRequired[Person | None]
    provider: NotRequired[str | None]
    model: NotRequired[str | None]
    client: NotRequired[str | None]
    day: NotRequired[str | None]
    hour: NotRequired[str | None]
    interceptions: int
    errors: int
    token_usage_summary: Tokens


class UsageSummary(Document):
    by: list[str]
    count: int
    groups: list[UsageGroup]
    total: UsageGroup


class UsageStretch(Document):
    """`sessions` are those that began; errors are endings that are the provider's or the gateway's fault."""

    interceptions: int
    errors: int
    users: int
    sessions: int
    token_usage_summary: Tokens


class UsageBucket(UsageStretch):
    start: Moment


class UsageSeries(Document):
    interval: Literal["hour", "day"]
    started_after: Moment
    started_before: Moment
    buckets: list[UsageBucket]
    total: UsageStretch


class ToolCalls(Document):
    tool: str
    calls: int


class ToolUsage(Document):
    count: int
    tools: list[ToolCalls]
    total: int
