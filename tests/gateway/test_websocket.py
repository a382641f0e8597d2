"""Responses over WebSocket: what passes, what is recorded, what the tools do."""

import asyncio
import json
from dataclasses import replace

import pytest

from coderai.demo.answers import SOME, Tool
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Message, Pause, Reply, Stall
from coderai.demo.sockets import event_data
from coderai.gateway.websocket_turns import Sessions
from coderai.records import Ending, Thought, ToolCall, Usage
from coderai.settings import ProviderConfig
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, Opening
from tests.gateway.websockets import ASK, CODEX, COPILOT, connected, create, user

PATCH = Tool("apply_patch", "*** Begin Patch", id="call_patch")
READ = Tool("read_file", {"path": "a.py"}, id="call_read")


async def test_an_answer_arrives_message_for_message(opened: Opening):
    reply = responses_answer(text="done", reasoning="hm", tools=[READ])
    async with opened(reply) as setting, connected(setting) as client:
        await client.say(ASK)
        assert [text.encode() for text in await client.raw_answer()] == [event_data(event) for event in reply.events]


async def test_prompt_usage_tool_call_and_thought_are_recorded(opened: Opening):
    async with opened(responses_answer(text="done", reasoning="hm", tools=[READ])) as setting:
        async with connected(setting) as client:
            await client.ask(ASK)
        started, end = setting.notebook.begun[0], setting.notebook.only_end
    assert (started.prompt, started.model, started.stream) == ("fix the test", "gpt-5.3-codex", True)
    assert (started.client, started.client_session_id) == ("Codex", CODEX["session-id"])
    assert (started.initiator_name, started.provider, started.provider_name) == ("alice", "openai", "openai")
    assert (end.ending, end.http_status, end.error_type) == (Ending.COMPLETE, 200, None)
    assert end.first_byte_at is not None
    assert [(fact.input, fact.output) for fact in end.answer.facts if isinstance(fact, Usage)] == [
        (SOME.input, SOME.output)
    ]
    assert [(fact.tool, fact.call_id) for fact in end.answer.facts if isinstance(fact, ToolCall)] == [
        ("read_file", "call_read")
    ]
    assert [fact.text for fact in end.answer.facts if isinstance(fact, Thought)] == ["hm"]


async def test_the_provider_sees_the_clients_message_byte_for_byte(opened: Opening):
    odd = b'{ "type" : "response.create","input":"\\u0068i" ,"model":"m", "x": 12345678901234567890, "y": 1.0 }'
    async with opened(responses_answer(text="hi")) as setting, connected(setting) as client:
        await client.socket.send_str(odd.decode())
        await client.answer()
        assert setting.provider.sockets[0].messages == [Message(odd)]


async def test_the_handshake_carries_the_clients_headers_and_the_central_key(opened: Opening):
    secrets = {"Cookie": "coder_session_token=x", "X-Coder-Chat-Id": "c1"}
    async with opened(responses_answer(text="hi")) as setting:
        async with connected(setting, "/openai/v1/responses?a=b", headers=CODEX | secrets, compress=15):
            pass
        seen = setting.provider.attempts[0]
    assert seen.path == "/v1/responses?a=b"
    assert {name: seen.headers[name] for name in CODEX} == CODEX
    assert seen.headers.getall("Authorization") == [f"Bearer {CENTRAL_KEY}"]
    assert not set(secrets) & set(seen.headers)
    assert TOKEN not in str(seen.headers)
    ours = {"Host", "Accept", "Accept-Encoding", "Connection", "Upgrade", "Authorization"}
    handshake = {"Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Extensions"}
    assert {name.lower() for name in seen.headers} == {name.lower() for name in {*CODEX, *ours, *handshake}}


async def test_the_users_own_key_goes_where_it_came_from(opened: Opening):
    own = {"X-Coder-AI-Governance-Token": TOKEN}
    async with opened(responses_answer(text="hi"), keys=()) as setting:
        async with connected(setting, headers=CODEX | own, token="sk-of-the-user-0123456789") as client:
            await client.ask(ASK)
        assert setting.provider.attempts[0].headers["Authorization"] == "Bearer sk-of-the-user-0123456789"
        started = setting.notebook.begun[0]
    assert started.credential_kind == "byok"


async def test_the_clients_answer_to_the_handshake_has_the_providers_headers(opened: Opening):
    async with opened() as setting, connected(setting) as client:
        assert client.socket._response.headers["x-request-id"] == "req_of_the_handshake"


