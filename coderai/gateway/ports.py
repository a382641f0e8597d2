"""What the data plane needs from the rest of the program, as Protocols. ``control`` and ``recorder`` fulfil them."""

from typing import Protocol

from coderai.access.callers import Caller
from coderai.records import End, Interception


class Authority(Protocol):
    """Knows the gateway tokens."""

    async def identify(self, token: str) -> Caller:
        """Return who owns *token*.

        Raises NotSignedIn (with the reason) for a token that does not work, Forbidden when its scopes do not allow
        the data plane, StoreUnavailable when nobody can tell.
        """
        ...

    async def person(self, named: str) -> str:
        """Return the id of the user with that id or name; *named* itself, a UUID in its usual form, for a stranger.

        Raises StoreUnavailable when nobody can tell.
        """
        ...

    async def personal_key(self, user_id: str, provider: str) -> str | None:
        """Return the key that a user has saved for the provider of that name; None when there is none.

        Raises NotSignedIn for one that is there and cannot be read, StoreUnavailable when nobody can tell.
        """
        ...


class Recorder(Protocol):
    """Keeps the audit trail. See ``recorder.Recorder``."""

    async def begin(self, interception: Interception) -> None:
        """Return when the start and its prompt are durable. Raises StoreUnavailable after a bounded wait."""
        ...

    def saw_call(self, interception: Interception, call_id: str) -> None:
        """Remember that this running exchange asked for a tool, so that a follower can be linked before the end."""
        ...

    async def end(self, interception: Interception, end: End) -> None:
        """Return when the records are durable; queued before the first await, so a cancelled caller loses nothing.

        Raises StoreUnavailable after a bounded wait; the records then stay queued and are stored when it is back.
        """
        ...
