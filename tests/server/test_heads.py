"""What a stranger may send: limits of heads, and requests that two readers could take for different ones.

The answer to whatever is not well formed is one refusal and the end of the connection: nothing behind it is read.
"""

import asyncio

import pytest

from tests.gateway.raw import connect, talk
from tests.server.conftest import Opening, answers

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /a HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "length and chunks": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two equal lengths": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of lengths": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "a length with a sign": POST + b"Content-Length: +4\r\n\r\nabcd",
    "a negative length": POST + b"Content-Length: -1\r\n\r\nabcd",
    "a hexadecimal length": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "a length with an underscore": POST + b"Content-Length: 0_4\r\n\r\nabcd",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "a length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\nabcd",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks after a tabulator": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /a HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": POST + b"X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded first header": b"POST /a HTTP/1.1\r\n Host: x\r\n\r\n",
    "bare line feeds": b"GET /a HTTP/1.1\nHost: x\n\n",
    "one bare line feed": b"GET /a HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "a bare carriage return": b"GET /a HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 4\r\n\r\nabcd",
    "a tabulator before the colon": POST + b"Content-Length\t: 4\r\n\r\nabcd",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: ab\r\n\r\n",
    "no colon": GET + b"Xab\r\n\r\n",
    "no name": GET + b": ab\r\n\r\n",
    "no host": b"GET /a HTTP/1.1\r\nX: x\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a host with a space": b"GET /a HTTP/1.1\r\nHost: x y\r\n\r\n",
    "a host with a path": b"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a host with a user": b"GET /a HTTP/1.1\r\nHost: x@y\r\n\r\n",
    "an empty host": b"GET /a HTTP/1.1\r\nHost: \r\n\r\n",
    "an absolute target": b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target elsewhere": b"GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n",
    "an authority as target": b"CONNECT y:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target beyond ASCII": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that is none": b"G@T /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get /a HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET /a HTTP/1.2\r\nHost: x\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_head_is_refused_once_and_nothing_behind_it_is_read(opened: Opening, data):
    async with opened() as url:
        got, _ = await talk(url, data + SMUGGLED)
    [(status, document)] = answers(got)
    assert status == 400
    assert document["type"] == "error"
    assert document["message"] == document["error"]["message"]


