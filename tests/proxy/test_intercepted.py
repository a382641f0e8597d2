"""Requests to the hosts of providers, through the proxy: they are the gateway's, and recorded like all others."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest

from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Pause, Reply
from coderai.proxy.server import Limits
from coderai.records import Ending
from tests.gateway.conftest import CENTRAL_KEY, TOKEN
from tests.gateway.test_recorded import CHAT, MESSAGES, THREE_APIS
from tests.gateway.websockets import ASK, CODEX, Client
from tests.proxy.leaks import nothing_left
from tests.proxy.world import ANTHROPIC, GITHUB, OPENAI, connect, request

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
CENTRAL = {"Authorization": f"Bearer {TOKEN}"}
OWN = "sk-own-0123456789abcdefghij"
CENTRALLY, OWNLY = f"Bearer {CENTRAL_KEY}", f"Bearer {OWN}"
PLAIN_URLS = {"openai": "REAL/v1"}
"""A provider at an http:// base URL."""


def there(path: str) -> str:
    """The address of a provider's host for a path of the gateway."""
    host = ANTHROPIC if path.startswith("/anthropic") else OPENAI
    return f"https://{host}/{path.split('/', 2)[2]}"


@TLS
@THREE_APIS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_answer_arrives_byte_for_byte(proxy, tls, path, body, reply, stream):
    asked = body | {"stream": stream, "stream_options": {"include_usage": True}}
    async with proxy(reply, tls=tls) as world, world.client() as client:
        async with client.post(there(path), json=asked, headers=CENTRAL) as answer:
            assert answer.status == 200
            assert await answer.read() == (reply.body if stream else reply.whole)
        [seen] = world.provider.seen
        assert TOKEN not in str(seen)
        assert CENTRAL_KEY in str(seen.headers)


@THREE_APIS
async def test_the_records_are_those_of_the_base_url(proxy, path, body, reply):
    headers = CENTRAL | CODEX
    async with proxy(reply, reply) as world, world.client() as client, aiohttp.ClientSession() as direct:
        async with direct.post(world.base + path, json=body, headers=headers) as answer:
            await answer.read()
        async with client.post(there(path), json=body, headers=headers) as answer:
            await answer.read()
        one, other = world.notebook.begun
        ends = [end for _, end in world.notebook.ended]
    connect_id = other.metadata["proxy_connect_id"]
    assert other.client_session_id == CODEX["session-id"]
    same = replace(other, id=one.id, started_at=one.started_at, metadata=one.metadata)
    assert same == one
    assert other.metadata == {**one.metadata, "proxy_connect_id": connect_id}
    assert replace(ends[1], first_byte_at=ends[0].first_byte_at) == ends[0]


async def test_a_stream_flows_event_by_event(proxy):
    whole = messages_answer(text="done")
    first, rest, go = whole.chunks[0], whole.chunks[1:], asyncio.Event()
    async with proxy(replace(whole, chunks=[first, Pause(go), *rest])) as world, world.client() as client:
        asked = MESSAGES | {"stream": True}
        async with client.post(f"https://{ANTHROPIC}/v1/messages", json=asked, headers=CENTRAL) as answer:
            assert await answer.content.readexactly(len(first)) == first
            go.set()
            assert first + await answer.read() == whole.body


async def test_a_client_that_leaves_in_a_stream_is_recorded(proxy):
    whole = messages_answer(text="done")
    go = asyncio.Event()
    async with proxy(replace(whole, chunks=[whole.chunks[0], Pause(go), *whole.chunks[1:]])) as world:
        async with world.client() as client:
            asked = MESSAGES | {"stream": True}
            async with client.post(f"https://{ANTHROPIC}/v1/messages", json=asked, headers=CENTRAL) as answer:
                await answer.content.readany()
                answer.close()
        while world.counts.open["mitm"]:
            await asyncio.sleep(0.01)
        go.set()
        async with asyncio.timeout(5):
            await world.notebook.all_ended.wait()
    assert world.notebook.endings == [Ending.CLIENT_LEFT]


@TLS
async def test_one_connection_carries_many_requests(proxy, tls):
    body = json.dumps(CHAT).encode() + b" " * 300_000
    async with proxy(*[Reply(chunks=[b"{}"])] * 3, tls=tls) as world:
        wire = await world.tunnel(f"{OPENAI}:443") if tls else await world.inside(OPENAI)
        if tls:  # TLS inside TLS: Python's streams cannot, so a library does
            await wire.close()
            async with world.client() as client:
                for _ in range(3):
                    async with client.post(f"https://{OPENAI}/v1/responses", data=body, headers=CENTRAL) as answer:
                        assert answer.status == 200
        else:
            for _ in range(3):
                wire.send(request(OPENAI, "/v1/responses", body, "POST", f"Authorization: Bearer {TOKEN}"))
                assert (await wire.answer()).status == 200
        assert [len(seen.body) for seen in world.provider.seen] == [len(body)] * 3
        assert len({begun.metadata["proxy_connect_id"] for begun in world.notebook.begun}) == 1


