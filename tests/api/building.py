"""Records in the store, as the gateway would have put them there."""

from dataclasses import replace
from typing import Any

from coderai.records import Ended, Ending, ErrorType, Fact, Interception
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


def failed(it: Interception) -> Ended:
    """Its end by an overloaded provider."""
    whole = ended(it, ending=Ending.UPSTREAM_ERROR)
    return replace(
        whole, end=replace(whole.end, error_type=ErrorType.OVERLOADED, error_message="try later", http_status=529)
    )
