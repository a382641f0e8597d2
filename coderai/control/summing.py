"""The job that keeps the roll-up of usage up to date: every minute, without pause while there is much to do."""

import asyncio
from typing import Final

from coderai.errors import StoreError
from coderai.observe import logs
from coderai.store.engine import Store
from coderai.store.hours import settle

log = logs.get("usage")

_EVERY: Final = 60.0
_REST: Final = 0.02
"""Between two steps: whoever waits for a commit goes first."""


async def keep_summed(store: Store, *, every: float = _EVERY) -> None:
    """Run beside the server, for ever. A round that fails is logged; the next one tries again."""
    while True:
        more = False
        try:
            more = await settle(store)
        except StoreError as error:
            log.warning("usage could not be summed up", reason=str(error))
        await asyncio.sleep(_REST if more else every)
