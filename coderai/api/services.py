"""What the handlers need of the rest of the program."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from coderai.access.addresses import trusted_proxies
from coderai.access.rates import Rate
from coderai.api.audience import Audience
from coderai.api.doors import CookieRules, Doors
from coderai.control.accounts import AccountControl
from coderai.control.audit import AuditControl
from coderai.control.availability import InForce
from coderai.control.configured import CONFIG
from coderai.control.erasure import ErasureControl
from coderai.control.guard import Guard
from coderai.control.lookup import Lookup
from coderai.control.models import ModelControl
from coderai.control.overrides import OverrideControl
from coderai.control.passwords import Passwords
from coderai.control.personal_keys import PersonalKeyControl, Saved
from coderai.control.providers import Kept, ProviderControl
from coderai.control.pruning import PruningControl
from coderai.control.served import instance_of
from coderai.control.signing_in import Sessions, SignInControl
from coderai.control.tokens import Lifetimes, TokenControl
from coderai.control.users import UserControl
from coderai.control.vault import Vault
from coderai.gateway.pool import pooling
from coderai.gateway.probe import Probed, probe
from coderai.gateway.upstream import Upstream
from coderai.gateway.watch import Flight
from coderai.providers import breaker
from coderai.providers.registry import Instance, Registry, State
from coderai.records import Interception
from coderai.settings import Settings
from coderai.settings.forms import split_address
from coderai.settings.rendering import Shown
from coderai.store.engine import Store


@dataclass(slots=True)
class ProxyDoor:
    """The intercepting proxy, as far as people may know about it: filled in while it listens."""

    certificate_pem: Callable[[], bytes] | None = None
    """What its clients are to trust; None: there is no proxy."""
    host: str = ""
    """Empty: where the gateway is."""
    port: int = 0
    tls: bool = False
    excluded: Callable[[], Mapping[str, str]] = dict
    """Providers that are reached by the gateway's own URL only, because another one has their base URL: that one."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The data plane, as far as people may know about it."""

    registry: Registry = field(default_factory=Registry)
    enabled: bool = False
    allow_byok: bool = False
    upstream: Upstream | None = None
    """None without a data plane; probes then connect on their own."""
    refresh: Callable[[], Awaitable[None]] | None = None
    """Puts changed providers in force; other processes see them by themselves."""
    proxy: ProxyDoor = field(default_factory=ProxyDoor)
    flights: Callable[[], Iterable[tuple[Interception, Flight]]] = tuple
    """What this process carries."""
    circuits: Callable[[], Iterable[tuple[breaker.Name, breaker.State]]] = tuple
    """Those that are not simply closed."""

    def instance(self, kept: Kept) -> Instance:
        """Return what is made of a provider, with its state; of those of the configuration only a server knows more."""
        provider = kept.provider
        if provider.source != CONFIG:
            return instance_of(kept, allow_byok=self.allow_byok)
        running = self.registry.find(provider.name)
        state: State = "enabled" if provider.enabled else "disabled"
        return running or Instance(provider.name, provider.type, provider.base_url, None, state=state)

    async def changed(self) -> None:
        """Serve changed providers from now on, not only once the change has come round."""
        if self.refresh is not None:
            await self.refresh()

    async def probe(self, instance: Instance) -> Probed:
        """See ``gateway.probe``."""
        if self.upstream is not None:
            return await probe(self.upstream, instance)
        async with pooling() as pool:
            return await probe(Upstream(pool), instance)


@dataclass(frozen=True, slots=True)
class Services:
    """Made once, by the composition."""

    store: Store
    """For the probes; handlers of records and accounts go through the others."""
    lookup: Lookup
    users: UserControl
    tokens: TokenControl
    accounts: AccountControl
    sign_in: SignInControl
    audit: AuditControl
    providers: ProviderControl
    models: ModelControl
    overrides: OverrideControl
    personal_keys: PersonalKeyControl
    pruning: PruningControl
    erasure: ErasureControl
    access_url: str = ""
    """Empty: where the request came to."""
    doors: Doors = field(default_factory=Doors)
    cookies: CookieRules = field(default_factory=CookieRules)
    gateway: Gateway = field(default_factory=Gateway)
    audience: Audience = field(default_factory=Audience)
    deployment: Callable[[], Sequence[Shown]] = tuple
    """The settings in force with their sources; nothing without a server."""

    @classmethod
    def over(
        cls,
        store: Store,
        *,
        settings: Settings,
        lifetimes: Lifetimes,
        vault: Vault | None = None,
        gateway: Gateway | None = None,
        passwords: Passwords | None = None,
    ) -> "Services":
        """Return the services on an open store; without a *gateway* there is no data plane beside them.

        Raises BadSettings.
        """
        passwords, guard = passwords or Passwords(), Guard()
        users = UserControl(store, passwords=passwords)
        accounts = AccountControl(store, users, passwords, guard)
        limits = settings if gateway is not None else None  # the settings of whoever serves are not known here
        gateway = gateway or Gateway(allow_byok=settings.aibridge_allow_byok)
        vault = vault or Vault(None, Path())
        availability = InForce(gateway.registry, allow_byok=gateway.allow_byok, personal=Saved())
        return cls(
            store,
            Lookup(store, members_read_own=settings.aibridge_members_can_read_own_sessions),
            users,
            TokenControl(store, users, lifetimes),
            accounts,
            SignInControl(store, passwords, _sessions(settings), guard),
            AuditControl(store),
            ProviderControl(store, vault, _own_hosts(settings)),
            ModelControl(store, availability),
            OverrideControl(store, availability, users),
            PersonalKeyControl(store, vault, users, availability, allow_byok=gateway.allow_byok),
            PruningControl(store, limits),
            ErasureControl(store, users, accounts),
            settings.access_url,
            Doors(
                trusted_proxies(settings.proxy_trusted_origins, settings.proxy_trusted_headers),
                Rate(settings.api_rate_limit),
            ),
            _cookies(settings),
            gateway,
        )


def _sessions(settings: Settings) -> Sessions:
    return Sessions(
        duration=settings.session_duration,
        refreshed=not settings.disable_session_expiry_refresh,
        passwords=not settings.disable_password_auth,
    )


def _cookies(settings: Settings) -> CookieRules:
    same_site = settings.samesite_auth_cookie
    # Browsers drop a cookie of "none" that is not secure.
    secure = settings.secure_auth_cookie or settings.access_url.startswith("https:") or same_site == "none"
    return CookieRules(secure=secure, same_site=same_site)


def _own_hosts(settings: Settings) -> Iterable[tuple[str, int]]:
    """Where this gateway is reached: a provider there would be the gateway itself, again and again."""
    if settings.access_url:
        parts = urlsplit(settings.access_url)
        yield parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    for address in (settings.http_address, settings.tls_address if settings.tls_enable else ""):
        if address:
            host, port = split_address(address)
            yield host or "localhost", port
