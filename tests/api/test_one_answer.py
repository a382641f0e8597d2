"""What availability says and what the data plane does is the same: which credential a call would go with."""

from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from coderai.control.availability import InForce
from coderai.errors import NotSignedIn
from coderai.gateway.credentials import choose, saved
from coderai.providers.registry import Registry, build
from coderai.settings.provider import BedrockConfig, ProviderConfig
from coderai.store.engine import Store
from coderai.store.providers import Provider
from tests.store.building import NOON

BEDROCK = BedrockConfig("eu-west-1", "", ("AKIA",), ("secret",))
CONFIGS: Sequence[ProviderConfig] = (
    ProviderConfig("openai", "keyed", "https://ai.example.com/v1", ("sk-central",)),
    ProviderConfig("openai", "keyless", "https://ai.example.com/v1"),
    ProviderConfig("anthropic", "claude", "https://ai.example.com", ("sk-central",)),
    ProviderConfig("bedrock", "amazon", "", bedrock=BEDROCK),
    ProviderConfig("copilot", "copilot", "https://copilot.example.com"),
)


class Everywhere:
    """Somebody who has, or has not, saved a key for every provider."""

    def __init__(self, *, has: bool) -> None:
        self._has = has

    async def saved(self, db: AsyncConnection, user_id: str) -> frozenset[str]:
        return frozenset(config.name for config in CONFIGS) if self._has else frozenset()


@pytest.fixture
def dialect() -> str:
    return "sqlite"


def of_the_data_plane(config: ProviderConfig, *, has: bool, byok: bool) -> str:
    instance = build(config, allow_byok=byok)
    own = saved(instance, "sk-personal") if has and byok and instance.takes_own else None
    try:
        credential = choose(instance, own, allow_byok=byok)
    except NotSignedIn:
        return ""
    return "personal" if credential.kind == "byok" else "central"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("has", [False, True], ids=["no key", "a key"])
@pytest.mark.parametrize("byok", [False, True], ids=["byok off", "byok on"])
async def test_the_same_answer(store: Store, config: ProviderConfig, has: bool, byok: bool):
    registry = Registry([build(config, allow_byok=byok)])
    row = Provider(config.name, config.type, config.name, config.base_url, NOON, NOON)
    async with store.reading() as db:
        found = await InForce(registry, allow_byok=byok, personal=Everywhere(has=has)).usable(db, "u", [row])
    usable = found[row.id]
    goes_with = "personal" if usable.personal else "central" if usable.central else ""
    assert goes_with == of_the_data_plane(config, has=has, byok=byok)
