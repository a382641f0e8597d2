"""Every error that crosses a module border.

::

    CoderaiError
    ├── Invalid                  input that the caller can mend; may carry (field, detail) pairs
    │   ├── Unsupported          a form of input that we do not know
    │   └── BadSettings          the same, found while starting: flags, environment, YAML
    ├── TooLarge                 more bytes than allowed
    ├── NotSignedIn              no token, or one that does not work (any more)
    ├── Forbidden                signed in, but not allowed
    ├── Busy                     a limit of ours is reached; says when to come back
    ├── NotFound                 no such thing, or not for this caller
    ├── Conflict                 the name is taken, or the thing is not in the right state
    ├── StoreError
    │   ├── StoreUnavailable     locked, full, gone: passes by itself or by an operator's hand
    │   └── StoreUnusable        not ours, or made by a newer version: the server must not start
    ├── UpstreamError
    │   ├── Unreachable          no HTTP answer at all
    │   ├── BrokenOff            the connection ended in the middle of an answer
    │   ├── NotSwitched          it did not take a WebSocket; over HTTP it says why, or works
    │   ├── CircuitOpen          not called: it failed too often just now
    │   └── KeysExhausted        not called (again): every central key is cooling down
    └── ServerUnreachable        the command line found no server at the address

Only the edges turn these into statuses and exit codes (``api/errors.py``, ``gateway/refusals.py``, ``cli/errors.py``).
"""

from collections.abc import Sequence


class CoderaiError(Exception):
    """Has a text for people as its only argument; never a secret, never a prompt."""


class Invalid(CoderaiError):
    """Input that the caller can mend."""

    def __init__(self, message: str, validations: Sequence[tuple[str, str]] = (), detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.validations = tuple(validations)
        """Pairs of (field, what is wrong with it and what would be right)."""
        self.detail = detail


class Unsupported(Invalid):
    """Input in a form that we do not know, for example a content encoding."""


class BadSettings(Invalid):
    """The server cannot start with these flags, variables or YAML; the text names the source and the value."""


class TooLarge(CoderaiError):
    """More bytes than allowed."""


class NotSignedIn(CoderaiError):
    """No token, or one that does not work; the text is the reason, in words for the token's owner."""


class Forbidden(CoderaiError):
    """Signed in, but not allowed."""


class Busy(CoderaiError):
    """A limit of ours is reached."""

    def __init__(self, message: str, status: int, retry_after: int = 1) -> None:
        super().__init__(message)
        self.status = status
        """429 for a rate, 503 for capacity."""
        self.retry_after = retry_after
        """Seconds."""


class NotFound(CoderaiError):
    """No such thing, or not for this caller: the two are never told apart."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name!r}")
        self.kind = kind
        self.name = name


class Conflict(CoderaiError):
    """The name is taken, or the thing is not in the right state."""

    def __init__(self, message: str, validations: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.validations = tuple(validations)


class StoreError(CoderaiError):
    """Anything about the database."""


class StoreUnavailable(StoreError):
    """Locked, full or gone for the moment."""


class StoreUnusable(StoreError):
    """A database that is not ours or too new: starting would do harm."""


class UpstreamError(CoderaiError):
    """Something about a provider's side of a call."""


class Unreachable(UpstreamError):
    """No HTTP answer: refused, reset, no such host, TLS trouble, too slow. Names host and port, never a secret."""


class BrokenOff(UpstreamError):
    """The provider's connection ended in the middle of an answer."""


class NotSwitched(UpstreamError):
    """The provider did not take a WebSocket. Over HTTP it will say why, or work."""


class CircuitOpen(UpstreamError):
    """The provider failed too often just now, so it is left alone for a while."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds."""


class KeysExhausted(UpstreamError):
    """Every central key of the instance is cooling down."""

    def __init__(self, message: str, status: int, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        """What the caller gets: 429 when waiting helps, 502 when the keys do not work."""
        self.retry_after = retry_after
        """Seconds; None when nobody can say."""


class ServerUnreachable(CoderaiError):
    """The command line found no server at the address."""
