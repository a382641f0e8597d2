"""What the three APIs read from a request, and the one edit that is ever made."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coderai.errors import Invalid
from coderai.records import Api, Ask
from coderai.wire import chat, messages, responses
from coderai.wire.apis import WIRES

each_api = pytest.mark.parametrize("api", list(Api))


def ask(api: Api, **members: Any) -> Ask:
    return WIRES[api].read_request(json.dumps({"model": "m", "stream": True} | members).encode())


def user(*content: Any) -> dict[str, Any]:
    alone = len(content) == 1 and not isinstance(content[0], dict)
    return {"role": "user", "content": content[0] if alone else list(content)}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def result(call_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": [text("output")]}


REMINDER = text("<system-reminder>\nToday is Monday.\n</system-reminder>\n")
DETAILS = text("\n\n<environment_details>\nMessage time: 2026-11-21T15:33:54Z\n</environment_details>")
NOT_COMPLETE = text("[SYSTEM] This run is not complete until you call one of these terminal completion tools: submit.")
BETWEEN = "<system-reminder>a</system-reminder> b <system-reminder>c</system-reminder>"
SYSTEM = {"role": "system", "content": "mid-conversation rules"}
IMAGE = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
ASSISTANT = {"role": "assistant", "content": "done"}


@pytest.mark.parametrize(
    ("conversation", "prompt", "tool_result"),
    [
        ([user("List the files\n")], "List the files\n", None),
        ([user(text("first"), text("last"))], "last", None),
        ([user(REMINDER, text("What is this?"))], "What is this?", None),
        ([user(text("What is this?"), REMINDER)], "What is this?", None),
        ([user(REMINDER, REMINDER)], None, None),
        ([user(text("What is this?"), DETAILS)], "What is this?", None),
        ([user(text("What is this?"), NOT_COMPLETE)], "What is this?", None),
        ([user(NOT_COMPLETE)], None, None),
        ([user("<environment_details>a</system-reminder>")], "<environment_details>a</system-reminder>", None),
        ([user("<system-reminder>a</system-reminder>")], None, None),
        ([user(BETWEEN)], BETWEEN, None),
        ([user("Why <system-reminder>?")], "Why <system-reminder>?", None),
        ([user("first"), SYSTEM], "first", None),
        ([user("first"), SYSTEM, {"role": "developer", "content": "x"}], "first", None),
        ([user("first"), ASSISTANT, SYSTEM], None, None),
        ([user("q"), ASSISTANT, user(result("toolu_1"), result("toolu_2"))], None, "toolu_2"),
        ([user("q"), ASSISTANT, user(result("toolu_1"), REMINDER), SYSTEM], None, "toolu_1"),
        ([user("q"), ASSISTANT, user(result("toolu_1"), text("and now?"))], "and now?", "toolu_1"),
        ([user("q"), ASSISTANT, user(result("toolu_1")), user("and now?")], "and now?", "toolu_1"),
        ([user(result("toolu_0")), ASSISTANT, user("new")], "new", None),
        ([user(IMAGE, IMAGE)], None, None),
        ([user("   \n")], None, None),
        ([user("")], None, None),
        ([SYSTEM], None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_messages_prompt_and_tool_result(
    conversation: list[Any] | None, prompt: str | None, tool_result: str | None
) -> None:
    asked = ask(Api.MESSAGES, messages=conversation)

    assert (asked.prompt, asked.tool_result_id, asked.trouble) == (prompt, tool_result, None)


TOOL = {"role": "tool", "tool_call_id": "call_1", "content": "output"}


@pytest.mark.parametrize(
    ("conversation", "prompt", "tool_result"),
    [
        ([user("Hello")], "Hello", None),
        ([user(text("a"), {"type": "image_url", "image_url": {"url": "data:"}})], "a", None),
        ([user(text("a"), REMINDER)], "a", None),
        ([user({"type": "image_url", "image_url": {"url": "data:"}})], None, None),
        ([user("")], None, None),
        ([SYSTEM, user("Hello"), SYSTEM], "Hello", None),
        ([user("q"), ASSISTANT, TOOL], None, "call_1"),
        ([user("q"), ASSISTANT, TOOL, TOOL | {"tool_call_id": "call_2"}], None, "call_2"),
        ([user("q"), ASSISTANT, TOOL, user({"type": "image_url"})], None, "call_1"),
        ([user("q"), ASSISTANT, TOOL, ASSISTANT, user("next")], "next", None),
        (None, None, None),
    ],
)
def test_chat_prompt_and_tool_result(
    conversation: list[Any] | None, prompt: str | None, tool_result: str | None
) -> None:
    asked = ask(Api.CHAT, messages=conversation)

    assert (asked.prompt, asked.tool_result_id, asked.trouble) == (prompt, tool_result, None)


OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "ok"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
TOOLS = {"type": "additional_tools", "role": "developer", "tools": []}


def typed(*parts: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": part} for part in parts]
    return {"type": "message", "role": "user", "content": content}


@pytest.mark.parametrize(
    ("asked", "prompt", "tool_result"),
    [
        ("Hello", "Hello", None),
        ("", None, None),
        ([typed("<environment_context/>"), typed("one", "two")], "one\ntwo", None),
        ([typed("one", "<system-reminder>x</system-reminder>")], "one", None),
        ([user("plain")], "plain", None),
        ([typed("one"), TOOLS], "one", None),
        ([typed("one"), CALL, OUTPUT], None, "call_1"),
        ([OUTPUT], None, "call_1"),
        ([CALL, OUTPUT, {"type": "custom_tool_call_output", "call_id": "call_2", "output": "x"}], None, "call_2"),
        ([CALL, OUTPUT, {"type": "local_shell_call_output", "call_id": "call_3", "output": "x"}], None, "call_3"),
        ([CALL, OUTPUT, typed("stop")], "stop", "call_1"),
        ([CALL, OUTPUT, {"type": "message", "role": "assistant", "content": []}, typed("next")], "next", None),
        ([CALL, OUTPUT | {"call_id": ""}], None, None),
        ([{"type": "input_image", "role": "user"}], None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_responses_prompt_and_tool_result(asked: Any, prompt: str | None, tool_result: str | None) -> None:
    read = ask(Api.RESPONSES, input=asked)

    assert (read.prompt, read.tool_result_id, read.trouble) == (prompt, tool_result, None)


@pytest.mark.parametrize(
    ("api", "stream", "expected"),
    [
        (Api.MESSAGES, True, True),
        (Api.MESSAGES, "true", False),
        (Api.MESSAGES, 1, False),
        (Api.MESSAGES, None, False),
        (Api.CHAT, True, True),
        (Api.CHAT, 1, True),
        (Api.CHAT, False, False),
        (Api.RESPONSES, True, True),
        (Api.RESPONSES, 1, False),
    ],
)
def test_stream(api: Api, stream: Any, expected: bool) -> None:
    assert ask(api, stream=stream).stream is expected


@pytest.mark.parametrize(
    ("api", "model", "expected"),
    [
        (Api.MESSAGES, "claude", "claude"),
        (Api.MESSAGES, 5, ""),
        (Api.CHAT, ["gpt"], ""),
        (Api.RESPONSES, 123, "123"),
        (Api.RESPONSES, True, ""),
        (Api.RESPONSES, None, ""),
    ],
)
def test_model(api: Api, model: Any, expected: str) -> None:
    assert ask(api, model=model).model == expected


@pytest.mark.parametrize(
    ("api", "members", "hint"),
    [
        (Api.MESSAGES, {"metadata": {"user_id": "user_x_session_1"}}, "user_x_session_1"),
        (Api.MESSAGES, {"metadata": {"user_id": 5}}, None),
        (Api.MESSAGES, {"metadata": "user_id"}, None),
        (Api.MESSAGES, {}, None),
        (Api.CHAT, {"metadata": {"user_id": "x"}}, None),
        (Api.RESPONSES, {"client_metadata": {"session_id": "s"}}, "s"),
        (Api.RESPONSES, {"client_metadata": {}}, None),
    ],
)
def test_session_hint(api: Api, members: dict[str, Any], hint: str | None) -> None:
    assert ask(api, **members).session_hint == hint


@pytest.mark.parametrize(
    ("metadata", "hint"),
    [({"x-codex-turn-metadata": "{}"}, "{}"), ({"x-codex-turn-metadata": {}}, None), ({}, None), ("text", None)],
)
def test_turn_hint(metadata: Any, hint: str | None) -> None:
    assert ask(Api.RESPONSES, client_metadata=metadata).turn_hint == hint


def test_background() -> None:
    assert ask(Api.RESPONSES, background=True).background
    assert not ask(Api.RESPONSES, background="yes").background


@pytest.mark.parametrize("body", [b"", b"  ", b"{", b"[]", b"null", b'"x"', b"{}x", b"\xff", b"[" * 200_000])
@each_api
def test_what_is_no_object_is_refused(api: Api, body: bytes) -> None:
    with pytest.raises(Invalid, match="not a JSON object"):
        WIRES[api].read_request(body)


@pytest.mark.parametrize("wrong", [5, {"role": "user"}, [5], ["x"], [["x"]], True])
@each_api
def test_a_wrong_conversation_is_trouble_and_nothing_more(api: Api, wrong: Any) -> None:
    asked = ask(api, messages=wrong, input=wrong)

    assert (asked.model, asked.stream, asked.prompt) == ("m", True, None)
    assert asked.trouble


ODD = [
    pytest.param(b'{"model":"m","n":12345678901234567890123,%s}', id="an integer of 23 digits"),
    pytest.param(b'{"model":"m","x":"\\ud83d",%s}', id="a lone surrogate"),
    pytest.param(b'{"model":"m","x":NaN,%s}', id="NaN"),
    pytest.param(b'{"model":"other","messages":5,"input":5,"model":"m",%s}', id="repeated members"),
    pytest.param(b'\xef\xbb\xbf{"model":"m",%s}', id="a byte order mark"),
    pytest.param(b' \n{"\\u006dodel":"m",%s}\r\n', id="an escaped name"),
]


@pytest.mark.parametrize("body", ODD)
@each_api
def test_odd_but_common_json_is_read(api: Api, body: bytes) -> None:
    conversation = b'[{"role":"user","content":"\\ud83d Hello \\u0000","n":18446744073709551616}]'
    asked = WIRES[api].read_request(body % (b'"messages":%s,"input":%s' % (conversation, conversation)))

    assert (asked.model, asked.prompt, asked.trouble) == ("m", "\ud83d Hello \0", None)


@settings(max_examples=200, deadline=None)
@given(api=st.sampled_from(Api), body=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_or_read(api: Api, body: bytes) -> None:
    with suppress(Invalid):
        assert isinstance(WIRES[api].read_request(body), Ask)


NAMES = st.sampled_from(["role", "content", "type", "text", "tool_use_id", "call_id", "user_id", "include_usage"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["user", "text", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    api=st.sampled_from(Api),
    request=st.dictionaries(
        st.sampled_from(["model", "stream", "messages", "input", "metadata", "stream_options", "client_metadata"]),
        values,
    ),
)
def test_members_of_any_type_never_raise(api: Api, request: dict[str, Any]) -> None:
    body = json.dumps(request).encode()
    asked = WIRES[api].read_request(body)

    json.loads(WIRES[api].upstream_body(body, asked))


# ---- the edit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [messages, responses])
def test_two_apis_need_no_edit(wire: Any) -> None:
    body = b'{"stream":true,"messages":[],"input":[]}'

    assert wire.upstream_body(body, wire.read_request(body)) is body


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":[]}',
        b'{"stream":false,"stream_options":{}}',
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":true,"stream_options":{"include_usage":false},"stream_options":{ "include_usage" : true } }',
        b'{"stream":true,"stream_options":5}',
        b'{"stream":true,"stream_options":{"include_usage":"yes"}}',
    ],
)
def test_chat_bodies_that_stay(body: bytes) -> None:
    assert chat.upstream_body(body, chat.read_request(body)) is body


WISH = b'"include_usage":true'


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b'{"stream":true}', b'{"stream":true,"stream_options":{' + WISH + b"}}"),
        (b'\n{"stream": true }\r\n ', b'\n{"stream": true ,"stream_options":{' + WISH + b"}}\r\n "),
        (b'{"stream":true,"stream_options":null}', b'{"stream":true,"stream_options":{' + WISH + b"}}"),
        (b'{"stream_options" : { } ,"stream":true}', b'{"stream_options" : { ' + WISH + b'} ,"stream":true}'),
        (
            b'{"stream_options":{"include_obfuscation":false},"stream":true}',
            b'{"stream_options":{"include_obfuscation":false,' + WISH + b'},"stream":true}',
        ),
        (
            b'{"stream_options":{"include_usage" : false,"a":{"include_usage":false}},"stream":true}',
            b'{"stream_options":{"include_usage" : true,"a":{"include_usage":false}},"stream":true}',
        ),
        (
            b'{"stream":true,"stream_options":{"include_usage":null}}',
            b'{"stream":true,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream":true,"stream_options":null,"stream_options":null,"x":1}',
            b'{"stream":true,"stream_options":null,"stream_options":{' + WISH + b'},"x":1}',
        ),
        (
            b'{"stream_options":{},"stream":true,"tools":[{"stream_options":{}},{"stream_options":{}}]}',
            b'{"stream_options":{' + WISH + b'},"stream":true,"tools":[{"stream_options":{}},{"stream_options":{}}]}',
        ),
        (
            b'{"stream":true,"messages":[{"role":"user","content":"set \\"stream_options\\":null {}"}]}',
            b'{"stream":true,"messages":[{"role":"user","content":"set \\"stream_options\\":null {}"}],'
            b'"stream_options":{' + WISH + b"}}",
        ),
        (
            b'{"stream":true,"tools":[{"stream_options":{}}]}',
            b'{"stream":true,"tools":[{"stream_options":{}}],"stream_options":{' + WISH + b"}}",
        ),
        (
            b'{"stream":true,"t":0.10,"s":"\\ud800"}',
            b'{"stream":true,"t":0.10,"s":"\\ud800","stream_options":{%s}}' % WISH,
        ),
    ],
)
def test_chat_streams_ask_for_their_usage(body: bytes, edited: bytes) -> None:
    asked = chat.read_request(body)

    assert not asked.usage_wanted
    assert chat.upstream_body(body, asked) == edited
    assert json.loads(edited)["stream_options"]["include_usage"] is True


def test_a_body_in_utf_16_is_not_damaged() -> None:
    body = '{"stream":true}'.encode("utf-16")

    assert chat.upstream_body(body, chat.read_request(body)) == body