@pytest.mark.parametrize("compress", [0, 15])
async def test_a_websocket_opens_inside(proxy, compress):
    reply = responses_answer(text="done")
    async with proxy(reply) as world, world.client() as client:
        url = f"wss://{OPENAI}/v1/responses"
        async with client.ws_connect(url, headers=CENTRAL | CODEX, compress=compress) as socket:
            messages = await Client(socket).ask(ASK)
        assert messages[-1]["type"] == "response.completed"
        [begun] = world.notebook.begun
    assert (begun.client, begun.client_session_id) == ("Codex", CODEX["session-id"])
    assert "proxy_connect_id" in begun.metadata


@pytest.mark.parametrize(
    ("host", "path", "headers", "kind", "sent"),
    [
        (OPENAI, "/v1/chat/completions", {}, "centralized", ("Authorization", CENTRALLY)),
        (OPENAI, "/v1/chat/completions", CENTRAL, "centralized", ("Authorization", CENTRALLY)),
        (OPENAI, "/v1/chat/completions", {"X-Api-Key": TOKEN}, "centralized", ("Authorization", CENTRALLY)),
        (OPENAI, "/v1/chat/completions", {"Authorization": OWNLY}, "byok", ("Authorization", OWNLY)),
        (ANTHROPIC, "/v1/messages", {}, "centralized", ("X-Api-Key", CENTRAL_KEY)),
        (ANTHROPIC, "/v1/messages", {"X-Api-Key": TOKEN}, "centralized", ("X-Api-Key", CENTRAL_KEY)),
        (ANTHROPIC, "/v1/messages", {"X-Api-Key": OWN}, "byok", ("X-Api-Key", OWN)),
        (ANTHROPIC, "/v1/messages", {"Authorization": OWNLY}, "byok", ("Authorization", OWNLY)),
        (ANTHROPIC, "/v1/messages", CENTRAL | {"X-Api-Key": OWN}, "byok", ("X-Api-Key", OWN)),
        (GITHUB, "/chat/completions", {"Authorization": OWNLY}, "byok", ("Authorization", OWNLY)),
    ],
)
async def test_whose_credential_goes_is_told_from_every_header(proxy, host, path, headers, kind, sent):
    async with proxy(Reply(chunks=[b"{}"])) as world, world.client() as client:
        async with client.post(f"https://{host}{path}", json=CHAT, headers=headers) as answer:
            assert answer.status == 200
        [seen], [begun] = world.provider.seen, world.notebook.begun
    assert begun.credential_kind == kind
    assert seen.headers[sent[0]] == sent[1]
    assert TOKEN not in str(seen)


async def test_copilots_probe_passes_without_any_credential(proxy):
    async with proxy(Reply(chunks=[b"pong"])) as world, world.client() as client:
        answer = await client.get(f"https://{GITHUB}/_ping")
        assert (answer.status, await answer.read()) == (200, b"pong")
        [seen] = world.provider.seen
    assert "Authorization" not in seen.headers
    assert TOKEN not in str(seen)


async def test_the_owner_of_the_connection_counts_not_what_a_header_says(proxy):
    other = {"X-Coder-AI-Governance-Token": "OtherToken-" + "x" * 22}
    async with proxy(Reply(chunks=[b"{}"])) as world, world.client() as client:
        async with client.post(f"https://{OPENAI}/v1/responses", json=CHAT, headers=other) as answer:
            assert answer.status == 200
        assert world.notebook.begun[0].initiator_name == "alice"


async def test_an_own_key_is_refused_where_own_keys_are_off(proxy):
    headers = {"Authorization": f"Bearer {OWN}"}
    async with proxy(allow_byok=False) as world, world.client() as client:
        answer = await client.post(f"https://{OPENAI}/v1/responses", json=CHAT, headers=headers)
        assert (answer.status, "switched off" in await answer.text()) == (403, True)


async def test_a_provider_that_was_disabled_meanwhile_is_refused_in_its_own_words(proxy):
    async with proxy() as world:
        wire = await world.inside(ANTHROPIC)
        world.providers.disable("anthropic")
        wire.send(request(ANTHROPIC, "/v1/messages", b"{}"))
        answer = await wire.answer()
        assert (answer.status, json.loads(answer.body)["type"]) == (503, "error")
        assert "provider_disabled" in answer
        assert await wire.rest() == b""
        refused = await world.ask(connect(f"{ANTHROPIC}:443"))
        assert (refused.status, "disabled" in refused) == (503, True)
    assert world.provider.seen == []