@pytest.mark.parametrize("theirs", [True, False], ids=["provider compresses", "provider does not"])
@pytest.mark.parametrize("ours", [15, 0], ids=["client compresses", "client does not"])
async def test_compression_is_negotiated_on_each_side_for_itself(opened: Opening, ours, theirs):
    reply = responses_answer(text="word " * 40_000)
    ask = create(user("x" * 70_000))
    async with opened(reply) as setting:
        setting.provider.deflate = theirs
        async with connected(setting, compress=ours) as client:
            assert bool(client.socket.compress) is bool(ours)
            await client.say(ask)
            assert [text.encode() for text in await client.raw_answer()] == [event_data(e) for e in reply.events]
        assert json.loads(setting.provider.sockets[0].messages[0].data) == ask
        assert setting.provider.sockets[0].deflated is bool(ours and theirs)


async def test_codex_warm_up_turn_with_a_tool_and_continuation(opened: Opening):
    script = [responses_answer(tools=[PATCH], id="resp_1"), responses_answer(text="done", id="resp_2")]
    metadata = {"session_id": CODEX["session-id"], "ws_request_header_x_openai_internal_codex_responses_lite": "true"}
    output = {"type": "custom_tool_call_output", "call_id": "call_patch", "output": "ok"}
    async with opened(*script) as setting:
        async with connected(setting, compress=15) as client:
            warm = await client.ask(create(generate=False, client_metadata=metadata))
            assert [event["type"] for event in warm] == ["response.created", "response.completed"]
            await client.ask(create(user("fix the test"), client_metadata=metadata, store=False))
            last = await client.ask(create(output, previous_response_id="resp_1", client_metadata=metadata))
        assert last[-1]["response"]["id"] == "resp_2"
        first, second = setting.notebook.begun
        assert setting.notebook.calls == ["call_patch"]
        assert setting.notebook.endings == [Ending.COMPLETE, Ending.COMPLETE]
        assert len(setting.provider.sockets[0].messages) == 3
    assert (first.prompt, first.tool_result_id) == ("fix the test", None)
    assert (second.prompt, second.tool_result_id) == (None, "call_patch")
    assert first.client_session_id == second.client_session_id == CODEX["session-id"]


async def test_copilot_without_a_session_of_its_own_stays_in_one(opened: Opening):
    script = [
        responses_answer(tools=[READ], id="resp_1"),
        responses_answer(text="done", id="resp_2"),
        responses_answer(text="done", id="resp_3"),
    ]
    output = {"type": "function_call_output", "call_id": "call_read", "output": "ok"}
    async with opened(*script) as setting:
        async with connected(setting, headers=COPILOT) as client:
            await client.ask(create(user("fix the test")))
            await client.ask(create(output, previous_response_id="resp_1"))
        async with connected(setting, headers=COPILOT) as client:  # it connects again in the middle
            await client.ask(create(user("and now the other"), previous_response_id="resp_2"))
        first, second, third = setting.notebook.begun
    assert (first.client, first.client_session_id) == ("GitHub Copilot (CLI)", None)
    assert (second.tool_result_id, second.client_session_id) == ("call_read", None)  # joins the thread of the call
    assert (third.prompt, third.client_session_id) == ("and now the other", first.id)


