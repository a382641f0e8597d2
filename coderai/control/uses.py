"""When tokens and people were seen last: gathered in memory, written once a minute."""

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from coderai.errors import StoreError
from coderai.observe import logs
from coderai.store.engine import Store
from coderai.store.tokens import Tokens
from coderai.store.users import Users

log = logs.get("tokens")

_EVERY: Final = timedelta(minutes=1)
_MOST: Final = 10_000
"""A minute's tokens; of more than that the ones unused for longest are forgotten, which only costs them a minute."""


class Uses:
    """Fulfils ``authority.Noted``. Run ``keep`` beside the server, and ``flush`` at its end."""

    def __init__(self, store: Store, most: int = _MOST) -> None:
        self._store = store
        self._most = most
        self._pending: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    def note(self, token_id: str, user_id: str, moment: datetime) -> None:
        """The token was used. No I/O."""
        self._pending[token_id] = user_id, moment
        self._pending.move_to_end(token_id)
        if len(self._pending) > self._most:
            self._pending.popitem(last=False)

    async def keep(self, every: timedelta = _EVERY) -> None:
        """Write what was gathered, for ever."""
        while True:
            await asyncio.sleep(every.total_seconds())
            await self.flush()

    async def flush(self) -> None:
        """Write what was gathered. When the store cannot take it, it is kept for the next time."""
        taken, self._pending = self._pending, OrderedDict()
        if not taken:
            return
        try:
            await self._write(taken)
        except StoreError as error:
            log.warning("the last use of tokens could not be stored", tokens=len(taken), reason=str(error))
            self._pending = OrderedDict([*taken.items(), *self._pending.items()][-self._most :])

    async def _write(self, taken: OrderedDict[str, tuple[str, datetime]]) -> None:
        people: dict[str, datetime] = {}
        for user_id, moment in taken.values():
            people[user_id] = max(moment, people.get(user_id, moment))
        async with self._store.transaction() as db:  # no topic: no cache has to know
            # In the order of the ids, as every process does it: then none waits for one that waits for it.
            for token_id, (_, moment) in sorted(taken.items()):
                await Tokens(db).used(token_id, moment)
            for user_id, moment in sorted(people.items()):
                await Users(db).seen(user_id, moment)
