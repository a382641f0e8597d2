"""A corpus of odd but legal bytes goes through unchanged, both ways: three APIs, WebSocket, Bedrock, compressed bodies."""
# ruff: noqa: E501 - lines as they are on the wire

import gzip
import zlib

import brotli
import pytest
from backports import zstd

from coderai.demo.bedrock import EVENT_STREAM, bedrock, chunk
from coderai.demo.provider import Answering, Message, Reply, Seen
from coderai.records import Ending
from tests.gateway.amazon import ACCOUNT, amazon
from tests.gateway.conftest import TOKEN, Opening, Setting
from tests.gateway.websockets import connected

ODD = (
    '"unknown" : {"a":1.0,"b":12345678901234567890,"c":-0.0,"d":1E+2,"e":[ ],"f":{ },"g":"\\u00e9\\/\\ud83d\\ude00"},\r\n\t'
    '"twice":1 , "twice":2,"":null,"price":0.10,"deep":[[[[[[{"x":[1.50]}]]]]]],"zw":"a\u200bb\u202ec\u2028d",'
)
"""Spaces, line breaks, number spellings, escapes and direct characters, duplicate and empty names."""
LINE = ODD.replace("\r\n\t", " ")
"""The same for an event, whose data ends with its line."""
SIGNED = '{"type":"thinking","thinking":"","signature":"EqQBCgIYAhIM+/=="},{"type":"redacted_thinking","data":"++//=="}'

ASKED = {
    "/anthropic/v1/messages": (
        f'{{ "model":"claude-opus-4-6",{ODD}"max_tokens":9,"stream":STREAM ,"messages":[ {{"role":"user","content":"hé 😀 \\u0041"}},'
        f'{{"role":"assistant","content":[{SIGNED},{{"type":"tool_use","id":"t1","name":"ls","input":{{"n":1.0,"n":2}}}}]}},'
        '{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x","cache_control":{"type":"ephemeral","ttl":"1h"}},'
        '{"type":"text","text":"now\\r\\n what?"}]}] }\n'
    ),
    "/openai/v1/chat/completions": (
        f'\r\n{{{ODD}"stream_options" : {{ "include_usage":true , "more":1.0 }},"stream":STREAM,"n":1,"model":"gpt-4.1",'
        '"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"now\\r\\n what?","odd":1.00}]}]}'
    ),
    "/openai/v1/responses": (
        f'{{"stream" :STREAM,{ODD}"model":"gpt-5.3-codex","store":false,"include":["reasoning.encrypted_content"],'
        '"input":[{"type":"reasoning","id":"rs_1","summary":[],"content":null,"encrypted_content":"gAAAA+/="},'
        '{"type":"additional_tools","role":"developer","tools":[{"type":"namespace","name":"functions","tools":[{"type":"custom","name":"exec"}]}]},'
        '{"type":"message","role":"user","content":[{"type":"input_text","text":"now\\r\\n what?"}]}],"metadata":{"k":"v"}}  '
    ),
}

STREAMED = {
    "/anthropic/v1/messages": (
        ': hello\r\n\r\nevent: message_start\r\ndata:{"type":"message_start" , "message":{"id":"msg_1","role":"assistant","content":[],'
        f'{LINE}"usage":{{"input_tokens":7,"output_tokens":1}}}}}}\r\n\r\n'
        'event: ping\ndata: {"type": "ping"}\n\n: comment — é\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB+/=="}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: brand_new_event\nid: 5\nretry: 10\ndata: {"type":"brand_new_event",\ndata: "x":1.0}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"日本 😀 \\ud83d\\ude00"}}   \n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop" }\n\n: bye\n\n'
    ),
    "/openai/v1/chat/completions": (
        ':\n\n: keep-alive\r\n\r\ndata:\n\ndata: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],'
        f'{LINE}"usage":null}}\n\n'
        'data:{"id":"c1","choices":[{"index":0,"delta":{"content":"日本 😀","reasoning_content":"hm"},"logprobs":null}]}\r\n\r\n'
        'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"cost":0.00010}}\n\ndata: [DONE]\n\n'
    ),
    "/openai/v1/responses": (
        'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","status":"in_progress"},"sequence_number":0}\n\n'
        f'event: response.brand_new\r\ndata: {{{LINE}"type":"response.brand_new","sequence_number":1}}\r\n\r\n: x\n\n'
        'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"日本 😀","sequence_number":2.0}\n\n'
        'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[],'
        '"usage":{"input_tokens":7,"output_tokens":5}}}\n\n'
    ),
}

