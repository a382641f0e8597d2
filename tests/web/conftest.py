"""The pages over a living server; its database is shared by the tests of a worker: each makes what it looks for."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.web.living import Living, living

Browsing = Callable[[str], aiohttp.ClientSession]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """The server."""
    with living(tmp_path_factory.mktemp("house") / "data") as server:
        yield server


@pytest.fixture
async def browse(house: Living) -> AsyncIterator[Browsing]:
    """Browse as one of the people; '' is nobody."""
    async with AsyncExitStack() as stack:
        opened: list[aiohttp.ClientSession] = []

        def browse(who: str = "") -> aiohttp.ClientSession:
            opened.append(house.session(who))
            stack.push_async_exit(opened[-1])
            return opened[-1]

        yield browse
