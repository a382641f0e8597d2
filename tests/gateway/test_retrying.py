"""Calls that are tried again before a byte went to the client, and those that are not."""

import asyncio
import json

import pytest

from coderai.access.credentials import mask
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import BreakOff, Pause, Reply, Seen, Stall
from coderai.gateway.calling import LAST_WORDS_BYTES
from coderai.gateway.watch import Patience
from coderai.providers.breaker import Breakers, Rule
from coderai.providers.retries import Retries
from coderai.records import Ending
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.raw import connect, read_request, request, serving
from tests.gateway.test_faults import CLIENTS, KEYS, THREE_APIS_TWICE, ask, keys_seen
from tests.gateway.test_recorded import MESSAGES
from tests.providers.test_keys import Clock

AT_ONCE = Retries(extra=2, first=0.0)
NEVER_COMES = Retries(extra=2, first=3600.0, longest=3600.0, within=7200.0)
ATTENTIVE = Patience(drain=3600, keep_alive=0.2)
"""The watch looks every 50 ms."""
MESSAGES_WHOLE = CLIENTS[0]


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
@THREE_APIS_TWICE
async def test_what_passes_by_itself_is_tried_again(opened: Opening, client, status):
    error = client.error(status)
    async with opened(error, error, client.answer, retries=AT_ONCE) as setting:
        told = await ask(setting, client)
        assert (told.status, told.complete, len(setting.provider.seen)) == (200, True, 3)
        first, *others = setting.provider.seen
        assert [(each.body, dict(each.headers)) for each in others] == [(first.body, dict(first.headers))] * 2
        assert setting.notebook.endings == [Ending.COMPLETE]


@pytest.mark.parametrize("how", [BreakOff(), BreakOff(reset=True)], ids=["closed", "reset"])
@THREE_APIS_TWICE
async def test_a_connection_that_fails_before_the_headers_is_tried_again(opened: Opening, client, how):
    lost = Reply(chunks=[how])
    async with opened(lost, lost, client.answer, retries=AT_ONCE) as setting:
        told = await ask(setting, client)
        assert (told.status, told.complete, len(setting.provider.seen)) == (200, True, 3)


@THREE_APIS_TWICE
async def test_the_last_failure_is_shown_and_recorded(opened: Opening, client):
    errors = [client.error(500), client.error(503), client.error(529, **{"Retry-After": "1"}), client.error(500)]
    async with opened(*errors, retries=Retries(extra=2, first=0.0, longest=1.0)) as setting:
        told = await ask(setting, client)
        assert (told.status, told.body, told.headers["Retry-After"]) == (529, errors[2].body, "1")
        assert (len(setting.provider.seen), setting.notebook.only_end.http_status) == (3, 529)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422, 429, 501])
async def test_what_stays_as_it_is_is_not_tried_again(opened: Opening, status):
    error = MESSAGES_WHOLE.error(status)
    async with opened(error, retries=AT_ONCE) as setting:
        await ask(setting, MESSAGES_WHOLE)
        assert len(setting.provider.seen) == 1


@pytest.mark.parametrize(
    ("status", "headers", "calls"),
    [
        (500, {"x-should-retry": "false"}, 1),
        (400, {"x-should-retry": "true"}, 3),
        (429, {"x-should-retry": "true"}, 1),
        (503, {"Retry-After": "0"}, 3),
        (503, {"Retry-After-Ms": "5"}, 3),
        (503, {"Retry-After": "9"}, 1),
        (503, {"Retry-After-Ms": "9000", "Retry-After": "0"}, 1),
    ],
)
async def test_the_provider_s_word_goes_first(opened: Opening, status, headers, calls):
    error = MESSAGES_WHOLE.error(status, **headers)
    async with opened(error, error, error, retries=AT_ONCE) as setting:
        told = await ask(setting, MESSAGES_WHOLE)
        assert (told.status, len(setting.provider.seen)) == (status, calls)
        assert told.headers.get("Retry-After") == headers.get("Retry-After")


