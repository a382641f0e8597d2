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
    interceptions: int = 0
    token_usage_summary: Tokens = Tokens()


class UsageSummary(Document, frozen=True):
    by: tuple[str, ...] = ()
    count: int = 0
    groups: tuple[UsageGroup, ...] = ()
    total: UsageGroup = UsageGroup()
