"""The proxy's listener, and everything that runs while it is open."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from coderai.proxy.counts import Counts
from coderai.proxy.dialing import Dialer
from coderai.proxy.hosts import Hosts
from coderai.proxy.inside import Inside
from coderai.proxy.intercepting import HANDSHAKE_SECONDS
from coderai.proxy.server import Authority, Contexts, Limits, Proxy

_BACKLOG: Final = 1024


@asynccontextmanager
async def listening(
    sockets: Sequence[socket.socket],
    tls: ssl.SSLContext | None,
    authority: Authority,
    hosts: Hosts,
    contexts: Contexts,
    dialer: Dialer,
    inside: Inside,
    counts: Counts,
    limits: Limits,
    stopping: Callable[[], bool],
) -> AsyncIterator[Proxy]:
    """Accept connections on *sockets*, which are bound; afterwards nothing of it is left."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as tasks:
        proxy = Proxy(authority, hosts, contexts, dialer, inside, tasks, counts, limits, stopping)
        seconds = HANDSHAKE_SECONDS if tls is not None else None
        servers: list[asyncio.Server] = []
        watching = tasks.create_task(proxy.watch(), name="proxy watch")
        try:
            for one in sockets:
                servers.append(
                    await loop.create_server(proxy, sock=one, ssl=tls, ssl_handshake_timeout=seconds, backlog=_BACKLOG)
                )
            yield proxy
        finally:
            for server in servers:
                server.close()
            watching.cancel()
            await proxy.leave()