WHOLE = {
    "/anthropic/v1/messages": (
        f' {{{ODD}"id":"msg_1","type":"message","role":"assistant","content":[{SIGNED},{{"type":"text","text":"日本"}}],'
        '"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5,"price":1.0}}\r\n'
    ),
    "/openai/v1/chat/completions": (
        f'{{"id":"c1",{ODD}"choices":[{{"index":0,"message":{{"role":"assistant","content":"日本"}},"finish_reason":"stop"}}],'
        '"usage":{"prompt_tokens":7,"completion_tokens":5}}\n\n'
    ),
    "/openai/v1/responses": (
        f'{{{ODD}"id":"resp_1","status":"completed","output":[],"usage":{{"input_tokens":7,"output_tokens":5}} }}'
    ),
}
PATHS = list(ASKED)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def _asked(path: str, stream: str) -> bytes:
    return ASKED[path].replace("STREAM", stream).encode()


async def _check(opened: Opening, path: str, stream: str, reply: Reply, expected: bytes) -> None:
    async with opened(reply) as setting:
        body = _asked(path, stream)
        async with setting.client.post(setting.url + path, data=body, headers=HEADERS) as answer:
            assert await answer.read() == expected
        assert setting.provider.seen[0].body == body
        _check_records(setting)


def _check_records(setting: Setting) -> None:
    assert setting.notebook.begun[0].prompt == "now\r\n what?"
    end = setting.notebook.only_end
    assert end.ending is Ending.COMPLETE
    [usage] = [fact for fact in end.answer.facts if type(fact).__name__ == "Usage"]
    assert (usage.input, usage.output) == (7, 5)


@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_passes_unchanged_whatever_its_borders(opened: Opening, path: str, size: int):
    answer = STREAMED[path].encode()
    reply = Reply(chunks=[answer], content_type="text/event-stream").split(size)
    await _check(opened, path, "true", reply, answer)


@pytest.mark.parametrize("path", PATHS)
async def test_a_whole_answer_passes_unchanged(opened: Opening, path: str):
    answer = WHOLE[path].encode()
    await _check(opened, path, "false", Reply(chunks=[answer]), answer)


async def test_asking_for_usage_leaves_every_other_byte_of_a_chat_request(opened: Opening):
    path = "/openai/v1/chat/completions"
    body = _asked(path, "true").replace(b'"stream_options" : { "include_usage":true , "more":1.0 },', b"")
    counted = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"cost":0.00010}}\n\n'
    answer = STREAMED[path].encode()
    async with opened(Reply(chunks=[answer], content_type="text/event-stream").split(7)) as setting:
        async with setting.client.post(setting.url + path, data=body, headers=HEADERS) as told:
            assert await told.read() == answer.replace(counted, b"")
        sent = setting.provider.seen[0].body
    added = b'"stream_options":{"include_usage":true}'
    assert added in sent
    assert sent.replace(added + b",", b"").replace(b"," + added, b"") == body


# ---- compressed requests ---------------------------------------------------------------------------------------------

CODECS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "gzip, zstd": lambda body: zstd.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("encoding", CODECS)
@pytest.mark.parametrize("path", PATHS)
async def test_a_compressed_request_goes_on_as_it_came_and_is_read_all_the_same(
    opened: Opening, path: str, encoding: str
):
    body = CODECS[encoding](_asked(path, "true"))
    async with opened(Reply(chunks=[STREAMED[path].encode()], content_type="text/event-stream")) as setting:
        headers = HEADERS | {"Content-Encoding": encoding}
        async with setting.client.post(setting.url + path, data=body, headers=headers) as answer:
            assert await answer.read() == STREAMED[path].encode()
        seen = setting.provider.seen[0]
        assert (seen.body, seen.headers["Content-Encoding"]) == (body, encoding)
        _check_records(setting)


