"""The circuit breaker in the data plane: what opens it, what is said meanwhile, how it is probed."""

import asyncio
import json
import logging

import pytest

from coderai.demo.answers import error_event
from coderai.demo.provider import BreakOff, Pause, Reply
from coderai.gateway.calling import told as log_change
from coderai.providers.breaker import Breakers, Rule, State
from coderai.records import Api, Ending
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.raw import connect, request
from tests.gateway.test_faults import CLIENTS, KEYS, THREE_APIS_TWICE, ask, circuit, is_refusal, touchy
from tests.gateway.test_recorded import MESSAGES
from tests.providers.test_keys import Clock

MESSAGES_WHOLE, MESSAGES_STREAM = CLIENTS[:2]
STREAMS = pytest.mark.parametrize("client", CLIENTS[1::2], ids=lambda client: str(client.api))


@THREE_APIS_TWICE
async def test_while_it_is_open_nothing_goes_out_and_everything_is_recorded(opened: Opening, client):
    clock = Clock()
    breakers = Breakers(Rule(threshold=2, timeout=30, probes=1), clock=clock)
    error = client.error(503)
    async with opened(error, error, client.answer, client.answer, breakers=breakers) as setting:
        for _ in range(2):
            assert (await ask(setting, client)).body == error.body
        clock.now += 0.5
        rejected = await ask(setting, client)
        assert (rejected.status, rejected.headers["Retry-After"]) == (503, "30")
        assert is_refusal(client, rejected)
        said = json.loads(rejected.body)["error"]
        assert said["message"] == "circuit breaker is open"
        if client.api is Api.MESSAGES:
            assert said["type"] == "overloaded_error"
        else:
            assert (said["type"], said["code"]) == ("server_error", "service_unavailable")
        assert (len(setting.provider.seen), len(setting.notebook.begun)) == (2, 3)
        end = setting.notebook.ended[2][1]
        assert (end.ending, end.http_status, end.error_message) == (Ending.REFUSED, 503, "circuit breaker is open")
        clock.now += 30
        assert (await ask(setting, client)).status == 200
        assert circuit(breakers) is State.CLOSED
        assert (await ask(setting, client)).status == 200


async def test_only_that_route_and_model_of_that_instance_is_left_alone(opened: Opening):
    messages, chat, responses = CLIENTS[::2]
    async with opened(chat.error(503), *[each.answer for each in (chat, responses, messages)], breakers=touchy()) as s:
        assert (await ask(s, chat)).status == 503
        async with s.post(chat.path, chat.body | {"model": "another"}) as answer:
            assert answer.status == 200
        assert (await ask(s, responses)).status == (await ask(s, messages)).status == 200
        assert (await ask(s, chat)).status == 503
        assert len(s.provider.seen) == 4


async def test_what_is_passed_through_is_not_broken(opened: Opening):
    failing = Reply(status=503, chunks=[b"{}"])
    breakers = touchy()
    async with opened(failing, failing, breakers=breakers) as setting:
        for _ in range(2):
            url, headers = setting.url + "/openai/v1/models", {"Authorization": f"Bearer {TOKEN}"}
            async with setting.client.get(url, headers=headers) as answer:
                assert answer.status == 503
        assert len(setting.provider.seen) == 2
    assert len(breakers) == 0


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("server_error", State.OPEN),
        ("server_is_overloaded", State.OPEN),
        ("rate_limit_exceeded", State.OPEN),
        ("overloaded_error", State.OPEN),
        ("nobody knows", State.OPEN),
        ("invalid_request_error", State.CLOSED),
        ("invalid_prompt", State.CLOSED),
        ("context_length_exceeded", State.CLOSED),
    ],
)
@STREAMS
async def test_an_error_inside_a_stream_counts_unless_the_client_made_it(opened: Opening, client, kind, state):
    breakers = touchy()
    failing = client.answer.cut(1, error_event(client.api, "words", kind))
    async with opened(failing, breakers=breakers) as setting:
        assert (await ask(setting, client)).status == 200
        assert setting.notebook.endings == [Ending.UPSTREAM_ERROR]
        assert circuit(breakers) is state


