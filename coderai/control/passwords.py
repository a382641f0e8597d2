"""Passwords cost 64 MiB and 50 ms each: only so many at a time, and never on the loop."""

import asyncio
import os

from coderai.access import passwords
from coderai.access.passwords import MINIMUM_LENGTH, RECOMMENDED, SALT_LENGTH, Cost
from coderai.errors import Invalid

_AT_ONCE = 2
_LONGEST = 1024


class Passwords:
    """Hashes and compares."""

    def __init__(self, cost: Cost = RECOMMENDED) -> None:
        self._cost = cost
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the text to store."""
        async with self._turns:
            return await asyncio.to_thread(passwords.hash_password, password, os.urandom(SALT_LENGTH), self._cost)

    async def match(self, password: str, stored: str | None) -> bool:
        """Return whether *password* is the one. Without a *stored* one it takes the same time, and it is not."""
        if self._nobodys is None:  # whoever comes first waits for it, known or not
            self._nobodys = await self.hash(os.urandom(SALT_LENGTH).hex())
        async with self._turns:
            return await asyncio.to_thread(passwords.matches, password, stored or self._nobodys)


def check_password(password: str) -> None:
    """Raises Invalid for a password that nobody may choose."""
    if not MINIMUM_LENGTH <= len(password) <= _LONGEST:
        rule = f"must have {MINIMUM_LENGTH} to {_LONGEST} characters"
        raise Invalid("this password cannot be used", [("password", rule)])
