import base64
import json
import struct
import zlib
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from coderai.demo.answers import Tokens, Tool
from coderai.demo.answers_messages import messages_answer
from coderai.demo.bedrock import chunk, exception, framed, message
from coderai.errors import BrokenOff
from coderai.records import Ask, Ending, ErrorType, ToolCall, Usage
from coderai.wire.eventstream import MESSAGE_BYTES, MessageReader, MessagesEvents
from coderai.wire.messages import StreamReader

ANSWER = messages_answer(
    text="Grün. Zwei Wörter mehr.",
    thinking="Let me see …",
    tools=[Tool("read_file", {"path": "a.py"}, id="toolu_1")],
    usage=Tokens(input=10, output=5, cache_read=3),
    id="msg_1",
    stream=True,
)
SSE = ANSWER.body
BINARY = framed(ANSWER).body


def decoded(*chunks):
    decoder = MessagesEvents()
    return b"".join([*(decoder.feed(each) for each in chunks), decoder.end()])


def pieces(data, borders):
    cuts = sorted({0, len(data), *(border % (len(data) + 1) for border in borders)})
    return [data[start:end] for start, end in pairwise(cuts)]


def read_on(data, size=50):
    """Feed everything, as a relay does that goes on until it is told that something is broken."""
    decoder, out = MessagesEvents(), b""
    try:
        for at in range(0, len(data), size):
            out += decoder.feed(data[at : at + size])
        out += decoder.end()
    except BrokenOff as error:
        return out, str(error)
    return out, None


def test_a_stream_becomes_what_anthropic_itself_would_send():
    assert decoded(BINARY) == SSE


@given(st.lists(st.integers(0, 1 << 20), max_size=40))
def test_chunk_borders_do_not_matter(borders):
    assert decoded(*pieces(BINARY, borders)) == SSE


def test_byte_by_byte():
    assert decoded(*(bytes([byte]) for byte in BINARY)) == SSE


def test_another_reader_of_the_format_agrees():
    buffer = EventStreamBuffer()
    buffer.add_data(BINARY)
    theirs = [(dict(each.headers), each.payload) for each in buffer]
    ours = [(dict(each.headers), each.payload) for each in MessageReader().feed(BINARY)]
    assert ours == theirs
    assert len(ours) == len(ANSWER.chunks)


def test_an_event_goes_on_as_soon_as_it_is_whole():
    first = len(chunk(b'{"type":"ping"}'))
    decoder = MessagesEvents()
    assert decoder.feed(chunk(b'{"type":"ping"}')[:-1]) == b""
    assert decoder.feed(chunk(b'{"type":"ping"}')[-1:]) == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert first > 0


@given(st.integers(0, len(BINARY) - 1), st.integers(1, 255), st.integers(1, 500))
def test_a_wrong_byte_anywhere_never_ends_cleanly(at, change, size):
    broken = BINARY[:at] + bytes([BINARY[at] ^ change]) + BINARY[at + 1 :]
    out, trouble = read_on(broken, size)
    assert trouble is not None
    assert SSE.startswith(out)
    assert out != SSE


@given(st.integers(1, len(BINARY) - 1))
def test_a_stream_that_is_cut_off_never_ends_cleanly(length):
    out, trouble = read_on(BINARY[:length])
    assert SSE.startswith(out)
    assert b"message_stop" not in out
    reader = StreamReader(Ask())
    reader.feed(out)
    assert trouble is not None or reader.close().ending is Ending.BROKEN_OFF


@given(st.binary(max_size=300), st.integers(1, 40))
def test_noise_never_raises_anything_else(data, size):
    out, _ = read_on(data, size)
    assert out == b""


@given(st.binary(max_size=200))
def test_noise_with_right_sums_never_raises_anything_else(headers):
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    read_on(body + struct.pack(">I", zlib.crc32(body)))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(0, 0), (12, 0), (15, 0), (16, 1), (100, 85), (100, 0xFFFFFFFF), (MESSAGE_BYTES + 1, 0), (0xFFFFFFFF, 0)],
)
def test_hostile_lengths_are_refused_at_once_although_their_sum_is_right(total, headers):
    prelude = struct.pack(">II", total, headers)
    with pytest.raises(BrokenOff, match="the provider's event stream is broken"):
        MessagesEvents().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))


