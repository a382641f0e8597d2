"""What is relayed and what is recorded, for the three wire APIs, streamed and not."""

import json

import pytest

from coderai.demo.answers import SOME, Tool, error_answer
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.records import Api, Ending, ErrorType, Thought, ToolCall, Usage
from tests.gateway.conftest import CENTRAL_KEY, Opening

READ_FILE = Tool("read_file", {"path": "tests/test_login.py"}, id="call_0001")

MESSAGES = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "fix the test"}]}
CHAT = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "fix the test"}]}
RESPONSES = {"model": "gpt-5.3-codex", "input": "fix the test"}

THREE_APIS = pytest.mark.parametrize(
    ("path", "body", "reply"),
    [
        ("/anthropic/v1/messages", MESSAGES, messages_answer(text="done", thinking="hm", tools=[READ_FILE])),
        ("/openai/v1/chat/completions", CHAT, chat_answer(text="done", reasoning="hm", tools=[READ_FILE])),
        ("/openai/v1/responses", RESPONSES, responses_answer(text="done", reasoning="hm", tools=[READ_FILE])),
    ],
    ids=["messages", "chat", "responses"],
)


@THREE_APIS
async def test_a_whole_answer_arrives_byte_for_byte(opened: Opening, path, body, reply):
    async with opened(reply) as setting, setting.post(path, body) as answer:
        assert answer.status == 200
        assert await answer.read() == reply.whole


@THREE_APIS
async def test_a_stream_arrives_byte_for_byte(opened: Opening, path, body, reply):
    wants_usage = {"stream_options": {"include_usage": True}}
    async with opened(reply) as setting, setting.post(path, body | {"stream": True} | wants_usage) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert await answer.read() == reply.body


@THREE_APIS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_prompt_usage_tool_call_and_thought_are_recorded(opened: Opening, path, body, reply, stream):
    async with opened(reply) as setting:
        async with setting.post(path, body | {"stream": stream}) as answer:
            await answer.read()
        started, end = setting.notebook.begun[0], setting.notebook.only_end
    assert (started.prompt, started.model, started.stream) == ("fix the test", body["model"], stream)
    assert started.initiator_name == "alice"
    assert (end.ending, end.http_status, end.error_type) == (Ending.COMPLETE, 200, None)
    usage = [fact for fact in end.answer.facts if isinstance(fact, Usage)]
    calls = [fact for fact in end.answer.facts if isinstance(fact, ToolCall)]
    thoughts = [fact for fact in end.answer.facts if isinstance(fact, Thought)]
    assert [(u.input, u.output) for u in usage] == [(SOME.input, SOME.output)]
    assert [(c.tool, c.call_id, json.loads(c.input)) for c in calls] == [
        ("read_file", "call_0001", {"path": "tests/test_login.py"})
    ]
    assert [thought.text for thought in thoughts] == ["hm"]


@THREE_APIS
async def test_an_upstream_error_passes_with_its_status_and_headers(opened: Opening, path, body, reply):
    api = {"messages": Api.MESSAGES, "completions": Api.CHAT, "responses": Api.RESPONSES}[path.rpartition("/")[2]]
    error = error_answer(api, 429, "slow down", {"Retry-After": "7", "request-id": "req_1", "Set-Cookie": "a=b"})
    async with opened(error) as setting:
        async with setting.post(path, body | {"stream": True}) as answer:
            assert (answer.status, await answer.read()) == (429, error.body)
            assert (answer.headers["Retry-After"], answer.headers["request-id"]) == ("7", "req_1")
            assert "Set-Cookie" not in answer.headers
        end = setting.notebook.only_end
    assert (end.ending, end.error_type, end.error_message) == (
        Ending.UPSTREAM_ERROR,
        ErrorType.RATE_LIMITED,
        "slow down",
    )
    assert setting.notebook.begun[0].prompt == "fix the test"


async def test_the_provider_sees_the_central_key_and_no_gateway_credential(opened: Opening):
    secrets = {"Cookie": "coder_session_token=x", "X-Coder-Chat-Id": "c1", "X-Forwarded-For": "10.0.0.1"}
    kept = {"anthropic-beta": "a,b", "User-Agent": "claude-cli/2.1.329", "X-Custom": "stays"}
    async with opened(messages_answer(text="hi")) as setting:
        async with setting.post("/anthropic/v1/messages?beta=true", MESSAGES, headers=secrets | kept) as answer:
            await answer.read()
        seen = setting.provider.seen[0]
    assert seen.path == "/v1/messages?beta=true"
    assert seen.headers["X-Api-Key"] == CENTRAL_KEY
    assert "Authorization" not in seen.headers
    assert not set(secrets) & set(seen.headers)
    assert {name: seen.headers[name] for name in kept} == kept
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert seen.headers["Accept-Encoding"] == "identity"


async def test_the_request_body_goes_upstream_byte_for_byte(opened: Opening):
    odd = b'{ "messages":[{"role":"user","content":"\\u0068i"}] ,"max_tokens": 1.0, "x": 12345678901234567890 }'
    async with opened(messages_answer(text="hi")) as setting:
        headers = {"Authorization": "Bearer WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe", "Content-Type": "application/json"}
        async with setting.client.post(setting.url + "/anthropic/v1/messages", data=odd, headers=headers) as answer:
            assert answer.status == 200
        assert setting.provider.seen[0].body == odd


async def test_usage_is_asked_for_and_its_chunk_kept_from_a_client_that_did_not_ask(opened: Opening):
    reply = chat_answer(text="hi")
    async with opened(reply) as setting:
        async with setting.post("/openai/v1/chat/completions", CHAT | {"stream": True}) as answer:
            text = await answer.read()
        assert setting.provider.seen[0].wants_usage
        end = setting.notebook.only_end
    assert b'"choices":[]' not in text
    assert text.endswith(b"data: [DONE]\n\n")
    assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [SOME.output]


async def test_a_long_whole_answer_is_relayed_and_recorded(opened: Opening):
    reply = messages_answer(text="long " * 600_000)
    async with opened(reply) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert await answer.read() == reply.whole
        end = setting.notebook.only_end
    assert [fact.output for fact in end.answer.facts if isinstance(fact, Usage)] == [SOME.output]


async def test_background_responses_are_refused_and_recorded_as_refused(opened: Opening):
    async with opened() as setting:
        async with setting.post("/openai/v1/responses", RESPONSES | {"background": True}) as answer:
            assert answer.status == 501
            assert "background" in (await answer.json())["error"]["message"]
        assert setting.notebook.endings == [Ending.REFUSED]
        assert setting.provider.seen == []


async def test_a_tool_call_is_told_before_the_end(opened: Opening):
    async with opened(messages_answer(text="", tools=[READ_FILE])) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES | {"stream": True}) as answer:
            await answer.read()
        assert setting.notebook.calls == ["call_0001"]
