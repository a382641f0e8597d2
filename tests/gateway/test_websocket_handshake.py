"""Who may open a WebSocket, and what happens where the provider takes none."""

import asyncio
import base64
import hashlib
import logging
import socket as sockets
from contextlib import suppress

import pytest

from coderai.access.callers import Caller
from coderai.demo.answers_responses import responses_answer
from coderai.errors import StoreUnavailable
from coderai.gateway.limits import Limits
from coderai.gateway.websocket_means import Pace
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, OneToken, Opening
from tests.gateway.raw import connect, serving
from tests.gateway.websockets import ASK, connected, handshake, refused

ANSWER = responses_answer(text="hi")
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SECOND_KEY = "sk-second-0123456789abcdef"


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/openai/v1/responses", "", 401),
        ("/openai/v1/responses", "wrong", 401),
        ("/nobody/v1/responses", TOKEN, 404),
        ("/openai/v1/realtime", TOKEN, 404),
        ("/sleeping/v1/responses", TOKEN, 503),
        ("/anthropic/v1/messages", TOKEN, 426),
        ("/openai/v1/chat/completions", TOKEN, 426),
        ("/openai/v1/models", TOKEN, 426),
    ],
)
async def test_what_http_would_refuse_is_refused_before_anything_goes_upstream(opened: Opening, path, token, status):
    async with opened() as setting:
        answer = await refused(setting, path, token=token)
        assert (answer.status, setting.provider.attempts) == (status, [])
        assert (await answer.json())["error"]["message"]


async def test_an_own_key_is_refused_where_that_is_switched_off(opened: Opening):
    async with opened(allow_byok=False) as setting:
        own = {"X-Coder-AI-Governance-Token": TOKEN}
        answer = await refused(setting, token="sk-of-the-user-0123456789", headers=own)
        assert (answer.status, setting.provider.attempts) == (403, [])


async def test_the_rate_and_the_places_hold_for_the_handshake(opened: Opening):
    async with opened(limits=Limits(per_second=1, clock=lambda: 100.0)) as setting:
        async with connected(setting):
            pass
        answer = await refused(setting)
        assert (answer.status, "Retry-After" in answer.headers) == (429, True)


class Away(OneToken):
    """An authority that cannot tell."""

    async def identify(self, token: str) -> Caller:
        raise StoreUnavailable("the store is away")


async def test_a_store_that_is_away_is_a_503(opened: Opening):
    async with opened(authority=Away()) as setting:
        assert (await refused(setting)).status == 503


async def test_a_stopping_server_takes_none(opened: Opening):
    async with opened() as setting:
        setting.plane.stop()
        assert (await refused(setting)).status == 503


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 405, 426, 429, 500, 503])
async def test_a_provider_that_does_not_switch_is_a_426_at_once(opened: Opening, status):
    async with opened() as setting:
        setting.provider.upgrades = [status]
        answer = await refused(setting)
        error = (await answer.json())["error"]
        assert (answer.status, answer.headers["x-should-retry"]) == (426, "false")
        assert error["message"].startswith("openai: ")
        assert "use HTTP" in error["message"]
        assert setting.notebook.begun == []


async def test_a_redirect_is_not_followed_with_the_key(opened: Opening):
    elsewhere = asyncio.Event()

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.set()

    async with serving(other) as target:
        head = f"HTTP/1.1 307 Go on\r\nLocation: {target}/v1/responses\r\nContent-Length: 0\r\n\r\n".encode()

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)

        async with serving(redirect) as url, opened(base_url=url) as setting:
            assert (await refused(setting)).status == 426
    assert not elsewhere.is_set()


async def test_a_provider_that_cannot_be_reached_is_a_426(opened: Opening):
    with sockets.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with opened(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}") as setting:
            answer = await refused(setting)
            assert answer.status == 426
            assert CENTRAL_KEY not in await answer.text()


