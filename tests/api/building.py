"""Records in the store, as the gateway would have put them there."""

from typing import Any

from coderai.records import Ended, Fact, Interception
from coderai.store.engine import Store
from tests.store.building import begun, ended, interception, usage


async def record(store: Store, user_id: str, minute: float = 0, *facts: Fact, **fields: Any) -> Interception:
    """Record one whole exchange that ended well."""
    it = interception(minute, initiator_id=user_id, **fields)
    await store.records.commit([begun(it)])
    await store.records.commit([end(it, *facts)])
    return it


async def start(store: Store, user_id: str, minute: float = 0, **fields: Any) -> Interception:
    """Record an exchange that goes on."""
    it = interception(minute, initiator_id=user_id, **fields)
    await store.records.commit([begun(it)])
    return it


def end(it: Interception, *facts: Fact) -> Ended:
    """Its end; with some tokens if no facts are given."""
    return ended(it, *(facts or (usage(),)))
