"""Recorded streams through the readers: whole, in pieces, cut off, damaged."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coderai.records import Answer, Api, Ask, Ending, Thought
from coderai.wire import sse
from coderai.wire.apis import WIRES
from coderai.wire.sse import StreamReader
from tests.wire.playing import Played, bare
from tests.wire.streams import ALL, CHAT, MESSAGES, RESPONSES
from tests.wire.streams_chat import PARALLEL, USAGE_ONLY
from tests.wire.streams_messages import THINKING_AND_TOOL

every_stream = pytest.mark.parametrize("played", ALL, ids=lambda played: played.name)


def reader(api: Api, usage_wanted: bool = True) -> StreamReader:
    return WIRES[api].StreamReader(Ask(stream=True, usage_wanted=usage_wanted))


def play(played: Played, *chunks: bytes) -> tuple[bytes, Answer, tuple[str, ...], bytes]:
    """Return released and held bytes together, what was learned, calls seen, and the released ones."""
    watching = reader(played.api, played.usage_wanted)
    released = b"".join(watching.feed(chunk) for chunk in chunks)
    learned = watching.close()
    return released + watching.held, learned, tuple(watching.calls), released


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def cut_at(stream: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(borders)]


@every_stream
def test_what_is_learned(played: Played) -> None:
    _, learned, calls, _ = play(played, played.stream)

    assert learned.facts == played.facts
    assert (learned.ending, learned.response_id) == (played.ending, played.response_id)
    assert (learned.error_type, learned.error_message) == played.error
    assert calls == played.calls


@every_stream
def test_the_client_gets_the_same_bytes(played: Played) -> None:
    sent, *_ = play(played, played.stream)

    assert sent == (played.stream if played.sent is None else played.sent)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@every_stream
def test_chunk_borders_do_not_matter(played: Played, size: int) -> None:
    assert play(played, *cut(played.stream, size))[:3] == play(played, played.stream)[:3]


@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
@pytest.mark.parametrize("size", [1, 5, 10_000_000])
@every_stream
def test_other_line_ends_say_the_same(played: Played, end: bytes, size: int) -> None:
    stream = played.stream.replace(b"\r\n", b"\n").replace(b"\n", end)
    sent, learned, calls, _ = play(played, *cut(stream, size))

    assert (learned, calls) == play(played, played.stream)[1:3]
    assert sent == (played.sent or played.stream).replace(b"\r\n", b"\n").replace(b"\n", end)


@pytest.mark.parametrize("size", [1, 9, 10_000_000])
@every_stream
def test_keep_alive_comments_change_nothing(played: Played, size: int) -> None:
    stream = played.stream.replace(b"\n\n", b"\n\n: keep-alive\n\n")

    assert play(played, *cut(stream, size))[1:3] == play(played, played.stream)[1:3]


@every_stream
def test_cut_off_after_each_event_nothing_is_invented(played: Played) -> None:
    events = played.stream.split(b"\n\n")
    for number in range(len(events)):
        start = b"\n\n".join(events[:number]) + b"\n\n"
        _, learned, calls, released = play(played, start)
        assert calls == played.calls[: len(calls)]
        assert len(learned.facts) <= len(played.facts)
        assert played.sent is not None or start.startswith(released)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(played=st.sampled_from(ALL), places=st.lists(st.integers(0, 10_000), max_size=40))
def test_any_chunking_gives_the_same_records_and_bytes(played: Played, places: list[int]) -> None:
    assert play(played, *cut_at(played.stream, places))[:3] == play(played, played.stream)[:3]


@settings(max_examples=300, deadline=None)
@given(api=st.sampled_from(Api), stream=st.binary(max_size=400), places=st.lists(st.integers(0, 400), max_size=8))
def test_arbitrary_bytes_pass_unchanged(api: Api, stream: bytes, places: list[int]) -> None:
    played = Played("noise", api, stream)

    assert play(played, *cut_at(stream, places))[0] == stream


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    played=st.sampled_from(ALL),
    damage=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 9), st.binary(max_size=6)), min_size=1, max_size=9
    ),
    size=st.integers(1, 3000),
)
def test_damaged_streams_never_raise_and_pass(played: Played, damage: list[tuple[int, int, bytes]], size: int) -> None:
    stream = played.stream
    for place, length, put in damage:
        place %= len(stream) + 1
        stream = stream[:place] + put + stream[place + length :]
    watching = reader(played.api)
    released = b"".join(watching.feed(chunk) for chunk in cut(stream, size))

    watching.close()
    assert released + watching.held == stream


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _members(event: Any) -> list[tuple[Any, Any]]:
    """Every place in *event* where a value stands."""
    if isinstance(event, dict):
        return [place for key, inner in event.items() for place in ((event, key), *_members(inner))]
    if isinstance(event, list):
        return [place for key, inner in enumerate(event) for place in ((event, key), *_members(inner))]
    return []


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    played=st.sampled_from([played for played in ALL if played is not MESSAGES[-1]]),
    which=st.integers(0, 500),
    where=st.integers(0, 500),
    value=json_values,
)
def test_members_of_wrong_type_never_raise(played: Played, which: int, where: int, value: Any) -> None:
    lines = played.stream.split(b"\n")
    data = [number for number, line in enumerate(lines) if line.startswith(b"data: {") and _is_json(line[6:])]
    number = data[which % len(data)]
    event = json.loads(lines[number][6:])
    places = _members(event)
    holder, key = places[where % len(places)]
    holder[key] = value
    lines[number] = b"data: " + json.dumps(event).encode()
    stream = b"\n".join(lines)

    assert play(Played("odd", played.api, stream), stream)[0] == stream


# ---- the end is held back --------------------------------------------------------------------------------------------

TERMINAL = {
    Api.MESSAGES: (MESSAGES[0].stream, b'data: {"type":"message_stop"}'),
    Api.CHAT: (CHAT[0].stream, b"data: [DONE]"),
    Api.RESPONSES: (RESPONSES[1].stream, RESPONSES[1].stream.rstrip().rpartition(b"\n")[2]),
}
each_api = pytest.mark.parametrize("api", list(Api))


@pytest.mark.parametrize("size", [1, 2, 3, 11, 1000, 10_000_000])
@each_api
def test_nothing_of_the_terminal_line_is_released(api: Api, size: int) -> None:
    stream, line = TERMINAL[api]
    watching = reader(api)
    released = b"".join(watching.feed(chunk) for chunk in cut(stream, size))

    assert watching.ended
    assert released == stream[: stream.rindex(line)]
    assert watching.held == stream[stream.rindex(line) :]


@each_api
def test_everything_before_the_end_flows_at_once(api: Api) -> None:
    stream, line = TERMINAL[api]
    before = stream[: stream.rindex(line)]
    watching = reader(api)

    for event in before.split(b"\n\n"):
        chunk = event + b"\n\n"
        assert watching.feed(chunk) == chunk


@pytest.mark.parametrize("size", [1000, 70_000, 10_000_000])
def test_of_a_long_terminal_line_only_what_no_client_can_use_goes_out(size: int) -> None:
    final = {"type": "response.completed", "response": {"id": "resp_1", "instructions": "x" * 200_000}}
    stream = b"data: " + json.dumps(final).encode() + b"\n\n"
    watching = reader(Api.RESPONSES)
    released = b"".join(watching.feed(chunk) for chunk in cut(stream, size))

    assert watching.ended
    assert b"\n" not in released
    assert watching.held.endswith(b"}\n\n")
    assert released + watching.held == stream
    assert watching.close().ending is Ending.COMPLETE


def test_what_comes_after_the_end_is_kept_within_bounds() -> None:
    watching = reader(Api.CHAT)
    end = bare("[DONE]")

    assert watching.feed(end + b": more\n\n") == b""
    assert watching.feed(b": and more\n\n") == b""
    assert watching.held == end + b": more\n\n: and more\n\n"
    watching.feed(b"x" * 200_000)
    assert len(watching.held) == len(end) - 1 + sse.TRAILING_BYTES


def test_close_says_the_same_twice() -> None:
    watching = reader(Api.MESSAGES)
    watching.feed(THINKING_AND_TOOL)

    assert watching.close() == watching.close()


def test_calls_are_known_before_their_arguments() -> None:
    watching = reader(Api.CHAT)
    watching.feed(bare(*PARALLEL[:2]))

    assert watching.calls == ["call_a"]


def test_a_malformed_event_is_skipped_and_named() -> None:
    watching = reader(Api.CHAT)
    watching.feed(b"data: {broken\n\n" + bare(*PARALLEL, "[DONE]"))
    learned = watching.close()

    assert (learned.ending, len(learned.facts)) == (Ending.COMPLETE, 2)
    assert learned.trouble is not None
    assert "unreadable event" in learned.trouble


# ---- borders and seams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("released", "at_border"),
    [
        (b"", True),
        (b"data: {}\n\n", True),
        (b"data: {}\r\n\r\n", True),
        (b"data: {}\n\ndata: {", True),  # half a line waits
        (b"data: {}\n", False),
        (b"event: x\n", False),
        (b"data: {}\r\n\r", False),  # the LF may still come
        (b"data: {" + b"x" * 100_000, False),
        (b"data: [DONE]\n\n", False),
    ],
)
def test_where_a_comment_may_stand(released: bytes, at_border: bool) -> None:
    watching = reader(Api.CHAT)
    watching.feed(released)

    assert watching.at_border is at_border


def test_a_dropped_chunk_leaves_a_border() -> None:
    watching = reader(Api.CHAT, usage_wanted=False)

    assert watching.feed(bare(PARALLEL[0]) + bare(USAGE_ONLY)) == bare(PARALLEL[0])
    assert watching.at_border


def dispatched(stream: bytes) -> list[tuple[str, str]]:
    """What a client that follows the standard makes of *stream*: names and data of its events."""
    events, name, data = [], "", []
    for line in stream.decode().split("\n"):
        field, _, value = line.partition(":")
        if not line:
            if data:
                events.append((name, "\n".join(data)))
            name, data = "", []
        elif field == "event":
            name = value.strip()
        elif field == "data":
            data.append(value.removeprefix(" "))
    return events


@pytest.mark.parametrize("place", range(0, 4000, 37))
@each_api
def test_our_error_event_stands_alone_wherever_the_stream_was_cut(api: Api, place: int) -> None:
    stream, _ = TERMINAL[api]
    watching = reader(api)
    released = watching.feed(stream[:place])
    ours = WIRES[api].error_event("it broke", watching.seam)

    events = dispatched(released + ours)
    assert events[:-1] == dispatched(stream)[: len(events) - 1]
    assert "it broke" in events[-1][1]
    assert events[-1][0] == ("" if api is Api.CHAT else "error")


@each_api
def test_the_end_that_was_not_stored_never_becomes_one(api: Api) -> None:
    stream, line = TERMINAL[api]
    watching = reader(api)
    released = watching.feed(stream)
    events = dispatched(released + WIRES[api].error_event("not stored", watching.seam))

    assert line.removeprefix(b"data: ").decode() not in [data for _, data in events]
    assert "not stored" in events[-1][1]


@pytest.mark.parametrize("seam", ["the reader's", "any"])
def test_a_half_released_terminal_line_is_made_unreadable(seam: str) -> None:
    final = {"type": "response.completed", "response": {"instructions": "x" * 100_000}}
    line = b"data: " + json.dumps(final).encode()
    watching = reader(Api.RESPONSES)
    released = watching.feed(b"event: response.completed\n" + line[:-1]) + watching.feed(line[-1:])
    wire = WIRES[Api.RESPONSES]
    events = dispatched(released + wire.error_event("cut", *[watching.seam] if seam == "the reader's" else []))

    assert not events[0][1].endswith("}")
    assert json.loads(events[1][1])["message"] == "cut"


# ---- bounds ----------------------------------------------------------------------------------------------------------


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    watching = reader(Api.MESSAGES)
    watching.feed(
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}\n\n'
    )
    thought = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"%s"}}\n\n'
    for _ in range(10):
        watching.feed(thought % (b"x" * (1 << 20)))
    learned = watching.close()

    assert isinstance(learned.facts[0], Thought)
    assert 7 << 20 <= len(learned.facts[0].text) <= 8 << 20
    assert learned.trouble is not None
    assert "were not kept" in learned.trouble


def test_a_line_too_long_to_be_read_still_ends_the_answer() -> None:
    watching = reader(Api.RESPONSES)
    watching.feed(b'data: {"type":"response.completed","response":{"output":[')
    for _ in range(17):
        watching.feed(b"1," * (1 << 19))
    watching.feed(b"1]}}\n\n")
    learned = watching.close()

    assert watching.ended
    assert watching.held == b"1]}}\n\n"
    assert learned.trouble is not None
    assert "too long" in learned.trouble


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    watching = reader(Api.CHAT)
    watching.feed(b"\xef\xbb\xbf" * 5000 + b"\n\n\xef\xbb\xbf" + bare("[DONE]"))

    assert watching.ended


def test_a_json_text_over_many_lines_is_given_up_in_time() -> None:
    watching = reader(Api.MESSAGES)
    released = watching.feed(b"data: }\n" * 20_000 + b"\n")

    assert len(released) == 160_001
    assert watching.close().trouble is not None
