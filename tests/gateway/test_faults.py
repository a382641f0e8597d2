"""The fault table: what a provider does, what the client sees of it, what is recorded, which key cools down.

Each row runs for the three APIs, streamed and not, with one key and with two. No retries here; see test_retries.py.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest

from coderai.access.credentials import mask
from coderai.demo.answers import error_answer
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Reply, Seen, Stall, Step
from coderai.gateway.watch import Patience
from coderai.providers.breaker import Breakers, Rule, State
from coderai.records import Api, Ending, ErrorType
from tests.gateway.conftest import TOKEN, Opening, Setting
from tests.gateway.raw import saying
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES
from tests.providers.test_keys import Clock

KEYS = ("sk-first-0123456789abc", "sk-second-0123456789ab")
IMPATIENT = Patience(upstream=0.1, keep_alive=0)


@dataclass(frozen=True)
class Client:
    """One way of asking."""

    api: Api
    path: str
    body: dict[str, Any]
    answer: Reply
    stream: bool = False

    @property
    def family(self) -> str:
        return self.path.split("/")[1]

    def error(self, status: int, **headers: str) -> Reply:
        return error_answer(self.api, status, "in the provider's words", {"request-id": "req_7", **headers})


CLIENTS = [
    replace(client, stream=stream, body=client.body | {"stream": stream})
    for client in (
        Client(Api.MESSAGES, "/anthropic/v1/messages", MESSAGES, messages_answer(text="some words to say")),
        Client(Api.CHAT, "/openai/v1/chat/completions", CHAT, chat_answer(text="some words to say")),
        Client(Api.RESPONSES, "/openai/v1/responses", RESPONSES, responses_answer(text="some words to say")),
    )
    for stream in (False, True)
]
THREE_APIS_TWICE = pytest.mark.parametrize(
    "client", CLIENTS, ids=[f"{client.api}-{'stream' if client.stream else 'whole'}" for client in CLIENTS]
)
ONE_OR_TWO = pytest.mark.parametrize("keys", [KEYS[:1], KEYS], ids=["one key", "two keys"])


@dataclass(frozen=True)
class Told:
    """What the client saw."""

    status: int
    headers: Any
    body: bytes
    complete: bool
    """The answer ended as HTTP wants it."""


async def ask(setting: Setting, client: Client) -> Told:
    body = b""
    async with setting.post(client.path, client.body) as answer:
        try:
            async for piece in answer.content.iter_any():
                body += piece
        except aiohttp.ClientPayloadError:
            return Told(answer.status, answer.headers, body, complete=False)
        return Told(answer.status, answer.headers, body, complete=True)


def always(reply: Reply) -> Any:
    """A script that never ends."""
    return lambda _seen: reply


def keys_seen(setting: Setting) -> list[str]:
    """Return the keys that the provider saw."""
    sent = [each.headers.get("X-Api-Key") or each.headers["Authorization"].split()[1] for each in setting.provider.seen]
    return [mask(key) for key in sent]


def cool(setting: Setting, client: Client) -> list[str]:
    """Return the keys that would not be tried now."""
    instance = setting.registry.find(client.family)
    assert instance is not None
    usable = [key.hint for key in instance.keys.walk(None)]
    return [mask(key) for key in KEYS[: len(instance.keys)] if mask(key) not in usable]


def circuit(breakers: Breakers) -> State:
    """Return the state after one request, with a threshold of one failure."""
    return next((state for _, state in breakers.states()), State.CLOSED)


def touchy() -> Breakers:
    return Breakers(Rule(threshold=1), clock=Clock())


def is_refusal(client: Client, told: Told) -> bool:
    """Tell whether *told* is a whole error in the form of the API."""
    assert told.headers["Content-Type"].startswith("application/json")
    return told.complete and (b'{"type":"error"' in told.body) == (client.api is Api.MESSAGES) and b"error" in told.body


# --- the connection


@dataclass(frozen=True)
class Fault:
    """A way to fail before, or in the middle of, an answer. The rest is what follows from it."""

    name: str
    before: tuple[Step, ...] | None
    """Steps instead of the answer; None: the answer is cut in the middle of an event."""
    ending: Ending
    status: int
    words: str
    then: tuple[Step, ...] = ()
    """After the cut."""
    error_type: ErrorType = ErrorType.UNKNOWN

    def reply(self, client: Client) -> Reply:
        if self.before is not None:
            stream = client.stream
            kind = "text/event-stream" if stream else "application/json"
            return Reply(chunks=_fresh(self.before), content_type=kind)
        text = client.answer.body if client.stream else client.answer.whole
        assert text is not None
        kind = "text/event-stream" if client.stream else "application/json"
        headers = {"Content-Length": str(len(text))} if not client.stream else {}
        cut = text[: len(text) * 2 // 3]
        return Reply(chunks=(cut, *_fresh(self.then)), content_type=kind, headers=headers)


def _fresh(steps: tuple[Step, ...]) -> list[Step]:
    """A stall belongs to the event loop of one test."""
    return [Stall() if isinstance(step, Stall) else step for step in steps]


CONNECTION = [
    Fault("closes before the headers", (BreakOff(),), Ending.UNREACHABLE, 502, "cannot be reached: the connection"),
    Fault("resets before the headers", (BreakOff(reset=True),), Ending.UNREACHABLE, 502, "cannot be reached: "),
    Fault("closes after the headers", (b"", BreakOff()), Ending.BROKEN_OFF, 502, "the provider "),
    Fault("resets after the headers", (b"", BreakOff(reset=True)), Ending.BROKEN_OFF, 502, "the provider "),
    Fault("closes mid-event", None, Ending.BROKEN_OFF, 502, "the provider broke off", (BreakOff(),)),
    Fault("resets mid-event", None, Ending.BROKEN_OFF, 502, "the provider broke off", (BreakOff(reset=True),)),
    Fault(
        "stalls before the headers", (Stall(),), Ending.TIMEOUT, 504, "no answer in time", error_type=ErrorType.TIMEOUT
    ),
    Fault(
        "stalls mid-event", None, Ending.TIMEOUT, 504, "silent for too long", (Stall(),), error_type=ErrorType.TIMEOUT
    ),
]


@pytest.mark.parametrize("fault", CONNECTION, ids=[fault.name for fault in CONNECTION])
@THREE_APIS_TWICE
@ONE_OR_TWO
async def test_a_connection_that_fails(opened: Opening, fault: Fault, client: Client, keys):
    breakers = touchy()
    reply = always(fault.reply(client))
    async with opened(reply, reply, patience=IMPATIENT, keys=keys, breakers=breakers) as setting:
        told = await ask(setting, client)
        end = setting.notebook.only_end
        begun = client.stream and fault.before is None
        if begun:  # too late for a status: the error event, and no end that could be taken for one
            assert (told.status, told.complete, end.http_status) == (200, False, 200)
            assert b"error" in told.body.rpartition(b"data: ")[2]
            assert client.answer.events[-1] not in told.body
        else:
            assert (told.status, end.http_status) == (fault.status, fault.status)
            assert is_refusal(client, told)
        assert fault.words.encode() in told.body
        assert "Retry-After" not in told.headers
        assert (end.ending, end.error_type, end.credential_hint) == (fault.ending, fault.error_type, mask(keys[0]))
        assert fault.words in end.error_message
        assert (len(setting.provider.seen), cool(setting, client)) == (1, [])
        assert circuit(breakers) is State.OPEN


@THREE_APIS_TWICE
async def test_a_provider_that_refuses_the_connection(opened: Opening, client: Client):
    breakers = touchy()
    async with saying() as url:
        pass  # nobody listens there any more
    async with opened(base_url=url, keys=KEYS, breakers=breakers) as setting:
        told = await ask(setting, client)
        end = setting.notebook.only_end
        assert (told.status, end.http_status, end.ending) == (502, 502, Ending.UNREACHABLE)
        assert is_refusal(client, told)
        assert b"cannot be reached: Connection refused" in told.body
        assert (cool(setting, client), circuit(breakers)) == ([], State.OPEN)


@THREE_APIS_TWICE
async def test_a_provider_that_does_not_finish_connecting(opened: Opening, client: Client):
    breakers = touchy()
    async with saying() as url:  # takes connections, but never says a word of TLS
        options = {"base_url": url.replace("http:", "https:"), "connect_seconds": 0.05, "breakers": breakers}
        async with opened(**options) as setting:
            told = await ask(setting, client)
            end = setting.notebook.only_end
    assert (told.status, end.http_status, end.ending) == (502, 502, Ending.UNREACHABLE)
    assert is_refusal(client, told)
    assert b"cannot be reached: no connection within 0.05 s" in told.body
    assert circuit(breakers) is State.OPEN


@pytest.mark.parametrize(
    "garbage",
    [b"220 mail.example.com ESMTP\r\n", b"\x16\x03\x01\x02\x00\x01", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
    ids=["another protocol", "TLS", "no length"],
)
@THREE_APIS_TWICE
async def test_a_provider_that_does_not_speak_http(opened: Opening, client: Client, garbage):
    breakers = touchy()
    async with saying(garbage) as url, opened(base_url=url, keys=KEYS, breakers=breakers) as setting:
        told = await ask(setting, client)
        end = setting.notebook.only_end
        assert (told.status, end.http_status, end.ending) == (502, 502, Ending.UNREACHABLE)
        assert is_refusal(client, told)
        assert (cool(setting, client), circuit(breakers)) == ([], State.OPEN)


@THREE_APIS_TWICE
async def test_garbage_in_a_proper_answer_passes_unchanged_and_the_record_says_so(opened: Opening, client):
    kind = "text/event-stream" if client.stream else "application/json"
    garbage = b"data: \x00\xff{nonsense\n\n" if client.stream else b"<html>\x00\xff</html>"
    async with opened(Reply(chunks=[garbage], content_type=kind)) as setting:
        told = await ask(setting, client)
        end = setting.notebook.only_end
    assert (told.status, told.body[: len(garbage)], told.complete) == (200, garbage, not client.stream)
    assert end.answer.trouble
    assert end.ending is (Ending.BROKEN_OFF if client.stream else Ending.COMPLETE)


# --- the status


@dataclass(frozen=True)
class Status:
    """An error status, and what follows from it for a central key."""

    status: int
    retry_after: str | None
    error_type: ErrorType
    circuit: State = State.CLOSED
    cools: tuple[int, ...] = ()
    """With so many keys, all of them."""
    shown: dict[int, int] = field(default_factory=dict)
    """By number of keys, where it is another one than the provider's."""
    waits: dict[int, str | None] = field(default_factory=dict)
    """The same for Retry-After."""

    @property
    def about_the_key(self) -> bool:
        return bool(self.cools)