async def test_a_provider_that_cannot_be_used_says_why(proxy):
    async with proxy() as world:
        wire = await world.inside(OPENAI)
        registry = world.providers.registry
        registry.replace(
            replace(each, state="error", family=None, reason="its key cannot be decrypted")
            if each.name == "openai"
            else each
            for each in registry.all()
        )
        wire.send(request(OPENAI, "/v1/responses", b"{}", "POST", f"Authorization: Bearer {OWN}"))
        answer = await wire.answer()
        assert (answer.status, "its key cannot be decrypted" in answer) == (404, True)
        refused = await world.ask(connect(f"{OPENAI}:443"))
        assert (refused.status, "openai (error)" in refused) == (503, True)


async def test_a_provider_that_was_removed_meanwhile_is_refused(proxy):
    async with proxy() as world:
        wire = await world.inside(OPENAI)
        world.providers.remove("openai")
        wire.send(request(OPENAI, "/v1/responses", b"{}"))
        answer = await wire.answer()
        assert (answer.status, "removed" in answer) == (503, True)
        assert await wire.rest() == b""


async def test_a_revoked_token_is_refused_at_once_and_the_connection_ends(proxy):
    async with proxy(limits=Limits(sweep_seconds=3600)) as world, nothing_left():
        busy, idle = await world.inside(OPENAI), await world.inside(OPENAI)
        world.tokens.revoked = True
        busy.send(request(OPENAI, "/v1/responses", b"{}"))
        assert (await busy.answer()).status == 401
        await world.proxy.sweep(asyncio.get_running_loop().time())
        assert await idle.rest() == b""
        assert await busy.rest() == b""
        for wire in (busy, idle):
            await wire.close()
    assert world.provider.seen == []


async def test_an_idle_connection_ends_and_a_running_stream_does_not(proxy):
    whole = messages_answer(text="done")
    go = asyncio.Event()
    reply = replace(whole, chunks=[whole.chunks[0], Pause(go), *whole.chunks[1:]])
    async with proxy(reply, limits=Limits(idle_seconds=60, sweep_seconds=3600)) as world, world.client() as client:
        idle = await world.inside(OPENAI)
        asked = MESSAGES | {"stream": True}
        async with client.post(f"https://{ANTHROPIC}/v1/messages", json=asked, headers=CENTRAL) as answer:
            await answer.content.readexactly(len(whole.chunks[0]))
            world.tokens.revoked = True
            await world.proxy.sweep(asyncio.get_running_loop().time() + 100)
            assert await idle.rest() == b""
            go.set()
            assert (await answer.read()).endswith(b'message_stop"}\n\n')


@pytest.mark.parametrize("path", ["/dashboard", "/v10/responses", "/"])
async def test_a_path_outside_the_base_url_is_refused(proxy, path):
    async with proxy() as world, world.client() as client:
        answer = await client.post(f"https://{OPENAI}{path}", json=CHAT, headers=CENTRAL)
        assert (answer.status, answer.headers["x-should-retry"]) == (404, "false")
        assert "/v1/ (openai)" in (await answer.json())["error"]["message"]
    assert world.provider.seen == []


async def test_a_path_outside_may_pass_with_the_callers_own_credential(proxy):
    async with proxy(Reply(chunks=[b"mine"]), urls=PLAIN_URLS, outside=True) as world:
        host = world.providers.urls["openai"].split("/")[2]
        wire = await world.tunnel(host)
        wire.send(request(host, "/dashboard?a=b", b"", "GET", f"Authorization: Bearer {OWN}"))
        assert (await wire.answer()).body == b"mine"
        [seen] = world.provider.seen
    assert (seen.path, seen.headers["Authorization"]) == ("/dashboard?a=b", f"Bearer {OWN}")
    assert TOKEN not in str(seen)
    assert world.notebook.begun == []


async def test_a_path_outside_passes_while_another_provider_of_the_host_is_disabled(proxy):
    urls = PLAIN_URLS | {"anthropic": "REAL/some/longer/path"}
    async with proxy(Reply(chunks=[b"mine"]), urls=urls, outside=True) as world:
        world.providers.disable("anthropic")
        host = world.providers.urls["openai"].split("/")[2]
        wire = await world.tunnel(host)
        wire.send(request(host, "/dashboard", b"", "GET"))
        assert (await wire.answer()).body == b"mine"


async def test_a_path_outside_never_gets_the_central_key(proxy):
    async with proxy(Reply(chunks=[b"nobody's"]), urls=PLAIN_URLS, outside=True) as world:
        host = world.providers.urls["openai"].split("/")[2]
        wire = await world.tunnel(host)
        wire.send(request(host, "/dashboard", b"", "GET", f"Authorization: Bearer {TOKEN}"))
        assert (await wire.answer()).body == b"nobody's"
        [seen] = world.provider.seen
    assert "Authorization" not in seen.headers
    assert CENTRAL_KEY not in str(seen)


