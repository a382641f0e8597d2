"""The central keys of one provider instance: which may be tried now, in which order."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from coderai.access.credentials import mask
from coderai.durations import go_form
from coderai.errors import KeysExhausted

REFUSALS: Final = frozenset({401, 402, 429})
"""Statuses that are about the key, so that another one may do: wrong, out of money, asked too often. Not 403: that is
about what the caller wants (a model, a region), and would take every key out one by one."""
_REASONS: Final = {401: "unauthorized", 402: "payment_required", 429: "rate_limited"}
COOL_DOWN_SECONDS: Final = 60.0
"""Where the provider does not say how long."""
LONGEST_SECONDS: Final = 3600.0
"""As long as a provider's word is believed; a header with a wrong unit must not take a key out for weeks."""
SESSIONS: Final = 10_000
"""Remembered at most, those that were not heard of for longest go first."""

AUTHENTICATION: Final = "all configured keys failed authentication. Contact your Administrator"
RATE_LIMITED: Final = "all configured keys are rate-limited"


@dataclass(frozen=True, slots=True)
class Key:
    """One central key."""

    text: str = field(repr=False)
    hint: str
    """Masked."""


@dataclass(frozen=True, slots=True)
class _CoolDown:
    until: float
    waiting_helps: bool
    """False: the key itself was refused."""


class KeyPool:
    """Keys in configured order; every request starts at the first that is not cooling down.

    All state is here, in memory, shared by everybody who calls the instance; it goes with the pool.
    """

    def __init__(self, keys: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = tuple(Key(key, mask(key)) for key in keys)
        self._texts = tuple(keys)
        self._clock = clock
        self._cooling: dict[Key, _CoolDown] = {}
        self.cooled: Counter[str] = Counter(dict.fromkeys(_REASONS.values(), 0))
        """How often a key that could be used began to cool down, by reason."""
        self.exhaustions: Counter[str] = Counter(rate_limited=0, auth_failed=0)
        """How often no key was left, by what the caller was told."""
        self._sessions: OrderedDict[str, Key] = OrderedDict()
        """Only the sessions that do not work with the first key: the others need no memory."""

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key, whatever its state: to be looked for where it must not turn up."""
        return self._texts

    def walk(self, session: str | None) -> Iterator[Key]:
        """Yield each key that may be tried, the one that serves *session* first; judged when it is asked for.

        A session stays with its key while that works, because a provider's prompt cache belongs to the key's account.
        """
        own = self._sessions.get(session) if session is not None and self._sessions else None
        if own is not None and self._usable(own):
            yield own
        for key in self._keys:
            if key is not own and self._usable(key):
                yield key

    def worked(self, key: Key, session: str | None) -> None:
        """Remember that *key* serves *session*."""
        if session is None:
            return
        if key is not self._keys[0]:
            self._sessions[session] = key
            self._sessions.move_to_end(session)
            if len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
        elif self._sessions:
            self._sessions.pop(session, None)

    def failed(self, key: Key, status: int, retry_after: float | None) -> None:
        """Take notice of an answer for *key*: the statuses of REFUSALS let it cool down, others do nothing.

        *retry_after* is in seconds, None or not above 0 when the provider did not say. A later moment is never brought
        forward. The only key does not cool down for an unnamed time because it was asked too often: the provider may
        grant in a second what we would refuse for a minute, and there is no other key to turn to.
        """
        if status not in REFUSALS:
            return
        told = retry_after is not None and 0 < retry_after < math.inf
        if not told and status != 401 and len(self._keys) == 1:
            return
        seconds = retry_after if told and retry_after is not None and status != 401 else COOL_DOWN_SECONDS
        until = self._clock() + min(seconds, LONGEST_SECONDS)
        before = self._cooling.get(key)
        if self._usable(key):
            self.cooled[_REASONS[status]] += 1
        if before is None or before.until < until:
            self._cooling[key] = _CoolDown(until, status != 401)

    def exhausted(self) -> KeysExhausted:
        """Return the error for a walk that found no usable key."""
        error = self._exhausted()
        self.exhaustions["rate_limited" if error.status == 429 else "auth_failed"] += 1
        return error

    def count_usable(self) -> int:
        """Return how many keys may be tried now."""
        return sum(map(self._usable, self._keys))

    def states(self) -> Iterator[tuple[Key, float, str]]:
        """Yield every key in order, for how many seconds it still cools down (0 when it may be used), and why."""
        now = self._clock()
        for key in self._keys:
            cooling = self._cooling.get(key)
            if cooling is None or cooling.until <= now:
                yield key, 0.0, ""
            else:
                yield key, cooling.until - now, "limited" if cooling.waiting_helps else "refused"

    def _exhausted(self) -> KeysExhausted:
        if any(self._usable(key) for key in self._keys):  # one has come back since
            return KeysExhausted(RATE_LIMITED, 429)
        cooling = self._cooling.values()
        if not any(each.waiting_helps for each in cooling):
            return KeysExhausted(AUTHENTICATION, 502)
        seconds = math.ceil(min(each.until for each in cooling) - self._clock())
        text = f"{RATE_LIMITED} (retry after {go_form(timedelta(seconds=seconds))})"
        return KeysExhausted(text, 429, max(seconds, 1))

    def _usable(self, key: Key) -> bool:
        if not self._cooling:
            return True
        cooling = self._cooling.get(key)
        if cooling is None:
            return True
        if cooling.until > self._clock():
            return False
        del self._cooling[key]
        return True