@pytest.mark.parametrize("encoding", CODECS)
async def test_a_compressed_chat_request_that_is_edited_goes_on_uncompressed(opened: Opening, encoding: str):
    path = "/openai/v1/chat/completions"
    body = _asked(path, "true").replace(b'"include_usage":true', b'"include_usage":false')
    async with opened(Reply(chunks=[STREAMED[path].encode()], content_type="text/event-stream")) as setting:
        headers = HEADERS | {"Content-Encoding": encoding}
        async with setting.client.post(setting.url + path, data=CODECS[encoding](body), headers=headers) as answer:
            assert answer.status == 200
        seen = setting.provider.seen[0]
        assert seen.body == _asked(path, "true")
        assert "Content-Encoding" not in seen.headers
        assert int(seen.headers["Content-Length"]) == len(seen.body)


# ---- Responses over WebSocket ----------------------------------------------------------------------------------------

RESPONSES = "/openai/v1/responses"


def _messages() -> list[str]:
    """The data of each event that is one line of JSON: what a message holds."""
    lines = STREAMED[RESPONSES].replace("\r\n", "\n").split("\n")
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("compress", [0, 15], ids=["plain", "deflated"])
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_messages_pass_unchanged(opened: Opening, binary: bool, compress: int):
    said = _asked(RESPONSES, "true").replace(b"{", b'{\t"type" : "response.create",', 1)
    reply = Reply(chunks=[Message(text.encode()) for text in _messages()])
    async with opened(reply) as setting, connected(setting, compress=compress) as client:
        await (client.socket.send_bytes(said) if binary else client.socket.send_str(said.decode()))
        assert await client.raw_answer() == _messages()
        assert setting.provider.sockets[0].messages == [Message(said, binary)]
        _check_records(setting)


# ---- Amazon Bedrock --------------------------------------------------------------------------------------------------

MESSAGES = "/anthropic/v1/messages"


def _called(stream: str) -> bytes:
    """What InvokeModel gets for the request: model and stream go, the version comes, every other byte stays."""
    body = _asked(MESSAGES, stream).replace(b'"model":"claude-opus-4-6",', b"", 1)
    body = body.replace(b',"stream":%b ,' % stream.encode(), b" ,", 1)
    return body.replace(b"] }\n", b'],"anthropic_version":"bedrock-2023-05-31" }\n')


def _event_documents() -> list[bytes]:
    """Of the corpus, the events whose data is one line; Bedrock has no comments and no lines without data."""
    events = [event for event in STREAMED[MESSAGES].replace("\r\n", "\n").split("\n\n") if event.count("data:") == 1]
    return [event.partition("data:")[2].strip().encode() for event in events]


@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
async def test_bedrocks_events_hold_what_amazon_sent(opened: Opening, size: int):
    documents = _event_documents()
    reply = Reply(chunks=[b"".join(map(chunk, documents))], content_type=EVENT_STREAM).split(size)
    async with opened(_signed(reply), configured=amazon()) as setting:
        body = _asked(MESSAGES, "true")
        async with setting.client.post(setting.url + "/aws/v1/messages", data=body, headers=HEADERS) as answer:
            told = await answer.read()
        assert [line.removeprefix(b"data: ") for line in told.split(b"\n") if line.startswith(b"data:")] == documents
        assert setting.provider.seen[0].body == _called("true")
        _check_records(setting)


async def test_a_whole_answer_of_bedrock_passes_unchanged(opened: Opening):
    whole = WHOLE[MESSAGES].encode()
    async with opened(_signed(Reply(chunks=[whole])), configured=amazon()) as setting:
        body = _asked(MESSAGES, "false")
        async with setting.client.post(setting.url + "/aws/v1/messages", data=body, headers=HEADERS) as answer:
            assert await answer.read() == whole
        assert setting.provider.seen[0].body == _called("false")
        _check_records(setting)


def _signed(reply: Reply) -> Answering:
    """What answers like Amazon, with exactly these bytes."""
    check = bedrock(lambda seen: Reply(status=300), ACCOUNT)

    def answer(seen: Seen) -> Reply:
        told = check(seen)
        return reply if told.status == 300 else told

    return answer