@pytest.mark.parametrize("path", ["/x/../v1/responses", "/%76%31/responses", "//v1/responses", "/V1/responses"])
async def test_a_path_that_could_be_a_recorded_one_never_passes(proxy, path):
    async with proxy(urls=PLAIN_URLS, outside=True) as world:
        host = world.providers.urls["openai"].split("/")[2]
        wire = await world.tunnel(host)
        wire.send(request(host, path, b"{}"))
        assert (await wire.answer()).status == 404
    assert world.provider.seen == []


async def test_a_provider_without_tls_is_spoken_to_without_tls(proxy):
    async with proxy(Reply(chunks=[b"{}"]), urls=PLAIN_URLS) as world:
        host = world.providers.urls["openai"].split("/")[2]
        wire = await world.tunnel(host)
        wire.send(request(host, "/v1/responses", b"{}"))
        assert (await wire.answer()).status == 200
        assert len(world.notebook.begun) == 1


async def test_an_unreachable_provider_is_an_answer(proxy):
    async with proxy(base_url="http://127.0.0.1:9") as world, world.client() as client:
        answer = await client.post(f"https://{ANTHROPIC}/v1/messages", json=MESSAGES, headers=CENTRAL)
        assert (answer.status, (await answer.json())["type"]) == (502, "error")


async def test_requests_are_counted_however_they_end(proxy):
    async with proxy(Reply(chunks=[b"{}"])) as world, world.client() as client:
        for path in ("/v1/responses", "/v1/nothing", "/outside"):
            async with client.post(f"https://{OPENAI}{path}", json=CHAT, headers=CENTRAL) as answer:
                await answer.read()
    counts = world.counts
    assert counts.requests == {"openai": 2}
    assert counts.inflight == {"openai": 0}
    assert counts.answers == {("200", "openai"): 1, ("404", "openai"): 2}
    assert sum(counts.durations["openai"].counts) == 2
    assert (counts.opened["mitm"], counts.open["mitm"]) == (1, 0)


@TLS
async def test_nothing_stays_behind(proxy, tls):
    async with proxy(*[Reply(chunks=[b"{}"])] * 40, tls=tls) as world:
        for number in range(2):  # the first round opens what is kept: connections to the provider, contexts
            if number:
                async with nothing_left():
                    await _twenty(world)
            else:
                await _twenty(world)
        assert world.proxy.places.taken == 0


async def _twenty(world) -> None:
    async with world.client() as client:

        async def one() -> int:
            async with client.post(f"https://{OPENAI}/v1/responses", json=CHAT, headers=CENTRAL) as answer:
                await answer.read()
                return answer.status

        assert await asyncio.gather(*(one() for _ in range(20))) == [200] * 20


async def test_a_body_that_is_held_back_is_asked_for(proxy):
    async with proxy(Reply(chunks=[b"{}"])) as world:
        wire = await world.inside(OPENAI)
        head, _, body = request(OPENAI, "/v1/responses", b"{}", "POST", "Expect: 100-continue").partition(b"\r\n\r\n")
        wire.send(head + b"\r\n\r\n")
        assert (await wire.answer()).status == 100
        wire.send(body)
        assert (await wire.answer()).status == 200


async def test_a_body_that_was_not_asked_for_is_not_waited_for(proxy):
    async with proxy() as world:
        wire = await world.inside(OPENAI)
        world.tokens.revoked = True
        head, _, _ = request(OPENAI, "/v1/responses", b"{}", "POST", "Expect: 100-continue").partition(b"\r\n\r\n")
        wire.send(head + b"\r\n\r\n")
        answer = await wire.answer()
        assert (answer.status, "Connection: close" in answer) == (401, True)


async def test_answers_of_any_size_arrive_while_the_client_is_slow(proxy):
    large = b'{"a": "' + b"x" * (8 << 20) + b'"}'
    async with proxy(Reply(chunks=[large])) as world:
        wire = await world.inside(OPENAI)
        wire.send(request(OPENAI, "/v1/responses", b"{}"))
        await asyncio.sleep(0.2)  # it is written into a client that does not read
        assert (await wire.answer()).body == large


async def test_dumps_hold_intercepted_requests_without_any_secret(proxy, tmp_path):
    async with proxy(Reply(chunks=[b'{"a": 1}']), dump_dir=tmp_path / "dumps") as world, world.client() as client:
        await client.post(f"https://{OPENAI}/v1/responses", json=CHAT, headers={"Authorization": OWNLY})
        assert world.provider.seen[0].headers["Authorization"] == OWNLY
    dumped = "".join(path.read_text() for path in (tmp_path / "dumps").rglob("*.txt"))
    assert "/v1/responses" in dumped
    assert '"a": 1' in dumped
    assert OWN not in dumped
    assert TOKEN not in dumped