OPEN = State.OPEN
LIMITED, OVERLOADED, FAILED = ErrorType.RATE_LIMITED, ErrorType.OVERLOADED, ErrorType.SERVER_ERROR
STATUSES = [
    Status(400, None, ErrorType.BAD_REQUEST),
    Status(401, None, ErrorType.UNAUTHORIZED, cools=(1, 2), shown={1: 502, 2: 502}),
    Status(401, "5", ErrorType.UNAUTHORIZED, cools=(1, 2), shown={1: 502, 2: 502}, waits={1: None, 2: None}),
    Status(403, None, ErrorType.UNAUTHORIZED),
    Status(403, "5", ErrorType.UNAUTHORIZED),
    Status(404, None, ErrorType.BAD_REQUEST),
    Status(408, None, ErrorType.TIMEOUT),
    Status(429, "7", LIMITED, OPEN, cools=(1, 2)),
    Status(429, None, LIMITED, OPEN, cools=(2,), waits={2: "60"}),
    Status(500, None, FAILED, OPEN),
    Status(500, "7", FAILED, OPEN),
    Status(502, None, FAILED, OPEN),
    Status(504, None, FAILED, OPEN),
    Status(529, None, OVERLOADED, OPEN),
    Status(529, "7", OVERLOADED, OPEN),
]


