"""The provider instances in force. Running exchanges keep the instance they started with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from coderai.kinds import KINDS
from coderai.providers.anthropic import ANTHROPIC
from coderai.providers.dialect import Dialect
from coderai.providers.family import Auth, Family
from coderai.providers.keys import KeyPool
from coderai.providers.openai import OPENAI
from coderai.settings import ProviderConfig

FAMILIES: Final = {family.name: family for family in (OPENAI, ANTHROPIC)}

State = Literal["enabled", "disabled", "error"]


@dataclass(frozen=True, slots=True)
class Instance:
    """One named provider."""

    name: str
    type: str
    base_url: str
    """Without a trailing slash."""
    family: Family | None
    """None only in state ``error``."""
    keys: KeyPool = field(repr=False, default_factory=KeyPool)
    """Central keys; their cool-down is part of it, so one pool lives as long as the instance."""
    state: State = "enabled"
    reason: str = ""
    """Why it is in state ``error``, or a remark for an enabled one."""
    source: str = ""
    own_auth: Auth | None = None
    """Where a central key goes, when that differs from the family's way."""
    query: str = ""
    """Raw query that is added to every call, for example ``api-version=...``."""
    dialect: Dialect | None = None
    """Set when requests and answers have to be translated."""

    def url(self, path: str, query: str) -> str:
        """Return the provider's address for a route path (design: exactly one slash between) and a raw query."""
        query = "&".join(filter(None, (query, self.query))) if self.query else query
        return f"{self.base_url}{path}?{query}" if query else self.base_url + path

    @property
    def auth(self) -> Auth:
        """Where a central key goes. Only for instances with a family."""
        assert self.family is not None
        return self.own_auth or self.family.auth


class Registry:
    """Looks instances up by route segment; the whole set is replaced at once."""

    def __init__(self, instances: Iterable[Instance] = ()) -> None:
        self._by_name: dict[str, Instance] = {}
        self.replace(instances)

    def replace(self, instances: Iterable[Instance]) -> None:
        """Put a new set in force for everything that starts from now on."""
        self._by_name = {instance.name: instance for instance in instances}

    def find(self, name: str) -> Instance | None:
        """Return the instance with that route segment, whatever its state."""
        return self._by_name.get(name)

    def all(self) -> Sequence[Instance]:
        """Return every instance in configured order."""
        return tuple(self._by_name.values())


def build(config: ProviderConfig, *, allow_byok: bool) -> Instance:
    """Return the instance for a configured provider; what cannot work is in state ``error`` and says why."""
    kind = KINDS[config.type]
    family = FAMILIES.get(kind.family)
    base = Instance(
        name=config.name,
        type=config.type,
        base_url=config.base_url.rstrip("/"),
        family=family,
        keys=KeyPool(config.keys),
        source=config.source,
    )
    if not kind.available or config.bedrock is not None or family is None:
        what = "Amazon Bedrock" if config.bedrock is not None else f"type {config.type}"
        return _broken(base, f"{what} is not available yet")
    if not config.keys and not allow_byok:
        return _broken(base, "no key, and users may not bring their own (--aibridge-allow-byok=false)")
    return base


def _broken(base: Instance, reason: str) -> Instance:
    return replace(base, state="error", reason=reason)
