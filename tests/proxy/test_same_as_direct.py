"""One table, two ways: what is asked through the proxy is answered, sent on and recorded as by the base URL."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import BreakOff, Pause, Reply, Stall
from coderai.gateway.watch import Patience
from coderai.records import End, Ending, Interception
from tests.gateway.conftest import TOKEN
from tests.gateway.test_recorded import CHAT, MESSAGES
from tests.proxy.world import Wire

URLS = {"openai": "REAL/v1"}
BODY = json.dumps(CHAT | {"stream": False}).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
LENGTH, PIECES = f"Content-Length: {len(BODY)}", "Transfer-Encoding: chunked"
CHAT_PATH, MODELS = "/v1/chat/completions", "/v1/models"
REQUESTS = {
    "plain": ("POST", CHAT_PATH, [LENGTH], BODY),
    "chunked": ("POST", CHAT_PATH, [PIECES], CHUNKED + b"\r\n"),
    "trailers": ("POST", CHAT_PATH, [PIECES, "Trailer: X-Sum"], CHUNKED + b"X-Sum: 1\r\n\r\n"),
    "half a body": ("POST", CHAT_PATH, [PIECES], CHUNKED[:-3] + b"zz\r\n"),
    "two lengths": ("POST", CHAT_PATH, [LENGTH, PIECES], CHUNKED + b"\r\n"),
    "no JSON": ("POST", CHAT_PATH, ["Content-Length: 3"], b"foo"),
    "nothing": ("POST", CHAT_PATH, [], b""),
    "too large": ("POST", CHAT_PATH, ["Content-Length: 2000000"], b""),
    "no gzip": ("POST", CHAT_PATH, [LENGTH, "Content-Encoding: gzip"], BODY),
    "another protocol": ("POST", CHAT_PATH, [LENGTH, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"], BODY),
    "half a WebSocket": ("GET", "/v1/responses", ["Connection: Upgrade", "Upgrade: websocket"], b""),
    "read": ("GET", MODELS, [], b""),
    "traced": ("TRACE", MODELS, [], b""),
    "deleted": ("DELETE", CHAT_PATH, [], b""),
    "unknown": ("POST", "/v1/nothing", ["Content-Length: 2"], b"{}"),
    "dots": ("POST", "/v1/x/../chat/completions", [LENGTH], BODY),
    "an empty segment": ("POST", "/v1//chat/completions", [LENGTH], BODY),
    "a parameter": ("POST", CHAT_PATH + ";a=b", [LENGTH], BODY),
    "a fragment": ("POST", CHAT_PATH + "#a", [LENGTH], BODY),
    "percent signs": ("POST", "/v1/%63hat%2Fcompletions", [LENGTH], BODY),
    "a query": ("POST", CHAT_PATH + "?key=mine&a=%20b", [LENGTH], BODY),
    "the token everywhere": (
        *("POST", f"{CHAT_PATH}?a={TOKEN}&b=c"),
        [LENGTH, f"X-Odd: a{TOKEN}", f"Cookie: a={TOKEN}", f"Proxy-Authorization: Basic {TOKEN}", f"Api-Key: {TOKEN}"],
        BODY,
    ),
}
WHOLE = Reply(
    chunks=[b'{"id": "c1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}'],
    content_type="application/json",
)
STREAM = messages_answer(text="done")
STREAMED = json.dumps(MESSAGES | {"stream": True}).encode()


def asked(prefix: str, host: str, method: str, path: str, headers: list[str], body: bytes) -> bytes:
    lines = [f"{method} {prefix}{path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {TOKEN}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def both(proxy, ask, *replies, urls=URLS, **options):
    """Return for each way what came back, what the provider saw, and what was recorded."""
    found = []
    for direct in (True, False):
        async with proxy(*replies, urls=urls, **options) as world:
            [(name, url)] = world.providers.urls.items()
            host, base = urlsplit(url).netloc, urlsplit(world.base)
            if direct:
                wire = Wire(*await asyncio.open_connection(base.hostname, base.port))
                answer = await ask(world, wire, f"{base.path}/{name}", base.netloc)
            else:
                wire = await world.tunnel(host)
                answer = await ask(world, wire, "", host)
            await wire.close()
            if world.notebook.begun:
                async with asyncio.timeout(5):
                    await world.notebook.all_ended.wait()
        seen = [(each.method, each.path, sorted(each.headers.items()), each.body) for each in world.provider.seen]
        found.append((_unlike(answer), _unlike(str(seen)), [_record(*each) for each in world.notebook.ended]))
    return found


def _unlike(text: str) -> str:
    """What differs between two providers and two moments."""
    text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
    return re.sub(r"\r\nDate: [^\r]*", "", text)


def _record(begun: Interception, end: End) -> tuple[Interception, End]:
    metadata = {name: value for name, value in begun.metadata.items() if name != "proxy_connect_id"}
    same = replace(begun, id="", started_at=datetime.min, metadata=metadata)
    return same, replace(
        end, first_byte_at=end.first_byte_at and datetime.min, error_message=_unlike(end.error_message)
    )


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_ways_are_one(proxy, name):
    async def ask(world, wire, prefix, host):
        wire.send(asked(prefix, host, *REQUESTS[name]))
        answer = await wire.answer()
        return (answer.head + answer.body).decode()

    direct, through = await both(proxy, ask, WHOLE)
    assert through == direct


MESSAGE = ("POST", "/v1/messages", [f"Content-Length: {len(STREAMED)}"], STREAMED)
HALF = replace(STREAM, chunks=[*STREAM.chunks[:2], BreakOff()])
SILENT = replace(STREAM, chunks=[*STREAM.chunks[:2], Stall()])
ANTHROPIC_URL = {"anthropic": "REAL"}


@pytest.mark.parametrize(
    ("reply", "options", "ending"),
    [
        (STREAM, {}, Ending.COMPLETE),
        (HALF, {}, Ending.BROKEN_OFF),
        (SILENT, {"patience": Patience(upstream=0.2)}, Ending.TIMEOUT),
        (Reply(chunks=[BreakOff()]), {}, Ending.UNREACHABLE),
        (Reply(status=529, chunks=[b'{"type": "error"}'], content_type="application/json"), {}, Ending.UPSTREAM_ERROR),
    ],
    ids=["whole", "broken off", "silent", "no answer", "an error"],
)
async def test_both_ways_end_alike(proxy, reply, options, ending):
    async def ask(world, wire, prefix, host):
        wire.send(asked(prefix, host, *MESSAGE[:2], [*MESSAGE[2], "Connection: close"], STREAMED))
        return (await wire.rest()).decode()

    direct, through = await both(proxy, ask, reply, urls=ANTHROPIC_URL, **options)
    assert through == direct
    [(_, end)] = through[2]
    assert end.ending is ending


async def test_both_ways_are_left_alike(proxy):
    go = asyncio.Event()
    reply = replace(STREAM, chunks=[*STREAM.chunks[:2], Pause(go), *STREAM.chunks[2:]])

    async def ask(world, wire, prefix, host):
        wire.send(asked(prefix, host, *MESSAGE))
        await wire.reader.readuntil(b"event: ")
        await wire.close()
        return ""

    direct, through = await both(proxy, ask, reply, urls=ANTHROPIC_URL, patience=Patience(drain=0.2))
    assert through == direct
    [(_, end)] = through[2]
    assert end.ending is Ending.CLIENT_LEFT