@pytest.mark.parametrize(
    "said",
    [
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["garbage", "close", "no accept", "other protocol"],
)
async def test_a_provider_that_talks_nonsense_is_a_426(opened: Opening, said):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    async with serving(serve) as url, opened(base_url=url) as setting:
        assert (await refused(setting)).status == 426


async def test_a_provider_that_says_nothing_is_a_426_in_time(opened: Opening):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(serve) as url, opened(base_url=url, pace=Pace(handshake=0.1)) as setting:
        answer = await refused(setting)
        assert (answer.status, "no WebSocket within" in await answer.text()) == (426, True)


async def test_a_client_that_leaves_during_the_handshake_leaves_nothing(opened: Opening):
    asked, go_on, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await go_on.wait()
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key.split()[1] + GUID).digest())
        writer.write(b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        with suppress(ConnectionError):
            await reader.read()
        over.set()

    async with serving(serve) as url, opened(base_url=url) as setting:
        target = setting.url + "/openai/v1/responses"
        _, writer = await connect(target)
        writer.write(handshake(target))
        await asked.wait()
        writer.close()
        await writer.wait_closed()
        go_on.set()
        async with asyncio.timeout(5):
            await over.wait()
        assert setting.notebook.begun == []
        assert len(setting.plane._sockets) == 0


@pytest.mark.parametrize("status", [401, 429])
async def test_the_next_key_is_tried_when_one_is_refused(opened: Opening, status):
    async with opened(ANSWER, keys=(CENTRAL_KEY, SECOND_KEY)) as setting:
        setting.provider.upgrades = [status]
        async with connected(setting) as client:
            await client.ask(ASK)
        used = [attempt.headers["Authorization"] for attempt in setting.provider.attempts]
        assert used == [f"Bearer {CENTRAL_KEY}", f"Bearer {SECOND_KEY}"]
        assert setting.notebook.only_end.credential_hint == "sk-s...cdef"
        async with connected(setting):
            pass
        assert setting.provider.attempts[2].headers["Authorization"] == f"Bearer {SECOND_KEY}"  # the first cools down


async def test_without_a_usable_key_it_is_a_426(opened: Opening):
    async with opened(keys=(CENTRAL_KEY, SECOND_KEY)) as setting:
        setting.provider.upgrades = [401, 401]
        assert (await refused(setting)).status == 426
        assert (await refused(setting)).status == 426
        assert len(setting.provider.attempts) == 2


async def test_an_own_key_is_tried_once(opened: Opening):
    async with opened(keys=(CENTRAL_KEY, SECOND_KEY)) as setting:
        setting.provider.upgrades = [401]
        own = {"X-Coder-AI-Governance-Token": TOKEN}
        assert (await refused(setting, token="sk-of-the-user-0123456789", headers=own)).status == 426
        assert len(setting.provider.attempts) == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Version": "99"},
        {"Connection": "keep-alive"},
        {"Sec-WebSocket-Protocol": "openai-insecure-api-key.sk-secret-0123456789"},
    ],
    ids=["key", "version", "connection", "sub-protocol"],
)
async def test_odd_handshakes_are_a_426_and_in_no_log(opened: Opening, odd, caplog):
    caplog.set_level(logging.DEBUG)
    async with opened() as setting:
        assert (await refused(setting, headers=odd)).status == 426
        assert setting.provider.attempts == []
    assert "sk-secret" not in caplog.text


async def test_the_sockets_of_one_token_are_limited_and_closed_ones_count_no_more(opened: Opening):
    async with opened(ANSWER, ANSWER, sockets_per_token=2) as setting:
        for _ in range(2):
            async with connected(setting) as one, connected(setting) as other:
                answer = await refused(setting)
                assert answer.status == 426
                assert "2 WebSockets are open with this token" in await answer.text()
                await other.ask(ASK)
                await one.socket.close()
            async with asyncio.timeout(5):
                while setting.plane._sockets._open:
                    await asyncio.sleep(0)
