"""The authority in force follows its files."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from coderai.errors import BadSettings
from coderai.observe import logs
from coderai.proxy.ca import Authority, Clock, Contexts, utc_now
from coderai.proxy.files import Pair

log = logs.get("proxy")

_EVERY: Final = timedelta(seconds=30)
_REMINDER: Final = timedelta(days=1)


async def keep_renewed(contexts: Contexts, files: Pair, *, every: timedelta = _EVERY, clock: Clock = utc_now) -> None:
    """Load the authority anew when its files change, and warn once a day when it ends soon. Runs until cancelled.

    Files that cannot be used leave the old authority in force, with one warning per change.
    """
    following = Following(contexts, files)
    while True:
        following.look(clock())
        await asyncio.sleep(every.total_seconds())


class Following:
    """One look after the other."""

    def __init__(self, contexts: Contexts, files: Pair) -> None:
        self._contexts = contexts
        self._files = files
        self._seen: tuple[int, ...] | None = None
        """None at first: they may have changed since they were loaded."""
        self._warned: datetime | None = None

    def look(self, now: datetime) -> None:
        """Do what is to be done now."""
        signature = self._signature()
        if signature != self._seen:
            self._seen = signature
            self._reload(now)
        authority = self._contexts.authority
        if authority.ends_soon(now) and (self._warned is None or now - self._warned >= _REMINDER):
            self._warned = now
            log.warning("the interception CA ends soon", file=str(self._files.cert), not_after=str(authority.not_after))

    def _reload(self, now: datetime) -> None:
        try:
            authority = Authority.load(self._files.cert, self._files.key, now=now)
        except BadSettings as error:
            log.warning("the interception CA's files changed and cannot be used: the old one stays", reason=str(error))
            return
        if authority.certificate_pem == self._contexts.authority.certificate_pem:
            return
        self._contexts.replace(authority)
        self._warned = None
        log.info("interception CA reloaded", file=str(self._files.cert), not_after=str(authority.not_after))

    def _signature(self) -> tuple[int, ...]:
        try:
            return self._files.signature()
        except OSError:
            return ()
