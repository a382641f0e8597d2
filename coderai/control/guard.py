"""How often somebody may try a password."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from coderai.access.rates import Rate
from coderai.errors import Busy

PER_ADDRESS: Final = 60
PER_ACCOUNT: Final = 20
"""Tries per minute. An account's is lower: a crowd of addresses must not guess any faster."""


@dataclass(slots=True)
class Guard:
    """Counts tries, right or wrong, before the password is looked at."""

    by_address: Rate = field(default_factory=lambda: Rate(PER_ADDRESS))
    by_account: Rate = field(default_factory=lambda: Rate(PER_ACCOUNT))
    clock: Callable[[], float] = time.monotonic

    def count_address(self, address: str) -> None:
        """Raises Busy."""
        self._refuse(self.by_address.take(address, self.clock()))

    def count_account(self, account: str) -> None:
        """*account* is an id, or a name that nobody has. Raises Busy."""
        self._refuse(self.by_account.take(account.lower(), self.clock()))

    def _refuse(self, wait: int) -> None:
        if wait:
            raise Busy(f"too many attempts to sign in; the next one can be made in {wait} s", 429, wait)
