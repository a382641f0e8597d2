"""Who has opened whose records: noted in the audit log, and not again within the hour.

The note is written before the records are shown: what cannot be noted is not shown.
"""

import contextlib
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from coderai.access.callers import Caller
from coderai.control.audit import note
from coderai.errors import NotFound
from coderai.store.audit import AuditLog
from coderai.store.engine import Store
from coderai.store.users import Person, Users

_ONCE_IN: Final = timedelta(hours=1)
_REMEMBERED: Final = 10_000
"""More look-ups ask the database."""
_ID_SHOWN: Final = 64
_Key = tuple[str, str, str]


class Readings:
    """Notes openings of records of others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: OrderedDict[_Key, datetime] = OrderedDict()

    async def session(self, caller: Caller, session_id: str, initiator: Person) -> None:
        """*caller* opens a session. Raises StoreUnavailable."""
        await self._note(caller, session_id, f"{session_id[:_ID_SHOWN]} of {initiator.username}", initiator.id)

    async def list(self, caller: Caller) -> None:
        """*caller* opens a list of whole exchanges. Raises StoreUnavailable."""
        await self._note(caller, "", "list of exchanges", "")

    async def _note(self, caller: Caller, session_id: str, target: str, initiator_id: str) -> None:
        key, at = (caller.user_id, session_id, target), self._store.clock()
        noted = self._noted.get(key)
        if noted is not None and at - noted < _ONCE_IN:
            return
        async with self._store.transaction() as db:
            # Whoever reads is locked, so that another process does not note the same; the local owner may have no row.
            with contextlib.suppress(NotFound):
                await Users(db).get(caller.user_id, lock=True)
            log = AuditLog(db)
            if not await log.has("read", "session", session_id, target, caller.user_id or None, since=at - _ONCE_IN):
                further = {"initiator_id": initiator_id} if initiator_id else None
                await note(db, caller, "read", "session", session_id, target, further=further, clock=lambda: at)
        self._noted[key] = at
        self._noted.move_to_end(key)
        if len(self._noted) > _REMEMBERED:
            self._noted.popitem(last=False)
