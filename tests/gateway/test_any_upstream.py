"""Whatever bytes a provider sends, in whatever pieces: no clean end without a record, nothing altered, nothing left."""

import asyncio
import json
from dataclasses import dataclass

import httptools
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.records import Ending
from tests.gateway.conftest import _opened
from tests.gateway.raw import RESET, request, saying, talk
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES

APIS = [
    ("/anthropic/v1/messages", MESSAGES, messages_answer(text="grüße 🦊", thinking="hm")),
    ("/openai/v1/chat/completions", CHAT, chat_answer(text="done")),
    ("/openai/v1/responses", RESPONSES, responses_answer(text="done")),
]
OURS = (Ending.COMPLETE, Ending.INCOMPLETE, Ending.UPSTREAM_ERROR)


@dataclass
class Client:
    """What a client understands of an answer."""

    status: int = 0
    body: bytes = b""
    complete: bool = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True

    def read(self, data: bytes) -> "Client":
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()
        return self


@st.composite
def _answers(draw) -> tuple[bytes, bytes]:
    """Return an answer's bytes, perhaps spoiled, and its body."""
    reply = draw(st.sampled_from(APIS))[2]
    body = draw(st.sampled_from([reply.body, reply.whole, b"", b"data: {}\n\n", reply.body * 2]))
    if draw(st.booleans()):
        body = body[: draw(st.integers(0, len(body)))]
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=20)) + body[at:]
    kind = draw(st.sampled_from([b"text/event-stream", b"text/event-stream; charset=utf-8", b"application/json"]))
    status = draw(st.sampled_from([b"200 OK"] * 6 + [b"204 No Content", b"429 Slow", b"500 Bad", b"304 Not", b"101 X"]))
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind + b"\r\n"
    match draw(st.sampled_from(["chunked", "length", "close", "lie", "both"])):
        case "chunked":
            framed = head + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(draw, body)
        case "length":
            framed = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "close":
            framed = head + b"\r\n" + body
        case "lie":
            framed = head + b"Content-Length: %d\r\n\r\n" % draw(st.integers(0, 2 * len(body) + 1)) + body
        case _:
            framed = head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + _chunked(draw, body)
    more = draw(st.sampled_from([b"", b"", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"garbage"]))
    framed += more
    body += more  # part of it without framing, or with a wrong length
    if draw(st.integers(0, 3)) == 0:
        framed = framed[: draw(st.integers(0, len(framed)))]
    if draw(st.integers(0, 6)) == 0:
        framed = draw(st.binary(max_size=200))
    return framed, body


def _chunked(draw, body: bytes) -> bytes:
    out, rest = b"", body
    while rest:
        size = draw(st.integers(1, len(rest)))
        out += b"%x\r\n%b\r\n" % (size, rest[:size])
        rest = rest[size:]
    ends = [b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX-Trailer: 1\r\n\r\n", b"0\r\n", b"", b"zz\r\n"]
    return out + draw(st.sampled_from(ends))


@st.composite
def _scripts(draw) -> tuple[list[bytes], bytes]:
    framed, body = draw(_answers())
    cuts = sorted(draw(st.lists(st.integers(0, len(framed)), max_size=6)))
    pieces = [framed[a:b] for a, b in zip([0, *cuts], [*cuts, len(framed)], strict=True)]
    return [*pieces, *draw(st.sampled_from([[], [RESET]]))], body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(script=_scripts(), api=st.integers(0, 2), stream=st.booleans(), stored=st.booleans())
def test_no_clean_end_without_a_record_and_nothing_altered(script, api, stream, stored):
    asyncio.run(_check(*script, *APIS[api][:2], stream, stored))


async def _check(pieces: list[bytes], body: bytes, path: str, ask: dict[str, object], stream: bool, stored: bool):
    asked = json.dumps(ask | {"stream": stream, "stream_options": {"include_usage": True}}).encode()
    async with saying(*pieces) as upstream, _opened(base_url=upstream) as setting:
        setting.notebook.refuse_end = not stored
        url = setting.url + path
        data, _ = await talk(url, request(url, asked, headers=[b"Connection: close"]))
        got = Client().read(data)
        while len(setting.watch):
            await asyncio.sleep(0)
        assert len(setting.notebook.begun) == 1
        assert len(setting.notebook.ended) == stored
        if not stored:
            assert got.status == 503 or not got.complete
        elif got.status in (502, 503, 504):
            assert setting.notebook.endings[0] in (Ending.UNREACHABLE, Ending.BROKEN_OFF)
        elif b"text/event-stream" in data.partition(b"\r\n\r\n")[0] and got.complete:
            assert setting.notebook.endings[0] in OURS
        if got.status == 200 and body.startswith(got.body[:20]):
            relayed = _common(got.body, body)
            # Our own event may begin like what was held back of the provider's.
            assert got.body[relayed:] == b"" or (not got.complete and b'"error"' in got.body)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _common(one: bytes, other: bytes) -> int:
    """Return the length of the common beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
