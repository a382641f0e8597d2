"""Which instances the data plane serves: those of the configuration and those of the database, kept current."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from coderai.control.configured import CONFIG
from coderai.control.providers import Kept, ProviderControl
from coderai.errors import CoderaiError
from coderai.observe import logs
from coderai.providers.registry import Instance, Registry, build
from coderai.settings import BedrockConfig, ProviderConfig
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

    async def reload(self) -> None:
        """Read the providers anew. Raises StoreUnavailable, StoreUnusable; nothing has changed then."""
        kept = await self._providers.all()
        instances = [build(config, allow_byok=self._allow_byok) for config in self._configured]
        instances += [instance_of(each, allow_byok=self._allow_byok) for each in kept if each.provider.source != CONFIG]
        self._registry.replace(instances)

    async def follow(self, changes: AsyncIterator[frozenset[str]]) -> None:
        """Run beside the server, for ever. *changes* is ``Store.changes()``."""
        async for topics in changes:
            if topics == EVERYTHING or TOPIC in topics:
                try:
                    await self.reload()
                except CoderaiError as error:
                    log.error("providers not reloaded, the old ones stay", reason=str(error))


def instance_of(kept: Kept, *, allow_byok: bool) -> Instance:
    """Return the instance for a provider of the database, whatever its state."""
    provider = kept.provider
    config = ProviderConfig(
        provider.type,
        provider.name,
        provider.base_url,
        tuple(key.text for key in kept.keys),
        _bedrock(kept),
        API,
        f"provider {provider.name}",
    )
    instance = build(config, allow_byok=allow_byok)
    return instance if provider.enabled else replace(instance, state="disabled")


def _bedrock(kept: Kept) -> BedrockConfig | None:
    settings = kept.bedrock
    if settings is None:
        return None
    return BedrockConfig(
        region=settings.get("region", ""),
        base_url=kept.provider.base_url,
        access_keys=tuple(filter(None, [settings.get("access_key")])),
        access_key_secrets=tuple(filter(None, [settings.get("access_key_secret")])),
        model=settings.get("model", ""),
        small_fast_model=settings.get("small_fast_model", ""),
        role_arn=settings.get("role_arn", ""),
        external_id=settings.get("external_id", ""),
        protocol="mantle" if settings.get("protocol") == "mantle" else "invoke-model",
    )