@pytest.mark.parametrize("cut", [b"", b"event: message_start\n"], ids=["after the headers", "mid-event"])
async def test_nothing_is_tried_again_once_headers_came(opened: Opening, cut):
    half = Reply(chunks=[cut, BreakOff()], content_type="text/event-stream")
    async with opened(half, retries=AT_ONCE) as setting:
        await ask(setting, CLIENTS[1])
        assert len(setting.provider.seen) == 1


async def test_switched_off_there_is_one_try(opened: Opening):
    async with opened(MESSAGES_WHOLE.error(503)) as setting:
        assert (await ask(setting, MESSAGES_WHOLE)).status == 503
        assert len(setting.provider.seen) == 1


async def test_retries_are_counted_per_request_not_per_key(opened: Opening):
    failed, limited = MESSAGES_WHOLE.error(500), MESSAGES_WHOLE.error(429)
    replies = (failed, limited, failed, failed, MESSAGES_WHOLE.answer)
    async with opened(*replies, retries=AT_ONCE, keys=KEYS) as setting:
        assert (await ask(setting, MESSAGES_WHOLE)).status == 500
        first, second = sorted(set(keys_seen(setting)))
        assert keys_seen(setting) == [first, first, second, second]


@pytest.mark.parametrize(
    "size", [10, LAST_WORDS_BYTES - 100, 2 * LAST_WORDS_BYTES], ids=["short", "longish", "endless"]
)
async def test_the_connection_of_a_failed_try_is_used_again_unless_that_costs_too_much(opened: Opening, size):
    connections = 0
    answer = messages_answer(text="hi").whole
    answers = [b"HTTP/1.1 503 X\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size)]
    answers.append(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while answers:
                await read_request(reader)
                writer.write(answers.pop(0) + (b"" if answers else answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async with serving(serve) as url, opened(base_url=url, retries=AT_ONCE) as setting:
        told = await ask(setting, MESSAGES_WHOLE)
        assert (told.status, told.body) == (200, answer)
        assert connections == (1 if size < LAST_WORDS_BYTES else 2)
        assert len(setting.pool._all) <= 1


async def test_an_error_that_does_not_end_is_not_waited_for(opened: Opening):
    stalls = Reply(status=500, chunks=[b'{"error":', Stall()])
    async with opened(stalls, MESSAGES_WHOLE.answer, retries=AT_ONCE) as setting:
        assert (await ask(setting, MESSAGES_WHOLE)).status == 200
        await setting.provider.seen[0].closed.wait()
        assert setting.provider.seen[0].left_early


async def test_a_client_that_leaves_ends_the_wait_for_the_next_try(opened: Opening):
    breakers = Breakers(Rule(threshold=1))
    options = {"retries": NEVER_COMES, "patience": ATTENTIVE, "breakers": breakers}
    async with opened(MESSAGES_WHOLE.error(503), **options) as setting:
        url = setting.url + MESSAGES_WHOLE.path
        _, writer = await connect(url)
        writer.write(request(url, json.dumps(MESSAGES).encode()))
        await (await setting.provider.request(0)).closed.wait()
        writer.close()
        await setting.notebook.all_ended.wait()
        assert (setting.notebook.endings, len(setting.provider.seen)) == ([Ending.CLIENT_LEFT], 1)
        assert len(breakers) == 0
    assert len(setting.watch) == 0


async def test_a_client_that_left_during_the_first_try_gets_no_second(opened: Opening):
    more = asyncio.Event()
    failing = Reply(status=503, chunks=[Pause(more), b"{}"])
    async with opened(failing, retries=AT_ONCE, patience=ATTENTIVE, keys=KEYS) as setting:
        url = setting.url + MESSAGES_WHOLE.path
        _, writer = await connect(url)
        writer.write(request(url, json.dumps(MESSAGES).encode()))
        await setting.provider.request(0)
        writer.close()
        while not all(flight.client_gone for flight in setting.watch._flights):
            await asyncio.sleep(0)
        more.set()
        await setting.notebook.all_ended.wait()
        assert (setting.notebook.endings, len(setting.provider.seen)) == ([Ending.CLIENT_LEFT], 1)


async def test_a_pause_of_our_own_is_no_silence_of_the_provider(opened: Opening):
    options = {"retries": Retries(first=0.3), "patience": Patience(upstream=0.1)}
    async with opened(MESSAGES_WHOLE.error(503), MESSAGES_WHOLE.answer, **options) as setting:
        assert (await ask(setting, MESSAGES_WHOLE)).status == 200


async def test_a_server_that_stops_ends_the_wait_for_the_next_try(opened: Opening):
    async with opened(MESSAGES_WHOLE.error(503), retries=NEVER_COMES) as setting, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(setting, MESSAGES_WHOLE), name="ask")
        await (await setting.provider.request(0)).closed.wait()
        while not any(flight._pausing for flight in setting.watch._flights):
            await asyncio.sleep(0)
        await setting.watch.drain(0)
        told = await asking
        assert (told.status, setting.notebook.endings) == (503, [Ending.CANCELLED])
        assert len(setting.provider.seen) == 1


async def test_under_load_a_limited_key_costs_no_client_an_error(opened: Opening):
    def second_only(seen: Seen) -> Reply:
        return MESSAGES_WHOLE.error(429) if seen.headers["X-Api-Key"] == KEYS[0] else MESSAGES_WHOLE.answer

    async with opened(*[second_only] * 200, keys=KEYS) as setting:
        told = await asyncio.gather(*(ask(setting, MESSAGES_WHOLE) for _ in range(100)))
        assert {each.status for each in told} == {200}
        assert setting.notebook.endings == [Ending.COMPLETE] * 100
        assert keys_seen(setting).count(mask(KEYS[1])) == 100
        await ask(setting, MESSAGES_WHOLE)
        assert keys_seen(setting)[-1] == mask(KEYS[1])


@pytest.mark.parametrize(("method", "calls"), [("GET", 2), ("POST", 1), ("DELETE", 1)])
async def test_what_is_passed_through_is_tried_again_only_when_it_reads(opened: Opening, method, calls):
    replies = [Reply(status=503, chunks=[b"{}"]), Reply(chunks=[b"[]"])]
    async with opened(*replies, retries=AT_ONCE) as setting:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = setting.url + "/openai/v1/conversations"
        async with setting.client.request(method, url, headers=headers) as answer:
            assert answer.status == (200 if calls == 2 else 503)
        assert len(setting.provider.seen) == calls


@pytest.mark.parametrize(("status", "shown"), [(401, 502), (429, 429)])
async def test_what_is_passed_through_uses_the_same_keys(opened: Opening, status, shown):
    limited = Reply(status=status, headers={"Retry-After": "7"}, chunks=[b"{}"])
    async with opened(limited, Reply(chunks=[b"[]"]), limited, keys=KEYS) as setting:
        statuses = []
        for _ in range(3):
            async with setting.client.get(
                setting.url + "/openai/v1/models", headers={"Authorization": f"Bearer {TOKEN}"}
            ) as answer:
                statuses.append(answer.status)
        first, second = keys_seen(setting)[:2]
        assert (statuses, keys_seen(setting)) == ([200, shown, shown], [first, second, second])


async def test_a_session_stays_with_the_key_that_serves_it(opened: Opening):
    clock = Clock()
    limited = MESSAGES_WHOLE.error(429, **{"Retry-After-Ms": "7000"})
    async with opened(limited, *[MESSAGES_WHOLE.answer] * 3, keys=KEYS, clock=clock) as setting:
        for session in ("one", "one", "two"):
            headers = {"User-Agent": "claude-cli/2.1.329", "X-Claude-Code-Session-Id": session}
            async with setting.post(MESSAGES_WHOLE.path, MESSAGES, headers=headers) as answer:
                assert answer.status == 200
            clock.now += 8
        first, second = keys_seen(setting)[:2]
        assert keys_seen(setting) == [first, second, second, first]
