"""TLS with a client on a connection of which some bytes have already been read."""

import asyncio
import ssl
from typing import Final, cast

HANDSHAKE_SECONDS: Final = 10.0
TLS_HANDSHAKE: Final = 0x16
"""The first byte of a client that begins with TLS."""


class _Gate(asyncio.Protocol):
    """Keeps what comes right behind the handshake, until somebody is there to read it."""

    def __init__(self) -> None:
        self.pieces = b""

    def data_received(self, data: bytes) -> None:
        self.pieces += data


async def decrypted(
    transport: asyncio.Transport, context: ssl.SSLContext, first: bytes, *, seconds: float = HANDSHAKE_SECONDS
) -> tuple[asyncio.Transport, bytes]:
    """Shake hands as the server; *first* is what the client has sent so far, and *transport* does not read.

    Return the decrypted transport and what came behind the handshake. Raises OSError, an SSLError mostly.
    """
    loop = asyncio.get_running_loop()
    gate = _Gate()
    failed: list[OSError] = []
    upgraded: asyncio.Transport | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            upgrading = tasks.create_task(
                loop.start_tls(transport, gate, context, server_side=True, ssl_handshake_timeout=seconds),
                name="handshake",
            )
            # The task has put the TLS protocol into its place by now, and has scheduled its beginning and the next
            # read: what was read before comes exactly between these two, because the loop keeps the order.
            await asyncio.sleep(0)
            loop.call_soon(_feed, transport, first)
            upgraded = await upgrading
    except* OSError as group:
        failed = [each for each in group.exceptions if isinstance(each, OSError)]
    if failed or upgraded is None:
        raise failed[0] if failed else ConnectionResetError("the handshake was not completed")
    return upgraded, gate.pieces


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    protocol = cast(asyncio.BufferedProtocol, transport.get_protocol())
    while data and not transport.is_closing():
        room = memoryview(protocol.get_buffer(len(data)))
        count = min(len(room), len(data))
        room[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]
