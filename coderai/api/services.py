"""What the handlers need of the rest of the program."""

from dataclasses import dataclass, field

from coderai.control.lookup import Lookup
from coderai.control.tokens import Lifetimes, TokenControl
from coderai.control.users import UserControl
from coderai.providers.registry import Registry
from coderai.settings import Settings
from coderai.store.engine import Store


@dataclass(frozen=True, slots=True)
class Gateway:
    """The data plane, as far as people may know about it."""

    registry: Registry = field(default_factory=Registry)
    enabled: bool = False
    allow_byok: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Made once, by the composition."""

    store: Store
    """For the probes; handlers of records and accounts go through the others."""
    lookup: Lookup
    users: UserControl
    tokens: TokenControl
    access_url: str = ""
    """Empty: where the request came to."""
    gateway: Gateway = field(default_factory=Gateway)

    @classmethod
    def over(
        cls, store: Store, *, settings: Settings, lifetimes: Lifetimes, registry: Registry | None = None
    ) -> "Services":
        """Return the services on an open store; without a *registry* there is no data plane beside them."""
        users = UserControl(store)
        return cls(
            store,
            Lookup(store, members_read_own=settings.aibridge_members_can_read_own_sessions),
            users,
            TokenControl(store, users, lifetimes),
            settings.access_url,
            Gateway()
            if registry is None
            else Gateway(registry, settings.aibridge_enabled, settings.aibridge_allow_byok),
        )
