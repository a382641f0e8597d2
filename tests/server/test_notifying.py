"""What the service manager hears, on a real socket."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from coderai.server.notifying import Notifier
from tests.end_to_end.processes import Gateway

PID = 4711


@dataclass
class Manager:
    """Stands for systemd: hears datagrams."""

    name: str
    """As it stands in ``NOTIFY_SOCKET``."""
    _socket: socket.socket

    async def hears(self) -> list[str]:
        """Return the lines of the next datagram."""
        async with asyncio.timeout(10):
            return (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode().split("\n")

    async def hears_next(self, line: str) -> list[str]:
        """Return the first message with *line* that is more than a sign of life."""
        while (said := await self.hears()) == ["WATCHDOG=1"]:
            pass
        assert line in said
        return said


@pytest.fixture(params=["path", "abstract"])
async def manager(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@coderai-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        listener.bind(name.replace("@", "\0"))
        yield Manager(name, listener)


async def test_it_is_told_how_we_are(manager: Manager):
    notifier = Notifier.of({"NOTIFY_SOCKET": manager.name}, PID)
    notifier.ready("Listening")
    assert await manager.hears() == ["READY=1", "STATUS=Listening"]
    notifier.stopping("Leaving")
    assert await manager.hears() == ["STOPPING=1", "STATUS=Leaving"]


async def test_reloading_has_a_beginning_and_an_end(manager: Manager):
    before = time.monotonic_ns() // 1000
    with Notifier.of({"NOTIFY_SOCKET": manager.name}, PID).reloading():
        what, when = await manager.hears()
    assert what == "RELOADING=1"
    assert before <= int(when.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    assert await manager.hears() == ["READY=1"]


async def test_signs_of_life_go_on_until_the_end(manager: Manager):
    environ = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(PID)}
    notifier = Notifier.of(environ, PID)
    with notifier.alive():
        assert [await manager.hears() for _ in range(3)] == [["WATCHDOG=1"]] * 3
    notifier.ready("last")
    assert "STATUS=last" in await manager.hears_next("READY=1")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
    ],
)
def test_no_signs_of_life_are_wanted(environ: dict[str, str]):
    assert Notifier.of({"NOTIFY_SOCKET": "@x", **environ}, PID).watchdog is None


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_manager_nothing_is_said(environ: dict[str, str]):
    notifier = Notifier.of({**environ, "WATCHDOG_USEC": "30000000"}, PID)
    assert notifier == Notifier()
    notifier.ready("Listening")


def test_a_manager_that_is_gone_does_not_hurt(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    Notifier(str(tmp_path / "gone")).ready("Listening")
    assert caplog.messages == ["the service manager cannot be told"]


@pytest.mark.parametrize("manager", ["path"], indirect=True)
async def test_a_server_tells_its_whole_life(tmp_path: Path, manager: Manager):
    environment = {
        "NOTIFY_SOCKET": manager.name,
        "WATCHDOG_USEC": str(timedelta(seconds=2) // timedelta(microseconds=1)),
    }
    server = Gateway(tmp_path / "data", "http://127.0.0.1:9", environment=environment)
    await server.start()
    try:
        assert f"STATUS=Listening at {server.url}" in await manager.hears_next("READY=1")
        assert await manager.hears() == ["WATCHDOG=1"]
        server.signal(signal.SIGHUP)
        await manager.hears_next("RELOADING=1")
        assert await manager.hears_next("READY=1") == ["READY=1"]
        server.signal(signal.SIGTERM)
        await manager.hears_next("STOPPING=1")
        assert await server.gone() == 0
    finally:
        if server.running:
            await server.kill()