def test_what_came_before_a_broken_message_goes_out_first():
    decoder = MessagesEvents()
    assert decoder.feed(chunk(b'{"type":"ping"}') + b"\xff" * 12) == b'event: ping\ndata: {"type":"ping"}\n\n'
    with pytest.raises(BrokenOff):
        decoder.feed(b"")
    with pytest.raises(BrokenOff):
        decoder.end()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b'{"type":"ping"}\n', b'event: ping\ndata: {"type":"ping"}\n\n'),
        (b'{"type":\r\n"ping"}', b'event: ping\ndata: {"type":  "ping"}\n\n'),
        (b'{"type":"x\\ny"}', b'data: {"type":"x\\ny"}\n\n'),
        (b'{"no":"type"}', b'data: {"no":"type"}\n\n'),
        (
            b'{"type":"message_stop","amazon-bedrock-invocationMetrics":{"outputTokenCount":8}}',
            b"event: message_stop\n"
            b'data: {"type":"message_stop","amazon-bedrock-invocationMetrics":{"outputTokenCount":8}}\n\n',
        ),
    ],
)
def test_an_event_is_one_data_line(said, expected):
    assert decoded(chunk(said)) == expected


@pytest.mark.parametrize(
    "payload", [b"", b"{}", b'{"bytes":7}', b'{"bytes":"!"}', b'{"bytes":"e30"}', b"[]", b'{"bytes":"W10="}']
)
def test_a_chunk_without_an_event_breaks_the_stream(payload):
    with pytest.raises(BrokenOff):
        decoded(message({":message-type": "event", ":event-type": "chunk"}, payload))


@pytest.mark.parametrize(
    "headers",
    [
        {":message-type": "event", ":event-type": "initial-response"},
        {":message-type": "event"},
        {":message-type": "news", ":event-type": "chunk"},
        {},
    ],
)
def test_unknown_messages_are_skipped(headers):
    assert decoded(message(headers, b"{}"), chunk(b'{"type":"ping"}')) == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_headers_of_every_type_are_read_over():
    headers = b"".join(
        [
            b"\x01a\x00\x01b\x01\x01c\x02\x07\x01d\x03\x00\x07\x01e\x04\x00\x00\x00\x07",
            b"\x01f\x05" + bytes(8) + b"\x01g\x06\x00\x02xy\x01h\x08" + bytes(8) + b"\x01i\x09" + bytes(16),
            b"\x01j\x07\x00\x02ok",
        ]
    )
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    [only] = MessageReader().feed(body + struct.pack(">I", zlib.crc32(body)))
    assert only.headers == {"j": "ok"}


@pytest.mark.parametrize(
    ("failing", "kind", "error_type"),
    [
        (exception("throttlingException", "Too many requests"), "rate_limit_error", ErrorType.RATE_LIMITED),
        (exception("modelStreamErrorException", "Too many requests"), "api_error", ErrorType.SERVER_ERROR),
        (exception("serviceUnavailableException", "Too many requests"), "overloaded_error", ErrorType.OVERLOADED),
        (exception("validationException", "Too many requests"), "invalid_request_error", ErrorType.BAD_REQUEST),
        (exception("modelTimeoutException", "Too many requests"), "timeout_error", ErrorType.TIMEOUT),
        (exception("newException", "Too many requests"), "api_error", ErrorType.SERVER_ERROR),
        (
            message({":message-type": "error", ":error-code": "500", ":error-message": "Too many requests"}, b""),
            "api_error",
            ErrorType.SERVER_ERROR,
        ),
    ],
)
def test_an_exception_becomes_the_error_event_of_messages(failing, kind, error_type):
    out = decoded(chunk(b'{"type":"ping"}'), failing, b"whatever follows")
    name, data = out.partition(b"event: error\n")[1:]
    assert name
    error = json.loads(data.partition(b"data: ")[2])
    assert error == {"type": "error", "error": {"type": kind, "message": "Too many requests"}}
    reader = StreamReader(Ask())
    reader.feed(out)
    answer = reader.close()
    assert (answer.ending, answer.error_type) == (Ending.UPSTREAM_ERROR, error_type)


def test_the_reader_of_messages_finds_everything_in_it():
    reader = StreamReader(Ask())
    reader.feed(decoded(BINARY))
    answer = reader.close()
    [usage] = [fact for fact in answer.facts if isinstance(fact, Usage)]
    [call] = [fact for fact in answer.facts if isinstance(fact, ToolCall)]
    assert (usage.input, usage.output, usage.cache_read) == (10, 5, 3)
    assert (call.tool, call.call_id, json.loads(call.input)) == ("read_file", "toolu_1", {"path": "a.py"})
    assert answer.ending is Ending.COMPLETE


def test_base64_of_any_event_length():
    for length in range(1, 10):
        event = json.dumps({"type": "x" * length}).encode()
        assert base64.b64encode(event) in chunk(event)
        assert decoded(chunk(event)) == b"event: " + b"x" * length + b"\ndata: " + event + b"\n\n"
