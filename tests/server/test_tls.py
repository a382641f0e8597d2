"""Everything over TLS: the data plane, pages and cookies; both listeners at once."""

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Message, Stall
from tests.gateway.raw import connect
from tests.server.authority import Authority
from tests.server.running import Running, running

MESSAGES = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
RESPONSE = {"type": "response.create", "model": "gpt-5.3-codex", "input": "hi"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def flags(authority: Authority) -> tuple[str, ...]:
    cert_file, key_file = authority.issue("server")
    return ("--tls-enable", "--tls-address=127.0.0.1:0", f"--tls-cert-file={cert_file}", f"--tls-key-file={key_file}")


@pytest.fixture
async def http(authority: Authority) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts the authority."""
    context = ssl.create_default_context(cafile=authority.path)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), cookie_jar=jar) as session:
        yield session


def bearer(server: Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


async def test_both_listeners_serve_and_say_where_they_are(
    tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession
):
    async with running(tmp_path / "data", flags=flags) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert server.https.startswith("https://localhost:")  # the name of its certificate
        assert server.known["url"] == server.url
        for url in (server.url, server.https):
            async with http.get(url + "/healthz") as answer:
                assert (answer.status, await answer.text()) == (200, "OK")


async def test_where_there_is_no_plain_listener_the_urls_are_those_of_the_other(tmp_path: Path, flags: tuple[str, ...]):
    async with running(tmp_path / "data", flags=(*flags, "--http-address=")) as server:
        assert server.url == server.https == server.known["url"]
        assert "Started HTTP listener" not in server.ready.introduction
        assert f"Gateway base URLs: {server.https}/api/v2/aibridge<route>" in server.ready.introduction


async def test_a_stream_flows(tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession):
    stall, reply = Stall(), messages_answer(text="hello", stream=True)
    async with running(tmp_path / "data", reply.cut(3, stall, *reply.events[3:]), flags=flags) as server:
        url = server.https + "/api/v2/aibridge/anthropic/v1/messages"
        async with http.post(url, json=MESSAGES | {"stream": True}, headers=bearer(server)) as answer:
            before = b"".join(reply.events[:3])
            assert await answer.content.readexactly(len(before)) == before  # while the provider waits
            stall.release()
            assert before + await answer.read() == b"".join(reply.events)


async def test_a_big_body_arrives_whole(tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession):
    body = json.dumps(MESSAGES | {"system": "x" * 8_000_000}).encode()
    async with running(tmp_path / "data", messages_answer(text="y" * 2_000_000), flags=flags) as server:
        url = server.https + "/api/v2/aibridge/anthropic/v1/messages"
        async with http.post(url, data=io.BytesIO(body), headers=bearer(server)) as answer:
            assert answer.status == 200
            assert (await answer.json())["content"][0]["text"] == "y" * 2_000_000
        assert server.provider.seen[0].body == body


async def test_a_websocket_works(tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession):
    async with running(tmp_path / "data", responses_answer(text="done"), flags=flags) as server:
        url = server.https + "/api/v2/aibridge/openai/v1/responses"
        async with http.ws_connect(url, headers=bearer(server)) as socket:
            await socket.send_json(RESPONSE)
            kinds = []
            while "response.completed" not in kinds:
                kinds.append((await socket.receive_json(timeout=10))["type"])
        assert server.provider.sockets[0].messages == [Message(json.dumps(RESPONSE).encode())]


@pytest.mark.parametrize("over_tls", [True, False])
async def test_a_cookie_that_came_by_tls_never_goes_without(
    tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession, over_tls: bool
):
    async with running(tmp_path / "data", flags=flags) as server:
        url = server.https if over_tls else server.url
        form = {"token": server.token}
        async with http.post(url + "/login", data=form, headers={"Origin": url}, allow_redirects=False) as answer:
            assert answer.status in (302, 303)
            given = answer.headers.getall("Set-Cookie")
        assert any(cookie.startswith("coder_session_token=") for cookie in given)
        assert [("Secure" in cookie) for cookie in given] == [over_tls] * len(given)


async def test_browsers_are_told_to_come_by_tls_only_when_they_did(
    tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession
):
    async with running(tmp_path / "data", flags=(*flags, "--strict-transport-security=600")) as server:
        async with http.get(server.https + "/healthz") as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=600"
        async with http.get(server.url + "/healthz") as answer:
            assert "Strict-Transport-Security" not in answer.headers


async def test_a_hangup_takes_new_certificates(
    tmp_path: Path, flags: tuple[str, ...], http: aiohttp.ClientSession, authority: Authority
):
    async with running(tmp_path / "data", flags=flags) as server:
        old = await shown(server.https, authority)
        authority.issue("server")
        server.again.set()
        async with asyncio.timeout(5):
            while await shown(server.https, authority) == old:
                await asyncio.sleep(0.01)


async def shown(url: str, authority: Authority) -> str:
    """The serial number of the certificate that is shown."""
    context = ssl.create_default_context(cafile=authority.path)
    port = int(url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        return str(writer.get_extra_info("peercert")["serialNumber"])
    finally:
        writer.close()


async def test_plain_http_on_the_tls_listener_gets_no_answer(tmp_path: Path, flags: tuple[str, ...]):
    async with running(tmp_path / "data", flags=flags) as server:
        reader, writer = await connect(server.https)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            assert b"HTTP" not in await reader.read()
        writer.close()
