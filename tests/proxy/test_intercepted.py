"""Requests to the hosts of providers, through the proxy: they are the gateway's."""

import pytest

from tests.gateway.conftest import CENTRAL_KEY, TOKEN
from tests.proxy.world import OPENAI

ASKED = {"model": "m", "messages": [{"role": "user", "content": "what is there?"}]}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_request_reaches_the_provider_with_the_central_key(proxy, tls):
    async with proxy(tls=tls) as world, world.client() as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with client.get(f"https://{OPENAI}/v1/models", headers=headers) as answer:
            assert answer.status == 200
        [seen] = world.provider.seen
    assert (seen.path, seen.headers["Authorization"]) == ("/v1/models", f"Bearer {CENTRAL_KEY}")
