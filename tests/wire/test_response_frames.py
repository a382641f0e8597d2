"""Messages of the Responses API on a WebSocket: what they ask for, what they say, and that nothing makes us stumble."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.demo.answers import Tool
from coderai.demo.answers_responses import responses_answer
from coderai.demo.sockets import event_data
from coderai.errors import Invalid
from coderai.records import Ending, ErrorType, Usage
from coderai.wire.response_frames import (
    Kind,
    Reader,
    created_model,
    error_message,
    lane_of,
    read_message,
    steer_refused,
)

ANSWER = responses_answer(text="done", reasoning="hm", tools=[Tool("read_file", {"a": 1}, id="call_1")], id="resp_1")
EVENTS = [event_data(event) for event in ANSWER.events]
REPLY = b'{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"no such type"}}'
NUMBERED = b'{"type":"error","sequence_number":3,"code":"server_error","message":"oops"}'


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('{"type":"response.create"}', Kind.CALL),
        ('{"type":"response.create","generate":true}', Kind.CALL),
        ('{"type":"response.create","generate":null}', Kind.CALL),
        ('{"type":"response.create","generate":0}', Kind.CALL),
        ('{"type":"response\\u002ecreate"}', Kind.CALL),
        ('{"type":"response.create","generate":false}', Kind.WARM_UP),
        ('{"type":"response.create","x":{"generate":true},"generate":false}', Kind.WARM_UP),
        ('{"type":"response.steer"}', Kind.STEER),
        ('{"type":"response.inject"}', Kind.OTHER),
        ('{"x":{"type":"response.create"}}', Kind.OTHER),
        ('{"type":["response.create"]}', Kind.OTHER),
        ('{"type":7}', Kind.OTHER),
        ("{}", Kind.OTHER),
    ],
)
def test_kinds_of_messages(message, kind):
    assert read_message(message.encode()).kind is kind


@pytest.mark.parametrize(
    "message",
    [
        '{"type":"response.create","type":"x"}',
        '{"type":"x","type":"response.create"}',
        '{"type":"response.create","generate":true,"generate":false}',
        '{"type":"response.create","generate":false,"generate":1}',
        '{"type":"response.create","type":"response.create","generate":false,"generate":null}',
    ],
)
def test_what_any_reader_could_take_for_a_call_is_one(message):
    assert read_message(message.encode()).kind is Kind.CALL


def test_a_call_is_a_stream_whatever_it_says():
    asked = {"type": "response.create", "stream": False, "model": "m", "input": "hi", "previous_response_id": "r"}
    message = read_message(json.dumps(asked | {"stream_id": "lane"}).encode())
    assert (message.ask.stream, message.ask.model, message.ask.prompt) == (True, "m", "hi")
    assert (message.previous, message.lane) == ("r", "lane")


def test_members_of_the_wrong_type_are_not_read():
    message = read_message(b'{"type":"response.create","stream_id":7,"previous_response_id":[],"input":7,"model":null}')
    assert (message.kind, message.lane, message.previous, message.ask.prompt) == (Kind.CALL, "", "", None)


@pytest.mark.parametrize("data", [b"", b"hi", b"[]", b"7", b'{"type":', b"\xff\xfe", b"[" * 100_000, b"{}{}", b'"x"'])
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(Invalid, match="not a JSON object"):
        read_message(data)


def test_lone_surrogates_and_nan_are_read():
    message = read_message(b'{"type":"response.create","input":"a \\ud800","x":NaN}')
    assert (message.kind, message.ask.prompt) == (Kind.CALL, "a \ud800")


def test_an_answer_is_read_to_its_end():
    reader = Reader()
    assert [reader.feed(event) for event in EVENTS] == [False] * (len(EVENTS) - 1) + [True]
    learned = reader.close()
    assert (learned.ending, learned.response_id, reader.calls) == (Ending.COMPLETE, "resp_1", ["call_1"])
    assert len([fact for fact in learned.facts if isinstance(fact, Usage)]) == 1


@pytest.mark.parametrize("count", range(len(EVENTS)))
def test_half_an_answer_broke_off(count):
    reader = Reader()
    for event in EVENTS[:count]:
        reader.feed(event)
    assert reader.close().ending is Ending.BROKEN_OFF


def test_an_error_first_is_the_refusal_of_the_request():
    reader = Reader()
    assert reader.feed(REPLY)
    assert (reader.status, reader.close().error_type) == (400, ErrorType.BAD_REQUEST)
    assert (reader.close().ending, reader.close().error_message) == (Ending.UPSTREAM_ERROR, "no such type")


def test_an_error_later_is_an_end_unless_the_client_said_something_else():
    quiet, disturbed = Reader(), Reader()
    disturbed.disturbed = True
    for reader in (quiet, disturbed):
        reader.feed(EVENTS[0])
    assert (quiet.feed(REPLY), disturbed.feed(REPLY)) == (True, False)
    assert disturbed.feed(NUMBERED)
    assert disturbed.close().error_type is ErrorType.SERVER_ERROR


@pytest.mark.parametrize("end", [b"response.completed", b"response.failed", b"response.incomplete", b"error"])
def test_an_end_that_cannot_be_read_is_one(end):
    reader = Reader()
    assert reader.feed(b'{"type":"' + end + b'","response":')
    assert reader.close().trouble


def test_a_huge_message_is_not_read_but_its_end_is_seen():
    reader = Reader()
    assert not reader.feed(b'{"type":"response.output_item.done","x":"' + b"y" * (17 << 20) + b'"}')
    assert reader.feed(b'{"type":"response.completed","x":"' + b"y" * (17 << 20) + b'"}')
    assert "too long" in str(reader.close().trouble)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([*EVENTS, REPLY, NUMBERED]))))
def test_no_message_of_a_provider_makes_the_reader_raise(messages):
    reader = Reader()
    reader.disturbed = len(messages) % 2 == 0
    for message in messages:
        assert reader.feed(message) in (True, False)
        assert isinstance(lane_of(message), str)
        created_model(message)
    reader.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["type", "generate", "input", "stream_id", "previous_response_id", "model", "client_metadata", "stream", "status"]
)


@settings(deadline=None)
@given(st.dictionaries(MEMBERS, JSON))
def test_no_odd_member_makes_a_message_unreadable(members):
    data = json.dumps({"type": "response.create"} | members).encode("utf-8", "surrogatepass")
    assert read_message(data).kind in Kind
    reader = Reader()
    reader.feed(data)
    reader.feed(json.dumps({"type": "response.completed", "response": members}).encode())
    assert reader.close().ending in Ending


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_client_message_is_read_or_invalid(data):
    with suppress(Invalid):
        read_message(data)


def test_the_model_of_an_answer_that_begins():
    assert created_model(EVENTS[0]) == "gpt-5.3-codex"
    assert created_model(EVENTS[1]) is None
    assert created_model(b'{"type":"x","text":"response.created"}') is None
    assert created_model(b'{"type":"response.created"') is None


def test_our_error_has_the_form_of_the_api():
    assert json.loads(error_message(503, "try later", "lane")) == {
        "type": "error",
        "status": 503,
        "error": {"message": "try later", "type": "server_error", "param": None, "code": "service_unavailable"},
        "stream_id": "lane",
    }


def test_a_steer_gets_its_input_back():
    said = {"type": "response.steer", "previous_response_id": "resp_1", "input": "stop that"}
    answer = json.loads(steer_refused(json.dumps(said).encode(), "not here"))
    assert (answer["type"], answer["error"]["code"]) == ("response.steer.failed", "steering_not_supported")
    assert answer["steer"] == {"previous_response_id": "resp_1", "input": "stop that"}
