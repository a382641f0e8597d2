"""Documents of usage, retention and erasure, as far as the command line reads them."""

from coderai.cli.shapes import Document, Person, Tokens


class Due(Document, frozen=True):
    """Rows that are too old, or that went."""

    interceptions: int = 0
    user_prompts: int = 0
    token_usages: int = 0
    tool_usages: int = 0
    model_thoughts: int = 0
    api_keys: int = 0
    audit_logs: int = 0

    @property
    def records(self) -> int:
        """Rows of exchanges with all that belongs to them."""
        return sum((self.interceptions, self.user_prompts, self.token_usages, self.tool_usages, self.model_thoughts))

    @property
    def total(self) -> int:
        """All rows."""
        return self.records + self.api_keys + self.audit_logs

    def __add__(self, other: "Due") -> "Due":
        return Due(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Retention(Document, frozen=True):
    configured: bool = False
    ai_records: str = "0"
    api_keys: str = "0"
    audit_logs: str = "0"
    oldest_record: str | None = None
    due: Due = Due()


class RetentionRun(Document, frozen=True):
    deleted: Due = Due()
    left: int = 0


class Emptied(Document, frozen=True):
    interceptions: int = 0
    user_prompts: int = 0
    tool_usages: int = 0
    model_thoughts: int = 0

    def __add__(self, other: "Emptied") -> "Emptied":
        return Emptied(*(getattr(self, name) + getattr(other, name) for name in self.__struct_fields__))


class Erasure(Document, frozen=True):
    user_id: str = ""
    username: str = ""
    erased: Emptied = Emptied()
    done: bool = False
    running: int = 0


class UsageGroup(Document, frozen=True):
    """Beside the sums, a value for each dimension that was asked for."""

    user: Person = Person()
    provider: str = ""
    model: str = ""
    client: str = ""
    day: str = ""
    hour: str = ""
    interceptions: int = 0
    token_usage_summary: Tokens = Tokens()


class UsageSummary(Document, frozen=True):
    by: tuple[str, ...] = ()
    count: int = 0
    groups: tuple[UsageGroup, ...] = ()
    total: UsageGroup = UsageGroup()


class UsageStretch(Document, frozen=True):
    """An hour or a day; without a start all of them."""

    start: str = ""
    interceptions: int = 0
    errors: int = 0
    users: int = 0
    sessions: int = 0
    token_usage_summary: Tokens = Tokens()


class UsageSeries(Document, frozen=True):
    buckets: tuple[UsageStretch, ...] = ()
    total: UsageStretch = UsageStretch()


class ToolCalls(Document, frozen=True):
    tool: str = ""
    calls: int = 0


class ToolUsage(Document, frozen=True):
    count: int = 0
    tools: tuple[ToolCalls, ...] = ()
    total: int = 0


class FirstByte(Document, frozen=True):
    p50: int = 0
    p95: int = 0


class LastError(Document, frozen=True):
    at: str = ""
    ending: str = ""
    http_status: int | None = None
    message: str = ""


class KeyState(Document, frozen=True):
    number: int = 0
    state: str = ""
    until: str | None = None


class Circuit(Document, frozen=True):
    model: str = ""
    state: str = ""


class ProviderHealth(Document, frozen=True):
    name: str = ""
    state: str = ""
    reason: str = ""
    requests: int = 0
    errors: int = 0
    first_byte_ms: FirstByte | None = None
    last_error: LastError | None = None
    keys: tuple[KeyState, ...] = ()
    circuits: tuple[Circuit, ...] = ()


class ProvidersHealth(Document, frozen=True):
    capped: bool = False
    providers: tuple[ProviderHealth, ...] = ()
