"""Which instances the data plane serves: those of the configuration and those of the database, kept current."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from coderai.control.configured import CONFIG
from coderai.control.providers import Kept, ProviderControl
from coderai.errors import BadSettings, CoderaiError
from coderai.observe import logs
from coderai.providers.registry import Instance, Registry, build
from coderai.settings import ProviderConfig
from coderai.settings.drafts import Draft, finish
from coderai.store.providers import TOPIC
from coderai.store.watching import EVERYTHING

log = logs.get("providers")

API: Final = "api"


class Served:
    """Puts the instances in force. A reload that fails leaves those that are there; running exchanges keep theirs."""

    def __init__(
        self,
        providers: ProviderControl,
        configured: Sequence[ProviderConfig],
        registry: Registry,
        *,
        allow_byok: bool,
    ) -> None:
        self._providers = providers
        self._configured = tuple(configured)
        self._registry = registry
        self._allow_byok = allow_byok
        self._turn = asyncio.Lock()  # what was read first must not be put in force last
        self.reloaded_at = 0.0
        """When the providers were last read anew, as a Unix time; ``succeeded_at``: when that worked."""
        self.succeeded_at = 0.0

    async def reload(self) -> None:
        """Read the providers anew. Raises StoreUnavailable, StoreUnusable; nothing has changed then."""
        async with self._turn:
            self.reloaded_at = time.time()
            kept = [each for each in await self._providers.all() if each.provider.source != CONFIG]
            instances = [build(config, allow_byok=self._allow_byok) for config in self._configured]
            instances += [instance_of(each, allow_byok=self._allow_byok) for each in kept]
            self._registry.replace(instances)
            self.succeeded_at = self.reloaded_at

    async def refresh(self) -> None:
        """Read them anew at once; when that fails, the old ones stay."""
        try:
            await self.reload()
        except CoderaiError as error:
            log.error("providers not reloaded, the old ones stay", reason=str(error))

    async def follow(self, changes: AsyncIterator[frozenset[str]]) -> None:
        """Run beside the server, for ever. *changes* is ``Store.changes()``."""
        async for topics in changes:
            if topics == EVERYTHING or TOPIC in topics:
                await self.refresh()


def instance_of(kept: Kept, *, allow_byok: bool) -> Instance:
    """Return the instance for a provider of the database, whatever its state."""
    try:
        [config] = finish([_draft(kept)])
        instance = build(config, allow_byok=allow_byok)
    except BadSettings as error:  # it was right when it was written; rules may have become stricter since
        provider = kept.provider
        instance = Instance(provider.name, provider.type, provider.base_url, None, state="error", reason=str(error))
    return instance if kept.provider.enabled else replace(instance, state="disabled")


def _draft(kept: Kept) -> Draft:
    """The same rules fill in what was left out as for a provider of the configuration."""
    provider, settings = kept.provider, kept.bedrock or {}

    def listed(name: str) -> list[str] | None:
        return [settings[name]] if settings.get(name) else None

    return Draft(
        where=f"provider {provider.name}",
        source=API,
        type=provider.type,
        name=provider.name,
        base_url=provider.base_url,
        keys=[key.text for key in kept.keys] or None,
        bedrock_region=settings.get("region", ""),
        bedrock_access_keys=listed("access_key"),
        bedrock_access_key_secrets=listed("access_key_secret"),
        bedrock_model=settings.get("model", ""),
        bedrock_small_fast_model=settings.get("small_fast_model", ""),
        bedrock_role_arn=settings.get("role_arn", ""),
        bedrock_external_id=settings.get("external_id", ""),
        bedrock_protocol=settings.get("protocol", ""),
    )
