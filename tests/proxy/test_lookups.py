"""Names that nobody answers for: they hold up nobody but those who asked for them."""

import asyncio
import socket
import threading

import pytest

from coderai.proxy.lookups import Lookups

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]


class SilentServers:
    """Knows nobody until it is told to speak."""

    def __init__(self) -> None:
        self.may_speak = threading.Event()
        self.asked = 0

    def __call__(self, host: str, port: int, **_: object) -> list[object]:
        self.asked += 1
        assert self.may_speak.wait(10)
        return [*FOUND]


@pytest.fixture
def servers():
    silent = SilentServers()
    yield silent
    silent.may_speak.set()


async def test_the_gateways_own_names_are_found_meanwhile(servers):
    lookups = Lookups(look=servers)
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(lookups(f"silent-{number}.example", 443))
        async with asyncio.timeout(5):
            assert await asyncio.get_running_loop().getaddrinfo("localhost", 443)
            servers.may_speak.set()


async def test_who_does_not_wait_any_more_keeps_the_place_until_the_answer(servers):
    lookups = Lookups(at_once=1, look=servers)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await lookups("silent.example", 443)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await lookups("other.example", 443)
    assert servers.asked == 1
    servers.may_speak.set()
    assert await lookups("other.example", 443) == FOUND


async def test_a_name_that_is_not_there_is_an_error():
    def unknown(host: str, port: int, **_: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(socket.gaierror):
        await Lookups(look=unknown)("no-such-host.invalid", 443)