async def test_sessions_are_remembered_per_person_and_within_bounds(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting:
        async with connected(setting) as client:
            await client.ask(ASK)
        started = replace(setting.notebook.begun[0], client_session_id=None)
    sessions = Sessions()
    sessions.keep(started, None, "resp_first")
    assert (sessions.of(started.initiator_id, "resp_first"), sessions.of("bob", "resp_first")) == (started.id, None)
    for number in range(Sessions.MOST):
        sessions.keep(started, "s", f"resp_{number}")
    assert sessions.of(started.initiator_id, "resp_first") is None
    assert sessions.of(started.initiator_id, f"resp_{Sessions.MOST - 1}") == "s"


async def test_the_words_of_a_warm_up_are_those_of_the_request_that_follows(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting, connected(setting) as client:
        warm = await client.ask(create(user("fix the test"), generate=False))
        await client.ask(create(previous_response_id=warm[-1]["response"]["id"]))
        assert [each.prompt for each in setting.notebook.begun] == ["fix the test"]


async def test_a_second_request_waits_for_the_first(opened: Opening):
    stall = Stall()
    first = responses_answer(text="one", id="resp_1")
    async with opened(first.cut(2, stall, *first.events[2:]), responses_answer(text="two")) as setting:
        async with connected(setting) as client:
            await client.say(ASK)
            await client.say(create(user("and then")))
            await client.say({"type": "response.inject", "response_id": "resp_1", "input": []})
            await stall.reached.wait()
            assert len(setting.notebook.begun) == len(setting.provider.seen) == 1
            stall.release()
            assert [event["type"] for event in (await client.answer(), await client.answer()) for event in event[-1:]]
        assert [each.prompt for each in setting.notebook.begun] == ["fix the test", "and then"]
        kinds = [json.loads(message.data)["type"] for message in setting.provider.sockets[0].messages]
    assert kinds == ["response.create", "response.create", "response.inject"]


async def test_other_messages_pass_while_an_answer_is_under_way(opened: Opening):
    stall = Stall()
    reply = responses_answer(text="one")
    inject = {"type": "response.inject", "response_id": "r", "input": [{"type": "function_call_output"}]}
    async with opened(reply.cut(2, stall, *reply.events[2:])) as setting, connected(setting) as client:
        await client.say(ASK)
        await stall.reached.wait()
        await client.say(inject)
        assert json.loads((await setting.provider.sockets[0].message(1)).data) == inject
        stall.release()
        await client.answer()
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_an_error_about_another_message_is_not_the_end_of_the_answer(opened: Opening):
    stall = Stall()
    reply = responses_answer(text="one")
    error = b'{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"no such type"}}'
    async with opened(reply.cut(2, stall, Message(error), *reply.events[2:])) as setting, connected(setting) as client:
        await client.say(ASK)
        await stall.reached.wait()
        await client.say({"type": "response.unknown"})
        await setting.provider.sockets[0].message(1)
        stall.release()
        heard = [*await client.answer(), *await client.answer()]
        assert [event["type"] for event in heard if event["type"] in ("error", "response.completed")] == [
            "error",
            "response.completed",
        ]
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_answers_of_several_lanes_are_told_apart(opened: Opening):
    stall = Stall()
    slow, quick = responses_answer(text="slow", id="resp_slow"), responses_answer(tools=[READ], id="resp_quick")
    async with opened(slow.cut(2, stall, *slow.events[2:]), quick) as setting:
        async with connected(setting) as client:
            await client.say(create(user("slow"), stream_id="a"))
            await stall.reached.wait()
            await client.say(create(user("quick"), stream_id="b"))
            end = (await client.answer())[-1]
            assert (end["type"], end["stream_id"]) == ("response.completed", "b")
            stall.release()
            assert (await client.answer())[-1]["stream_id"] == "a"
        ended = [(started.prompt, end.answer.response_id) for started, end in setting.notebook.ended]
    assert ended == [("quick", "resp_quick"), ("slow", "resp_slow")]


async def test_an_error_without_a_lane_belongs_to_the_only_answer(opened: Opening):
    error = b'{"type":"error","status":400,"error":{"type":"invalid_request_error","message":"no"}}'
    async with opened(Reply(chunks=[Message(error)])) as setting, connected(setting) as client:
        await client.ask(create(user("hi"), stream_id="a"))
        assert setting.notebook.endings == [Ending.UPSTREAM_ERROR]


async def test_an_answer_that_nobody_asked_for_is_recorded(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting, connected(setting) as client:
        await client.ask(ASK)
        for event in responses_answer(text="more", id="resp_successor").events:
            await setting.provider.sockets[0].send(event_data(event))
        await client.answer()
        started, end = setting.notebook.ended[1]
    assert (started.model, started.prompt, end.answer.response_id) == ("gpt-5.3-codex", None, "resp_successor")


async def test_messages_outside_of_answers_pass_both_ways(opened: Opening):
    async with opened() as setting, connected(setting) as client:
        await client.say({"type": "response.unknown", "x": 1})
        seen = await (await setting.provider.socket()).message()
        await setting.provider.sockets[0].send(b'{"type":"rate_limits.updated"}')
        assert await client.hear() == {"type": "rate_limits.updated"}
    assert json.loads(seen.data) == {"type": "response.unknown", "x": 1}


async def test_binary_messages_of_the_provider_stay_binary(opened: Opening):
    reply = responses_answer(text="hi")
    async with opened(Reply(chunks=[Message(b"\xff\x00", True), *reply.events])) as setting:
        async with connected(setting) as client:
            await client.say(ASK)
            assert (await client.socket.receive_bytes()) == b"\xff\x00"
            await client.answer()
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_a_request_in_a_binary_message_is_recorded_as_well(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting, connected(setting) as client:
        await client.say(json.dumps(ASK).encode())
        await client.answer()
        assert [each.prompt for each in setting.notebook.begun] == ["fix the test"]
        assert setting.provider.sockets[0].messages[0].binary


async def test_the_end_waits_for_the_record(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting, connected(setting) as client:
        setting.notebook.may_end.clear()
        await client.say(ASK)
        await setting.notebook.end_asked.wait()
        heard = [await client.hear() for _ in range(len(responses_answer(text="hi").events) - 1)]
        assert heard[-1]["type"] == "response.output_item.done"
        setting.notebook.may_end.set()
        assert (await client.hear())["type"] == "response.completed"


async def test_the_start_is_recorded_before_the_provider_hears_of_it(opened: Opening):
    pause = Pause(0.0)
    reply = Reply(chunks=[pause, *responses_answer(text="hi").events])
    async with opened(reply) as setting, connected(setting) as client:
        await client.say(ASK)
        await pause.reached.wait()
        assert len(setting.notebook.begun) == 1
        await client.answer()


async def test_an_answer_may_come_before_the_request_is_written(opened: Opening):
    events = [event_data(event) for event in responses_answer(text="hi").events]
    async with opened(max_bytes=64 << 20) as setting, connected(setting) as client:
        provider = await setting.provider.socket()
        assert provider.request.transport is not None
        provider.request.transport.pause_reading()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.say(create(user("x" * (32 << 20)))))
            while not setting.notebook.begun:
                await asyncio.sleep(0)
            for event in events[:-1]:
                await provider.send(event)
                await client.hear()
            provider.request.transport.resume_reading()
            await provider.send(events[-1])
            await client.hear()
        assert len(setting.notebook.begun) == 1
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_several_turns_on_one_socket_are_an_interception_each(opened: Opening):
    async with opened(*(responses_answer(text="hi") for _ in range(5))) as setting, connected(setting) as client:
        for number in range(5):
            await client.ask(create(user(f"number {number}")))
        assert [each.prompt for each in setting.notebook.begun] == [f"number {number}" for number in range(5)]
        assert setting.notebook.endings == [Ending.COMPLETE] * 5
        assert len(setting.watch) == 0


async def test_pings_are_answered(opened: Opening):
    async with opened() as setting, connected(setting, autoping=False) as client:
        await client.socket.ping(b"are you there")
        pong = await client.socket.receive(5)
        assert (pong.type.name, pong.data) == ("PONG", b"are you there")


@pytest.mark.parametrize(
    ("kind", "path", "upstream"),
    [
        ("copilot", "/responses", "/responses"),
        ("openai", "/v1/responses", "/responses"),
        ("openai-compat", "/v1/responses", "/responses"),
    ],
)
async def test_the_types_of_the_openai_family_that_take_the_users_own(opened: Opening, kind, path, upstream):
    own = {"X-Coder-AI-Governance-Token": TOKEN, "chatgpt-account-id": "a", "copilot-integration-id": "b"}

    def configured(url: str) -> list[ProviderConfig]:
        return [ProviderConfig(kind, "mine", url)]

    async with opened(responses_answer(text="hi"), configured=configured) as setting:
        async with connected(setting, "/mine" + path, headers=own, token="gho_0123456789abcdef") as client:
            await client.ask(ASK)
        attempt, started = setting.provider.attempts[0], setting.notebook.begun[0]
    assert (attempt.path, attempt.headers["Authorization"]) == (upstream, "Bearer gho_0123456789abcdef")
    assert (attempt.headers["chatgpt-account-id"], attempt.headers["copilot-integration-id"]) == ("a", "b")
    assert (started.provider_name, started.credential_kind) == ("mine", "byok")


async def test_a_short_path_does_as_well(opened: Opening):
    async with opened(responses_answer(text="hi")) as setting, connected(setting, "/openai/responses") as client:
        await client.ask(ASK)
        assert setting.provider.attempts[0].path == "/v1/responses"