@pytest.mark.parametrize("row", STATUSES, ids=[f"{row.status} {row.retry_after or ''}".strip() for row in STATUSES])
@THREE_APIS_TWICE
@ONE_OR_TWO
async def test_an_error_status(opened: Opening, row: Status, client: Client, keys):
    breakers = touchy()
    error = client.error(row.status, **({"Retry-After": row.retry_after} if row.retry_after else {}))
    reply = always(error)
    async with opened(reply, reply, keys=keys, breakers=breakers, clock=Clock()) as setting:
        told = await ask(setting, client)
        end = setting.notebook.only_end
        assert told.status == end.http_status == row.shown.get(len(keys), row.status)
        assert told.headers.get("Retry-After") == row.waits.get(len(keys), row.retry_after)
        own_words = told.status != row.status or (row.about_the_key and len(keys) == 2)
        assert is_refusal(client, told) or told.body == error.body
        assert (told.body != error.body) is own_words
        assert ("request-id" in told.headers) is not own_words
        expected = FAILED if row.status == 529 and client.api is not Api.MESSAGES else row.error_type
        assert (end.ending, end.error_type) == (Ending.UPSTREAM_ERROR, expected)
        assert "in the provider's words" in end.error_message
        used = keys if row.about_the_key else keys[:1]
        assert keys_seen(setting) == [mask(key) for key in used]
        assert end.credential_hint == mask(used[-1])
        assert cool(setting, client) == ([mask(key) for key in keys] if len(keys) in row.cools else [])
        assert circuit(breakers) is row.circuit


