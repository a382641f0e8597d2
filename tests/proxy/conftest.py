"""Proxies for tests, on the loop of the server."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import uvloop

from tests.gateway.conftest import Opening, opened
from tests.proxy.world import Opened, proxied

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

__all__ = ["opened"]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """What is special here happens between the loop and TLS, so the loop is the one that serves people."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def proxy(opened: Opening, tmp_path: Path) -> Callable[..., Opened]:
    """Return the context that opens a proxy."""
    return partial(proxied, opened, tmp_path)