@pytest.mark.parametrize("data", [b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n", b"GET /a\r\n\r\n"], ids=["2.0", "0.9"])
async def test_another_version_is_not_spoken(opened: Opening, data):
    async with opened() as url:
        got, _ = await talk(url, data)
    assert [status for status, _ in answers(got)] == [505]


WRONG_CHUNKS = {
    "a line feed in an extension": b"4;a\nb\r\nabcd\r\n0\r\n\r\n",
    "bare line feeds": b"4\nabcd\n0\n\n",
    "a prefix": b"0x4\r\nabcd\r\n0\r\n\r\n",
    "a size beyond numbers": b"fffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
    "a negative size": b"-4\r\nabcd\r\n0\r\n\r\n",
    "a space after the size": b"4 \r\nabcd\r\n0\r\n\r\n",
    "more than announced": b"4\r\nabcdXX0\r\n\r\n",
    "a length as trailer": b"4\r\nabcd\r\n0\r\nContent-Length: 9\r\n\r\n",
}


@pytest.mark.parametrize("chunks", WRONG_CHUNKS.values(), ids=WRONG_CHUNKS.keys())
async def test_nothing_behind_wrong_chunks_is_read(opened: Opening, chunks):
    async with opened() as url:
        got, _ = await talk(url, CHUNKED + chunks + SMUGGLED)
    assert [status for status, _ in answers(got)] == [400]


WELL_FORMED = {
    "chunks with an extension": (CHUNKED + b"4;a=b\r\nabcd\r\n0\r\n\r\n", "POST", "/a", "abcd"),
    "a body on a GET": (GET + b"Content-Length: 4\r\n\r\nabcd", "GET", "/a", "abcd"),
    "empty lines before": (b"\r\n\r\n" + GET + b"\r\n", "GET", "/a", ""),
    "two slashes": (b"GET //a/b HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "//a/b", ""),
    "an IPv6 host": (b"GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET", "/a", ""),
}


@pytest.mark.parametrize(("data", "method", "target", "body"), WELL_FORMED.values(), ids=WELL_FORMED.keys())
async def test_what_is_well_formed_is_understood_in_one_way(opened: Opening, data, method, target, body):
    async with opened() as url:
        got, _ = await talk(url, data + b"GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    first, second = answers(got)
    assert first == (200, {"method": method, "target": target, "body": body})
    assert second == (200, {"method": "GET", "target": "/next", "body": ""})


async def test_a_client_that_would_rather_speak_http2_is_served_on(opened: Opening):
    """Java's client asks so on the first request of a connection, and sends the next one on it all the same."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with opened() as url:
        reader, writer = await connect(url)
        for wish in (upgrade.replace(b", close", b""), upgrade):
            writer.write(POST + wish + b"Content-Length: 4\r\n\r\nabcd")
            async with asyncio.timeout(5):
                assert b" 200 " in await reader.readuntil(b"abcd")
                await reader.readuntil(b"}")
        writer.close()


TOO_LARGE = {
    "a long target": (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a long header": (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "a long name": (GET + b"X" * 70_000 + b": y\r\n\r\n", 431),
    "many headers": (GET + b"X: y\r\n" * 200 + b"\r\n", 431),
    "many trailers": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
}


@pytest.mark.parametrize(("data", "status"), TOO_LARGE.values(), ids=TOO_LARGE.keys())
async def test_a_head_has_limits(opened: Opening, data, status):
    async with opened() as url:
        got, _ = await talk(url, data)
    [(told, document)] = answers(got)
    assert told == status
    assert document["error"]["type"] == "invalid_request_error"


async def test_a_head_that_never_ends_is_refused(opened: Opening):
    async with opened(head=10_000) as url:
        got, _ = await talk(url, GET + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(20)))
    [(status, document)] = answers(got)
    assert (status, document["message"]) == (431, "the headers of the request are too many or too long")


async def test_who_goes_on_sending_hears_it_once(opened: Opening):
    async with opened(head=10_000) as url:
        reader, writer = await connect(url)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            told = tasks.create_task(reader.read())
            writer.write(GET)
            while not told.done():
                writer.write(b"X: " + b"y" * 1000 + b"\r\n")
                await asyncio.sleep(0.001)
        writer.close()
    assert [status for status, _ in answers(told.result())] == [431]


async def test_a_large_head_is_taken_and_counted_anew_for_the_next(opened: Opening):
    large = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(8))
    async with opened(head=10_000) as url:
        reader, writer = await connect(url)
        for _ in range(3):
            writer.write(GET)
            writer.write(large + b"\r\n")
            async with asyncio.timeout(5):
                assert b"/a" in await reader.readuntil(b"}")
        writer.close()


async def test_half_a_head_has_a_time_limit(opened: Opening):
    async with opened(head_seconds=0.1) as url:
        got, plain = await talk(url, GET)
    assert plain
    [(status, document)] = answers(got)
    assert (status, document["message"]) == (408, "the head of the request did not come within 0.1 s")


async def test_a_trickle_does_not_prolong_the_time_for_a_head(opened: Opening):
    async with opened(head_seconds=0.2) as url:
        reader, writer = await connect(url)
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            told = tasks.create_task(reader.read())
            writer.write(GET)
            while not told.done():
                writer.write(b"X: y\r\n")
                await asyncio.sleep(0.02)
        writer.close()
    assert [status for status, _ in answers(told.result())] == [408]


async def test_the_time_counts_anew_for_every_head(opened: Opening):
    async with opened(head_seconds=0.1) as url:
        reader, writer = await connect(url)
        async with asyncio.timeout(5):
            writer.write(GET + b"\r\n")
            assert b" 200 " in await reader.readuntil(b"}")
            writer.write(GET)
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_who_says_nothing_is_left_without_an_answer(opened: Opening):
    async with opened(head_seconds=0.1) as url:
        assert await talk(url, b"") == (b"", True)


async def test_an_idle_connection_outlasts_the_time_for_a_head_and_then_ends(opened: Opening):
    async with opened(head_seconds=0.1, idle_seconds=0.4) as url:
        got, plain = await talk(url, GET + b"\r\n")
    assert (len(answers(got)), plain) == (1, True)


async def test_a_body_has_the_time_that_its_handler_gives_it(opened: Opening):
    async with opened(head_seconds=0.1) as url:
        reader, writer = await connect(url)
        writer.write(POST + b"Content-Length: 4\r\n\r\n")
        for _ in range(4):
            await asyncio.sleep(0.05)  # longer than a head may take: this is what is tested
            writer.write(b"a")
        async with asyncio.timeout(5):
            assert b'"aaaa"' in await reader.readuntil(b"}")
        writer.close()


async def test_a_body_that_trickles_in_is_given_up(opened: Opening):
    async with opened(body_seconds=0.2) as url:
        reader, writer = await connect(url)
        writer.write(POST + b"Content-Length: 9999\r\n\r\n")
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            told = tasks.create_task(reader.readline())
            while not told.done():
                writer.write(b"a")
                await asyncio.sleep(0.02)
        writer.close()
    assert told.result() == b"HTTP/1.1 408 Request Timeout\r\n"


async def test_newcomers_take_the_place_of_who_waits_longest(opened: Opening):
    async with opened(connections=2) as url:
        (first, one), (second, two), (third, three) = [await connect(url) for _ in range(3)]
        async with asyncio.timeout(5):
            assert await first.read() == b""
            for reader, writer in ((second, two), (third, three)):
                writer.write(GET + b"Connection: close\r\n\r\n")
                assert b" 200 " in await reader.read()
        for writer in (one, two, three):
            writer.close()


async def test_who_is_served_keeps_the_place_and_newcomers_are_refused(opened: Opening):
    async with opened(connections=1) as url:
        reader, writer = await connect(url)
        writer.write(POST + b"Content-Length: 4\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
        async with asyncio.timeout(5):
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")  # it is being served
        got, _ = await talk(url, b"")
        assert [status for status, _ in answers(got)] == [503]
        writer.write(b"abcd")
        async with asyncio.timeout(5):
            assert b" 200 " in await reader.read()
        writer.close()


async def test_a_handler_that_fails_answers_in_json_and_does_not_say_why(opened: Opening, caplog):
    async with opened() as url:
        got, _ = await talk(url, b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    [(status, document)] = answers(got)
    assert (status, document["message"]) == (500, "the server made a mistake; its log says which one")
    assert "on purpose" in caplog.text
