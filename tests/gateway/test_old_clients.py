"""HTTP/1.0, as nginx speaks it to what is behind it: only the close of the connection is the end of an answer."""

import json

import pytest

from coderai.demo.provider import BreakOff, Reply
from coderai.gateway.whole import HELD_BYTES
from coderai.records import Ending
from tests.gateway.conftest import Opening
from tests.gateway.raw import request, talk
from tests.gateway.test_recorded import THREE_APIS

KEEP = [b"Connection: keep-alive"]


@THREE_APIS
@pytest.mark.parametrize("headers", [[], KEEP], ids=["close", "keep-alive"])
async def test_a_stream_ends_with_the_connection(opened: Opening, path, body, reply, headers):
    streamed = json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    async with opened(reply) as setting:
        url = setting.url + path
        got, plainly = await talk(url, request(url, streamed, version="1.0", headers=headers))
    head, _, text = got.partition(b"\r\n\r\n")
    assert plainly
    assert text == reply.body
    assert b"chunked" not in head.lower()


@pytest.mark.parametrize("headers", [[], KEEP], ids=["close", "keep-alive"])
async def test_a_long_answer_whose_records_cannot_be_stored_is_reset(opened: Opening, headers):
    answer = b'{"id": "msg_1", "content": [{"type": "text", "text": "' + b"x" * HELD_BYTES + b'"}]}'
    async with opened(Reply(chunks=[answer])) as setting:
        setting.notebook.refuse_end = True
        url = setting.url + "/anthropic/v1/messages"
        got, plainly = await talk(url, request(url, b"{}", version="1.0", headers=headers))
    assert not got.endswith(b"}")
    assert not plainly


async def test_a_long_answer_ends_with_the_connection(opened: Opening):
    answer = b'{"id": "msg_1", "content": [{"type": "text", "text": "' + b"x" * HELD_BYTES + b'"}]}'
    async with opened(Reply(chunks=[answer])) as setting:
        url = setting.url + "/anthropic/v1/messages"
        got, plainly = await talk(url, request(url, b"{}", version="1.0", headers=KEEP))
        assert setting.notebook.endings == [Ending.COMPLETE]
    assert got.endswith(answer)
    assert plainly


async def test_half_a_passed_through_answer_is_reset(opened: Opening):
    async with opened(Reply(chunks=[b'{"data": [', BreakOff()])) as setting:
        url = setting.url + "/openai/v1/models"
        _, plainly = await talk(url, request(url, method="GET", version="1.0", headers=KEEP))
    assert not plainly
