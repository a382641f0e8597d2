"""A data plane on a real listener, between a real client and a scripted provider; the records go to a notebook."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from coderai.access.addresses import NOBODY, TrustedProxies
from coderai.access.callers import Caller
from coderai.demo.provider import ScriptedProvider
from coderai.errors import NotSignedIn, StoreUnavailable
from coderai.gateway.app import DataPlane
from coderai.gateway.attribution import NO_ACTOR, ActorHeaders
from coderai.gateway.calling import Calling
from coderai.gateway.dump import dumping
from coderai.gateway.exchange import Exchanges
from coderai.gateway.ledger import Ledger
from coderai.gateway.limits import Limits
from coderai.gateway.passthrough import Passthrough
from coderai.gateway.pool import CONNECT_SECONDS, Pool, pooling
from coderai.gateway.ports import Authority
from coderai.gateway.upstream import Upstream
from coderai.gateway.watch import Patience, Watch
from coderai.gateway.websocket import PER_TOKEN, Sockets
from coderai.gateway.websocket_means import Means, Pace
from coderai.gateway.websocket_upstream import connecting
from coderai.providers.anthropic import ANTHROPIC
from coderai.providers.breaker import Breakers
from coderai.providers.keys import KeyPool
from coderai.providers.openai import OPENAI
from coderai.providers.registry import Instance, Registry, build
from coderai.providers.retries import NO_RETRIES, Retries
from coderai.records import End, Ending, Interception
from coderai.settings.provider import ProviderConfig

TOKEN = "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"
CENTRAL_KEY = "sk-central-0123456789abcdef"
PATIENT = Patience()
PACE = Pace()
ALICE = Caller("01890000-0000-7000-8000-00000000a11c", "alice", token_id="WuoWs4ZsMX")


class Notebook:
    """Fulfils the Recorder port in memory; can refuse, and can be asked to hold the end back."""

    def __init__(self) -> None:
        self.begun: list[Interception] = []
        self.ended: list[tuple[Interception, End]] = []
        self.calls: list[str] = []
        self.refuse_begin = False
        self.refuse_end = False
        self.end_asked = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.all_ended = asyncio.Event()

    async def begin(self, interception: Interception) -> None:
        if self.refuse_begin:
            raise StoreUnavailable("the audit store is not available")
        self.begun.append(interception)

    def saw_call(self, interception: Interception, call_id: str) -> None:
        self.calls.append(call_id)

    async def end(self, interception: Interception, end: End) -> None:
        self.end_asked.set()
        await self.may_end.wait()
        if self.refuse_end:
            raise StoreUnavailable("the audit store is not available")
        self.ended.append((interception, end))
        self.all_ended.set()

    @property
    def only_end(self) -> End:
        assert len(self.ended) == 1
        return self.ended[0][1]

    @property
    def endings(self) -> list[Ending]:
        return [end.ending for _, end in self.ended]


class OneToken:
    """Fulfils the Authority port: one token works. *people* are known by name; without them nobody can tell.

    *keys* are personal ones by user and provider.
    """

    def __init__(
        self,
        caller: Caller = ALICE,
        people: Mapping[str, str] | None = None,
        keys: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._caller = caller
        self._people = people
        self.keys = dict(keys or {})

    async def identify(self, token: str) -> Caller:
        if token != TOKEN:
            raise NotSignedIn("this token does not work")
        return self._caller

    async def person(self, named: str) -> str:
        if self._people is None:
            raise StoreUnavailable("the users cannot be looked up")
        return self._people.get(named, named)

    async def personal_key(self, user_id: str, provider: str) -> str | None:
        return self.keys.get((user_id, provider))


@dataclass
class Setting:
    """What a test talks to."""

    url: str
    client: aiohttp.ClientSession
    provider: ScriptedProvider
    notebook: Notebook
    plane: DataPlane
    watch: Watch
    registry: Registry
    pool: Pool

    def post(self, path: str, body: object, **options: object) -> aiohttp.client._RequestContextManager:
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}  # type: ignore[dict-item]
        return self.client.post(self.url + path, json=body, headers=headers, **options)  # type: ignore[arg-type]


Opening = Callable[..., AbstractAsyncContextManager[Setting]]


@asynccontextmanager
async def _opened(
    *replies: object,
    patience: Patience = PATIENT,
    keys: tuple[str, ...] = (CENTRAL_KEY,),
    allow_byok: bool = True,
    max_bytes: int = 1 << 20,
    base_url: str | None = None,
    configured: Callable[[str], Iterable[ProviderConfig]] = lambda url: (),
    authority: Authority | None = None,
    actors: ActorHeaders = NO_ACTOR,
    dump_dir: Path | None = None,
    retries: Retries = NO_RETRIES,
    breakers: Breakers | None = None,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
    connect_seconds: float = CONNECT_SECONDS,
    pace: Pace = PACE,
    sockets_per_token: int = PER_TOKEN,
    proxies: TrustedProxies = NOBODY,
) -> AsyncIterator[Setting]:
    async with AsyncExitStack() as stack:
        provider = ScriptedProvider(replies)
        url = base_url or await stack.enter_async_context(provider.serving())
        notebook = Notebook()
        watch = Watch(patience)
        pool = await stack.enter_async_context(pooling(connect_seconds))
        upstream = Upstream(pool)
        registry = Registry(
            [
                Instance("anthropic", "anthropic", url, ANTHROPIC, KeyPool(keys, clock)),
                Instance("openai", "openai", url + "/v1", OPENAI, KeyPool(keys, clock)),
                Instance("sleeping", "openai", url, OPENAI, KeyPool(keys, clock), "disabled"),
                Instance(
                    "broken", "google", url, None, KeyPool(keys, clock), "error", "type google is not available yet"
                ),
                *(build(config, allow_byok=allow_byok) for config in configured(url)),
            ]
        )
        dumps = await stack.enter_async_context(dumping(upstream, dump_dir)) if dump_dir else None
        calling = Calling(upstream, retries, breakers, dumps=dumps)
        exchanges = Exchanges(Ledger(notebook), calling, watch, max_bytes)
        passthrough = Passthrough(calling, watch, max_bytes)
        limits = limits or Limits()
        means = Means(Ledger(notebook), watch, limits, breakers, pace, dumps)
        sockets = Sockets(await stack.enter_async_context(connecting()), means, max_bytes, per_token=sockets_per_token)
        plane = DataPlane(
            authority or OneToken(),
            registry,
            exchanges,
            passthrough,
            sockets,
            allow_byok=allow_byok,
            limits=limits,
            actors=actors,
            proxies=proxies,
        )
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/api/v2/aibridge/{tail:.*}", plane.handle)
        runner = web.AppRunner(app, auto_decompress=False, handler_cancellation=False, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(watch.run(), name="watch")
            root = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v2/aibridge"
            yield Setting(root, client, provider, notebook, plane, watch, registry, pool)
            looking.cancel()


@pytest.fixture
def opened() -> Opening:
    """Return the context that opens a data plane before a provider with the given script."""
    return _opened
