"""The scripted provider does what the script says, byte by byte and mishap by mishap."""

import asyncio
import gzip
import io

import aiohttp
import pytest

from coderai.demo.answers import Tokens, Tool, error_answer, error_event
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Pause, Reply, ScriptedProvider, Stall
from coderai.records import Api


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_reply_goes_out_as_written_and_the_request_is_kept(client):
    provider = ScriptedProvider([Reply(status=201, headers={"X-Own": "yes"}, chunks=[b"a", b"b"])])
    async with provider.serving() as url, client.post(url + "/v1/x?y=%20z", data=b'{"a":1}') as answer:
        assert (answer.status, answer.headers["X-Own"], answer.headers["Content-Length"]) == (201, "yes", "2")
        assert await answer.read() == b"ab"
    [seen] = provider.seen
    assert (seen.method, seen.path, seen.json, seen.headers["host"]) == ("POST", "/v1/x?y=%20z", {"a": 1}, url[7:])
    assert seen.closed.is_set()
    assert not seen.left_early


async def test_a_compressed_body_is_kept_as_it_came(client):
    provider = ScriptedProvider([Reply()])
    packed = gzip.compress(b"{}")
    async with (
        provider.serving() as url,
        client.post(url, data=packed, headers={"Content-Encoding": "gzip"}) as answer,
    ):
        assert answer.status == 200
    assert provider.seen[0].body == packed


async def test_a_large_body_is_accepted(client):
    provider = ScriptedProvider([Reply()])
    async with provider.serving() as url, client.post(url, data=io.BytesIO(bytes(3_000_000))) as answer:
        assert answer.status == 200
    assert len(provider.seen[0].body) == 3_000_000


async def test_the_script_may_be_a_function_of_the_request(client):
    provider = ScriptedProvider(lambda seen: Reply(chunks=[seen.path.encode()]))
    async with provider.serving() as url, client.get(url + "/hello") as answer:
        assert await answer.read() == b"/hello"


async def test_a_used_up_script_says_so(client):
    async with ScriptedProvider().serving() as url, client.post(url + "/v1/messages") as answer:
        assert answer.status == 500
        assert "no answer left for POST /v1/messages" in (await answer.json())["error"]["message"]


async def test_model_lists_need_no_script(client):
    async with ScriptedProvider().serving() as url:
        async with client.get(url + "/v1/models") as answer:
            assert (await answer.json())["object"] == "list"
        async with client.get(url + "/v1/models", headers={"anthropic-version": "2023-06-01"}) as answer:
            assert (await answer.json())["has_more"] is False
        async with client.post(url + "/v1/messages/count_tokens?beta=true", data=b"x" * 40) as answer:
            assert await answer.json() == {"input_tokens": 10}


@pytest.mark.parametrize("reset", [False, True])
async def test_break_off_before_the_headers(client, reset):
    async with ScriptedProvider([Reply(chunks=[BreakOff(reset)])]).serving() as url:
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.post(url)


@pytest.mark.parametrize("reset", [False, True])
async def test_break_off_in_the_middle(client, reset):
    provider = ScriptedProvider([messages_answer(text="one two three four").cut(2, BreakOff(reset))])
    async with provider.serving() as url, client.post(url) as answer:
        with pytest.raises((aiohttp.ClientPayloadError, ConnectionError)):
            await answer.read()
    assert provider.seen[0].closed.is_set()


async def test_a_clean_end_too_early(client):
    reply = messages_answer(text="one two three four")
    provider = ScriptedProvider([reply.cut(2)])
    async with provider.serving() as url, client.post(url) as answer:
        assert await answer.read() == reply.events[0] + reply.events[1]


async def test_nothing_comes_until_a_pause_is_over(client):
    go = asyncio.Event()
    pause = Pause(go)
    async with ScriptedProvider([Reply(chunks=[pause, b"late"])]).serving() as url, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.post(url))
        await pause.reached.wait()
        assert not asking.done()
        go.set()
        assert await (await asking).read() == b"late"


async def test_the_headers_can_go_out_long_before_the_body(client):
    stall = Stall()
    provider = ScriptedProvider([Reply(chunks=[b"", stall, b"rest"])])
    async with provider.serving() as url, client.post(url) as answer:
        await stall.reached.wait()
        assert answer.status == 200
        stall.release()
        assert await answer.read() == b"rest"


async def test_a_client_that_leaves_is_noticed(client):
    provider = ScriptedProvider([Reply(chunks=[b"x", Stall()])])
    async with provider.serving() as url:
        async with client.post(url) as answer:
            seen = await provider.request(0)
            await answer.content.readexactly(1)
            assert not seen.closed.is_set()
            answer.close()
            await seen.closed.wait()
        assert seen.left_early


async def test_the_server_can_stop_while_an_answer_stalls(client):
    async with ScriptedProvider([Reply(chunks=[Stall()])]).serving() as url, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.post(url))
        asking.cancel()


@pytest.mark.parametrize("answer", [messages_answer, chat_answer, responses_answer])
async def test_the_request_decides_whether_the_answer_is_streamed(client, answer):
    provider = ScriptedProvider([answer(text="hi"), answer(text="hi")])
    async with provider.serving() as url:
        async with client.post(url, json={"stream": True}) as streamed:
            assert streamed.content_type == "text/event-stream"
            assert (await streamed.read()).endswith(b"\n\n")
        async with client.post(url, json={}) as whole:
            assert whole.content_type == "application/json"
            assert '"hi"' in await whole.text()


@pytest.mark.parametrize(("options", "times"), [({"include_usage": True}, 1), ({"include_usage": False}, 0), (None, 0)])
async def test_the_usage_chunk_of_a_chat_stream_is_sent_when_asked_for(client, options, times):
    provider = ScriptedProvider([chat_answer(text="hi", usage=Tokens(output=61))])
    async with provider.serving() as url, client.post(url, json={"stream": True, "stream_options": options}) as answer:
        body = await answer.read()
    assert body.count(b'"choices":[]') == times
    assert body.endswith(b"data: [DONE]\n\n")


async def test_bytes_can_be_split_anywhere(client):
    reply = responses_answer(text="größer", tools=[Tool("apply_patch", "*** Begin")], stream=True)
    async with ScriptedProvider([reply.split(7)]).serving() as url, client.post(url) as answer:
        assert await answer.read() == reply.body


@pytest.mark.parametrize("api", list(Api))
def test_errors_have_the_form_of_their_api(api):
    assert b'"message":"Slow down"' in error_answer(api, 429, "Slow down", {"retry-after": "2"}).body
    assert b"Slow down" in error_event(api, "Slow down")
