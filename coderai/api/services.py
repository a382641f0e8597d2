"""What the handlers need of the rest of the program."""

from dataclasses import dataclass

from coderai.control.lookup import Lookup
from coderai.control.tokens import Lifetimes, TokenControl
from coderai.control.users import UserControl
from coderai.settings import Settings
from coderai.store.engine import Store


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

    @classmethod
    def over(cls, store: Store, *, settings: Settings, lifetimes: Lifetimes) -> "Services":
        """Return the services on an open store."""
        users = UserControl(store)
        return cls(
            store,
            Lookup(store, members_read_own=settings.aibridge_members_can_read_own_sessions),
            users,
            TokenControl(store, users, lifetimes),
            settings.access_url,
        )