def _first_key_gets(error: Reply, answer: Reply) -> Any:
    def reply(seen: Seen) -> Reply:
        sent = seen.headers.get("X-Api-Key", "") + seen.headers.get("Authorization", "")
        return error if KEYS[0] in sent else answer

    return reply


@pytest.mark.parametrize(("status", "seconds"), [(401, 60), (402, 7), (429, 7)])
@THREE_APIS_TWICE
async def test_a_refused_key_is_replaced_by_the_next_within_the_request(opened: Opening, client, status, seconds):
    clock, breakers = Clock(), touchy()
    reply = _first_key_gets(client.error(status, **{"Retry-After": "7"}), client.answer)
    async with opened(*[reply] * 5, keys=KEYS, breakers=breakers, clock=clock) as setting:
        told = await ask(setting, client)
        assert (told.status, told.complete) == (200, True)
        end = setting.notebook.only_end
        assert (end.ending, end.credential_hint) == (Ending.COMPLETE, mask(KEYS[1]))
        assert "Retry-After" not in told.headers
        assert (cool(setting, client), circuit(breakers)) == ([mask(KEYS[0])], State.CLOSED)
        await ask(setting, client)
        clock.now += seconds - 1
        await ask(setting, client)
        first, second = mask(KEYS[0]), mask(KEYS[1])
        assert keys_seen(setting) == [first, second, second, second]
        clock.now += 2
        await ask(setting, client)
        assert keys_seen(setting)[4] == first


@THREE_APIS_TWICE
async def test_while_all_keys_cool_down_nothing_goes_out(opened: Opening, client):
    clock, breakers = Clock(), touchy()
    reply = always(client.error(429, **{"Retry-After": "7"}))
    async with opened(*[reply] * 5, keys=KEYS, clock=clock) as setting:
        await ask(setting, client)
        clock.now += 2.5
        told = await ask(setting, client)
        assert (told.status, told.headers["Retry-After"]) == (429, "5")
        assert b"all configured keys are rate-limited (retry after 5s)" in told.body
        end = setting.notebook.ended[1][1]
        assert (end.ending, end.error_type, end.http_status) == (Ending.REFUSED, ErrorType.RATE_LIMITED, 429)
        assert len(setting.provider.seen) == 2
        assert circuit(breakers) is State.CLOSED


@THREE_APIS_TWICE
async def test_keys_that_do_not_work_are_the_administrator_s_business(opened: Opening, client):
    reply = always(client.error(401))
    async with opened(reply, reply, keys=KEYS) as setting:
        told = await ask(setting, client)
        assert (told.status, told.headers["x-should-retry"]) == (502, "false")
        assert b"all configured keys failed authentication. Contact your Administrator" in told.body
        assert "the provider said: 401 in the provider's words" in setting.notebook.only_end.error_message


# --- own keys


@pytest.mark.parametrize(
    ("status", "state"),
    [(401, State.CLOSED), (402, State.CLOSED), (429, State.CLOSED), (500, State.OPEN), (529, State.OPEN)],
)
@THREE_APIS_TWICE
async def test_an_own_key_never_fails_over_and_its_limits_are_nobody_else_s(opened: Opening, client, status, state):
    breakers = touchy()
    error = client.error(status, **{"Retry-After": "7"})
    headers = {"Authorization": "Bearer sk-own-0123456789", "X-Coder-AI-Governance-Token": TOKEN}
    async with opened(error, keys=KEYS, breakers=breakers) as setting:
        async with setting.post(client.path, client.body, headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"], await answer.read()) == (status, "7", error.body)
        assert [each.headers["Authorization"] for each in setting.provider.seen] == ["Bearer sk-own-0123456789"]
        assert (cool(setting, client), circuit(breakers)) == ([], state)
        assert setting.notebook.only_end.credential_hint is None
