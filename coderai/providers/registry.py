"""The provider instances in force. Running exchanges keep the instance they started with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import urlsplit

from coderai.errors import BadSettings
from coderai.kinds import KINDS
from coderai.providers.anthropic import ANTHROPIC, BEDROCK
from coderai.providers.azure import AZURE_AUTH, completed, is_azure
from coderai.providers.copilot import COPILOT
from coderai.providers.dialect import Dialect
from coderai.providers.family import Auth, Family
from coderai.providers.keys import KeyPool
from coderai.providers.openai import OPENAI
from coderai.settings import ProviderConfig

FAMILIES: Final = {family.name: family for family in (OPENAI, ANTHROPIC, COPILOT)}

_CHATGPT: Final = "chatgpt.com"
"""Codex' backend for people who signed in with their subscription."""

DOUBLED: Final = "the base URL ends in /v1, which is part of every call as well: leave it out unless that is meant"

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
    """One raw parameter that is added to calls in which the client did not send it: ``api-version=...``."""
    dialect: Dialect | None = None
    """Set when requests and answers have to be translated."""

    def url(self, path: str, query: str) -> str:
        """Return the provider's address for a route path (design: exactly one slash between) and a raw query."""
        if self.query and not _sent(query, self.query.partition("=")[0]):
            query = f"{query}&{self.query}" if query else self.query
        return f"{self.base_url}{path}?{query}" if query else self.base_url + path

    @property
    def auth(self) -> Auth:
        """Where a central key goes. Only for instances with a family."""
        assert self.family is not None
        return self.own_auth or self.family.auth

    @property
    def has_central(self) -> bool:
        """Whether calls can go with a key or credentials that everybody shares."""
        return len(self.keys) > 0 or self.dialect is not None

    @property
    def takes_own(self) -> bool:
        """Whether calls can go with the caller's own credential; not where the gateway signs them."""
        return self.dialect is None


class Registry:
    """Looks instances up by route segment; the whole set is replaced at once."""

    def __init__(self, instances: Iterable[Instance] = ()) -> None:
        self._by_name: dict[str, Instance] = {}
        self.revision = 0
        """Grows with every change: for those who derive something from the set."""
        self.replace(instances)

    def replace(self, instances: Iterable[Instance]) -> None:
        """Put a new set in force for everything that starts from now on; keys that stay keep their cool-down."""
        self._by_name = {instance.name: self._with_known_keys(instance) for instance in instances}
        self.revision += 1

    def _with_known_keys(self, instance: Instance) -> Instance:
        known = self._by_name.get(instance.name)
        if known is None or known.keys.secrets != instance.keys.secrets:
            return instance
        return replace(instance, keys=known.keys)

    def find(self, name: str) -> Instance | None:
        """Return the instance with that route segment, whatever its state."""
        return self._by_name.get(name)

    def all(self) -> Sequence[Instance]:
        """Return every instance in configured order."""
        return tuple(self._by_name.values())


def _sent(query: str, name: str) -> bool:
    return any(part.partition("=")[0] == name for part in query.split("&"))


def build(config: ProviderConfig, *, allow_byok: bool) -> Instance:
    """Return the instance for a configured provider; what cannot work is in state ``error`` and says why."""
    family = FAMILIES[KINDS[config.type].family]
    base_url, _, query = config.base_url.partition("?")
    base_url = base_url.rstrip("/")
    azure = family is OPENAI and (config.type == "azure" or is_azure(base_url))
    instance = Instance(
        name=config.name,
        type=config.type,
        base_url=completed(base_url) if azure else base_url,
        family=family,
        keys=KeyPool(config.keys),
        source=config.source,
        own_auth=AZURE_AUTH if azure else None,
        query=query,
    )
    try:
        if config.bedrock is not None:
            from coderai.providers.bedrock import dialect_for  # only where it is used: it takes memory

            return replace(instance, family=BEDROCK, dialect=dialect_for(config.name, config.bedrock, base_url))
        _check(instance, family, allow_byok=allow_byok)
    except BadSettings as error:
        return replace(instance, state="error", reason=str(error))
    if family is ANTHROPIC and base_url.endswith("/v1"):
        return replace(instance, reason=DOUBLED)
    return instance


def _check(instance: Instance, family: Family, *, allow_byok: bool) -> None:
    """Raise BadSettings for an instance that no call can succeed with."""
    keys = len(instance.keys)
    if instance.type == "bedrock":
        raise BadSettings("type bedrock needs Bedrock settings, for example a region")
    if family.own_credential_only and not allow_byok:
        raise BadSettings("only users' own credentials work there, and they are off (--aibridge-allow-byok=false)")
    if not keys and not allow_byok:
        raise BadSettings("no key, and users may not bring their own (--aibridge-allow-byok=false)")
    if keys and urlsplit(instance.base_url).hostname == _CHATGPT:
        raise BadSettings(f"{_CHATGPT} takes no key, only the users' own sign-in; remove the key")