@pytest.mark.parametrize(("kind", "state"), [("rate_limit_exceeded", State.CLOSED), ("server_error", State.OPEN)])
async def test_limits_of_an_own_key_inside_a_stream_do_not_count(opened: Opening, kind, state):
    breakers = touchy()
    failing = MESSAGES_STREAM.answer.cut(1, error_event(Api.MESSAGES, "words", kind))
    headers = {"Authorization": "Bearer sk-own-0123456789", "X-Coder-AI-Governance-Token": TOKEN}
    async with opened(failing, breakers=breakers) as setting:
        async with setting.post(MESSAGES_STREAM.path, MESSAGES_STREAM.body, headers=headers) as answer:
            await answer.read()
        assert circuit(breakers) is state


async def test_failures_in_streams_add_up_although_their_statuses_were_fine(opened: Opening):
    breakers = Breakers(Rule(threshold=3))
    broken = MESSAGES_STREAM.answer.cut(2, BreakOff())
    async with opened(broken, broken, broken, breakers=breakers) as setting:
        for _ in range(3):
            assert (await ask(setting, MESSAGES_STREAM)).status == 200
        assert circuit(breakers) is State.OPEN


async def test_a_probe_whose_client_leaves_gives_its_place_back(opened: Opening):
    clock = Clock()
    breakers = Breakers(Rule(threshold=1, probes=1), clock=clock)
    more = asyncio.Event()
    answer = MESSAGES_STREAM.answer
    probe = answer.cut(1, Pause(more), *answer.chunks[1:])
    async with opened(MESSAGES_WHOLE.error(500), probe, answer, breakers=breakers) as setting:
        await ask(setting, MESSAGES_WHOLE)
        clock.now += 30
        url = setting.url + MESSAGES_STREAM.path
        reader, writer = await connect(url)
        writer.write(request(url, json.dumps(MESSAGES_STREAM.body).encode()))
        await reader.readuntil(b"message_start")
        assert (await ask(setting, MESSAGES_STREAM)).status == 503
        writer.close()
        while not all(flight.client_gone for flight in setting.watch._flights):
            await asyncio.sleep(0)
        more.set()
        while len(setting.watch):
            await asyncio.sleep(0)
        assert circuit(breakers) is State.HALF_OPEN
        assert (await ask(setting, MESSAGES_STREAM)).status == 200
        assert circuit(breakers) is State.CLOSED


@pytest.mark.parametrize(("status", "state"), [(400, State.HALF_OPEN), (404, State.HALF_OPEN), (500, State.OPEN)])
async def test_a_probe_that_the_provider_refuses_says_nothing_one_that_fails_does(opened: Opening, status, state):
    clock = Clock()
    breakers = Breakers(Rule(threshold=1, probes=1), clock=clock)
    replies = [MESSAGES_WHOLE.error(500), MESSAGES_WHOLE.error(status), MESSAGES_WHOLE.answer]
    async with opened(*replies, breakers=breakers) as setting:
        await ask(setting, MESSAGES_WHOLE)
        clock.now += 30
        await ask(setting, MESSAGES_WHOLE)
        assert circuit(breakers) is state


async def test_keys_that_are_all_refused_open_it_only_when_the_provider_was_asked(opened: Opening):
    clock, breakers = Clock(), Breakers(Rule(threshold=2))
    limited = MESSAGES_WHOLE.error(429, **{"Retry-After": "7"})
    async with opened(limited, limited, limited, keys=KEYS, breakers=breakers, clock=clock) as setting:
        for _ in range(3):
            assert (await ask(setting, MESSAGES_WHOLE)).status == 429
        assert circuit(breakers) is State.CLOSED
        clock.now += 8
        setting.provider.add(limited)
        await ask(setting, MESSAGES_WHOLE)
        assert circuit(breakers) is State.OPEN


async def test_a_success_between_failures_keeps_it_closed(opened: Opening):
    breakers = Breakers(Rule(threshold=2))
    error, answer = MESSAGES_WHOLE.error(500), MESSAGES_WHOLE.answer
    async with opened(error, answer, error, answer, breakers=breakers) as setting:
        statuses = [(await ask(setting, MESSAGES_WHOLE)).status for _ in range(4)]
    assert (statuses, len(breakers)) == ([500, 200, 500, 200], 0)


async def test_changes_of_state_are_logged(opened: Opening, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "coderai"):
        async with opened(MESSAGES_WHOLE.error(500), breakers=Breakers(Rule(threshold=1), log_change)) as setting:
            await ask(setting, MESSAGES_WHOLE)
    [line] = [record for record in caplog.records if "circuit breaker state change" in record.getMessage()]
    shown = str(line.__dict__)
    for word in ("anthropic", "/v1/messages", MESSAGES["model"], "closed", "open"):
        assert word in shown
    assert line.levelno == logging.WARNING
