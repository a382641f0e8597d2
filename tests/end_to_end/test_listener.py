"""What only the real listener can show: it leads calls of the data plane past aiohttp's router."""

import asyncio
import json

from tests.end_to_end.processes import Gateway
from tests.gateway.raw import connect, request, talk

ASK = json.dumps(
    {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
).encode()
PATH = "/api/v2/aibridge/anthropic/v1/messages"


async def test_a_client_that_waits_for_100_continue_is_told_to_go_on(gateway: Gateway, token: str):
    data = request(gateway.url + PATH, ASK, token=token, headers=[b"Expect: 100-continue", b"Connection: close"])
    reader, writer = await connect(gateway.url)
    writer.write(data.removesuffix(ASK))
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(ASK)
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_who_may_not_ask_is_refused_before_the_body_is_sent(gateway: Gateway):
    data = request(gateway.url + PATH, ASK, token="nonsense", headers=[b"Expect: 100-continue"])
    reader, writer = await connect(gateway.url)
    writer.write(data.removesuffix(ASK))
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 401")
    assert b"Connection: close" in head  # what comes next could be the body


async def test_a_malformed_request_leaves_no_credential_in_the_log(gateway: Gateway):
    for bad in (b"Authorization: Bearer canary-token\x01", b"X-Api-Key: canary-token\x00", b"X Api Key: canary-token"):
        got, _ = await talk(gateway.url, request(gateway.url + PATH, token="", headers=[bad]))
        assert got.startswith(b"HTTP/1.0 400")
    await gateway.stop()
    log = "".join(gateway.log)
    assert "malformed request refused: BadHttpMessage" in log
    assert "canary-token" not in log
    assert "Traceback" not in log


async def test_an_absolute_target_is_refused(gateway: Gateway, token: str):
    data = request(gateway.url + PATH, ASK, token=token, headers=[b"Connection: close"])
    got, _ = await talk(gateway.url, data.replace(b"POST /", b"POST http://elsewhere.example.com/"))
    assert got.startswith(b"HTTP/1.1 4")


async def test_a_head_probe_needs_no_token(gateway: Gateway):
    url = gateway.url + "/api/v2/aibridge/anthropic/api/hello"
    got, _ = await talk(gateway.url, request(url, method="HEAD", token="", headers=[b"Connection: close"]))
    assert got.startswith(b"HTTP/1.1 200")
    assert got.endswith(b"\r\n\r\n")
