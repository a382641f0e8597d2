"""What all relayed WebSockets of a process share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from coderai.gateway.ledger import Ledger
from coderai.gateway.limits import Limits
from coderai.gateway.watch import Watch
from coderai.gateway.websocket_turns import Sessions
from coderai.observe.timeline import Observer
from coderai.providers.breaker import Breakers

if TYPE_CHECKING:
    from coderai.gateway.dump import Dumps


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds."""

    handshake: float = 10.0
    """For the provider, with all keys that are tried. Tools wait 15 s, and shall hear from us to go on without."""
    ping: float = 30.0
    """Between two signs of life; a side that gave none since the last ping is taken for gone."""
    idle: float = 3600.0
    """Without a request. The providers end a socket after an hour as well."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all sockets of this process share."""

    ledger: Ledger
    watch: Watch
    limits: Limits
    breakers: Breakers | None = None
    pace: Pace = Pace()
    dumps: "Dumps | None" = None
    observers: Sequence[Observer] = ()
    sessions: Sessions = field(default_factory=Sessions)
