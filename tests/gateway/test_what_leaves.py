"""What goes to the provider and what comes back: credentials, headers, paths; nothing that belongs elsewhere."""

import json
from dataclasses import replace

import pytest
from yarl import URL

from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Reply
from coderai.records import Ending
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, Opening
from tests.gateway.raw import request, saying, talk
from tests.gateway.test_recorded import CHAT, MESSAGES

BYOK = {"X-Coder-AI-Governance-Token": TOKEN}
CLOSE = b"Connection: close"


@pytest.mark.parametrize(
    ("path", "body"), [("/anthropic/v1/messages", MESSAGES), ("/openai/v1/chat/completions", CHAT)], ids=["a", "o"]
)
@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {TOKEN}"}, {"Authorization": f"bearer  {TOKEN}"}, {"X-Api-Key": TOKEN}],
    ids=["bearer", "two blanks", "x-api-key"],
)
async def test_a_gateway_token_in_every_header_is_no_credential_of_the_callers_own(
    opened: Opening, path, body, headers
):
    async with opened(messages_answer(text="hi")) as setting:
        async with setting.client.post(setting.url + path, json=body, headers=BYOK | headers) as answer:
            await answer.read()
        seen = setting.provider.seen[0]
        assert not [value for value in seen.headers.values() if TOKEN in value]
        assert [value for value in seen.headers.values() if CENTRAL_KEY in value]
        assert setting.notebook.begun[0].credential_kind == "centralized"


async def test_of_two_own_credentials_the_one_of_the_providers_kind_is_sent(opened: Opening):
    own = BYOK | {"X-Api-Key": "sk-ant-own-0123456789abcdef", "Authorization": "Bearer sk-own-0123456789abcdef"}
    async with opened(messages_answer(text="hi"), messages_answer(text="hi")) as setting:
        for path, body in (("/anthropic/v1/messages", MESSAGES), ("/openai/v1/chat/completions", CHAT)):
            async with setting.client.post(setting.url + path, json=body, headers=own) as answer:
                await answer.read()
        sent = [(seen.headers.get("X-Api-Key"), seen.headers.get("Authorization")) for seen in setting.provider.seen]
    assert sent == [("sk-ant-own-0123456789abcdef", None), (None, "Bearer sk-own-0123456789abcdef")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Token {TOKEN}"},
        {"X-Api-Key": f"{TOKEN}, {TOKEN}"},
        {"X-Litellm-Api-Key": TOKEN},
        {"User-Agent": f"tool/{TOKEN}"},
        {"Ocp-Apim-Subscription-Key": TOKEN},
    ],
    ids=lambda headers: next(iter(headers)),
)
@pytest.mark.parametrize(
    "query", ["?beta=true", f"?beta=true&x={TOKEN}", f"?beta=true&%6Bey={TOKEN}", f"?{TOKEN}&beta=true"]
)
@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/anthropic/v1/models"])
async def test_the_gateway_token_does_not_leave_wherever_it_is(opened: Opening, path, query, headers):
    async with opened(messages_answer(text="hi")) as setting:
        url = setting.url + path + query
        async with setting.client.post(url, json=MESSAGES, headers=BYOK | headers) as answer:
            assert answer.status == 200
        seen = setting.provider.seen[0]
    assert TOKEN not in f"{seen.path} {[*seen.headers.items()]}"
    assert seen.path.endswith("?beta=true")


async def test_a_path_with_the_gateway_token_is_no_route(opened: Opening):
    async with opened() as setting:
        url = f"{setting.url}/openai/v1/models/{TOKEN}"
        async with setting.client.get(url, headers=BYOK) as answer:
            assert answer.status == 404
            assert TOKEN not in await answer.text()
        assert setting.provider.seen == []


@pytest.mark.parametrize("name", ["key", "KEY", "%6bey", "api-key", "api_key", "access_token", "X-Amz-Signature"])
async def test_a_key_in_the_query_does_not_go_past_the_gateway(opened: Opening, name):
    async with opened(messages_answer(text="hi"), allow_byok=False) as setting:
        url = URL(f"{setting.url}/anthropic/v1/messages?beta=true&{name}=AIza-own&limit=1%2C2", encoded=True)
        async with setting.client.post(url, json=MESSAGES, headers={"X-Api-Key": TOKEN}) as answer:
            assert answer.status == 200
        assert setting.provider.seen[0].path == "/v1/messages?beta=true&limit=1%2C2"


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/anthropic/v1/models"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_that_the_provider_repeats_in_a_header_does_not_reach_the_client(opened: Opening, path, stream):
    told = messages_answer(text="hi")
    told = replace(told, headers={**told.headers, "X-Echo": f"was {CENTRAL_KEY}", "X-Request-Id": "r1"})
    async with opened(told) as setting:
        headers = {"X-Api-Key": TOKEN}
        async with setting.client.post(
            setting.url + path, json=MESSAGES | {"stream": stream}, headers=headers
        ) as answer:
            await answer.read()
            assert CENTRAL_KEY not in str(answer.headers)
            assert answer.headers["X-Request-Id"] == "r1"


async def test_a_scheme_without_a_credential_is_none(opened: Opening):
    async with opened(keys=()) as setting:
        headers = BYOK | {"Authorization": "Bearer"}
        async with setting.client.post(setting.url + "/openai/v1/responses", json=CHAT, headers=headers) as answer:
            assert answer.status == 401
        assert setting.provider.seen == []


async def test_a_redirect_does_not_lead_the_client_past_the_gateway(opened: Opening):
    reply = Reply(status=307, headers={"Location": "https://elsewhere.example.com/v1/messages"}, chunks=[b"{}"])
    async with opened(reply, reply) as setting:
        for path, method in (("/anthropic/v1/messages", "POST"), ("/anthropic/v1/models", "GET")):
            headers = {"X-Api-Key": TOKEN}
            url = setting.url + path
            async with setting.client.request(
                method, url, json=MESSAGES, headers=headers, allow_redirects=False
            ) as answer:
                assert answer.status == 307
                assert "Location" not in answer.headers


async def test_headers_named_by_any_connection_header_stay_here(opened: Opening):
    async with opened(messages_answer(text="hi")) as setting:
        url = setting.url + "/anthropic/v1/messages"
        headers = [b"Connection: close, X-One", b"connection: x-two", b"X-One: 1", b"X-Two: 2", b"X-Three: 3"]
        await talk(url, request(url, json.dumps(MESSAGES).encode(), headers=headers))
        seen = setting.provider.seen[0].headers
    assert [name in seen for name in ("X-One", "X-Two", "X-Three")] == [False, False, True]


async def test_headers_named_by_the_providers_connection_header_stay_here_too(opened: Opening):
    answer = b"HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Kept: a\r\nX-Kept: b\r\n\r\n{}"
    async with (
        saying(answer) as url,
        opened(base_url=url) as setting,
        setting.post("/anthropic/v1/messages", MESSAGES) as got,
    ):
        assert "X-Hop" not in got.headers
        assert got.headers.getall("X-Kept") == ["a", "b"]


@pytest.mark.parametrize(
    "headers",
    [[b"X-Name: M\xfcller"], [b"X-Name: \xf0\x9f\xa6\x8a"], [b"X-Name: a", b"X-Name: b"], [b"X-Empty:"]],
    ids=["latin-1", "utf-8", "twice", "empty"],
)
async def test_header_values_arrive_as_they_were_sent(opened: Opening, headers):
    received = []

    async with opened() as setting:
        url = setting.url + "/anthropic/v1/messages"
        data = request(url, json.dumps(MESSAGES).encode(), headers=[*headers, CLOSE])
        await talk(url, data)
        received = setting.provider.seen[0].headers
    name, _, _ = headers[0].partition(b":")
    values = [value.encode("utf-8", "surrogateescape") for value in received.getall(name.decode())]
    assert values == [line.partition(b":")[2].strip() for line in headers]


async def test_an_own_credential_that_is_no_text_is_sent_as_it_is(opened: Opening):
    async with opened(messages_answer(text="hi")) as setting:
        url = setting.url + "/anthropic/v1/messages"
        headers = [b"X-Coder-AI-Governance-Token: " + TOKEN.encode(), b"X-Api-Key: k\xfcy", CLOSE]
        got, _ = await talk(url, request(url, json.dumps(MESSAGES).encode(), headers=headers, token=""))
        assert got.startswith(b"HTTP/1.1 200")
        assert setting.provider.seen[0].headers["X-Api-Key"].encode("utf-8", "surrogateescape") == b"k\xfcy"
        assert setting.notebook.endings == [Ending.COMPLETE]


async def test_a_key_with_a_line_break_is_not_sent_and_the_record_ends(opened: Opening):
    async with opened(keys=("sk-1\r\nX-Injected: 1",)) as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 400
        assert setting.provider.seen == []
        assert len(setting.notebook.ended) == 1


@pytest.mark.parametrize("query", ["?beta=true", "?q=%2F%3f&a", "?a=b?c", "?a=b#c"])
async def test_a_query_arrives_as_it_was_sent(opened: Opening, query):
    async with opened(messages_answer(text="hi")) as setting:
        url = setting.url + "/anthropic/v1/messages" + query
        got, _ = await talk(url, request(url, json.dumps(MESSAGES).encode(), headers=[CLOSE]))
        assert got.startswith(b"HTTP/1.1 200")
        assert [seen.path for seen in setting.provider.seen] == ["/v1/messages" + query]


@pytest.mark.parametrize(
    "path",
    [
        "/openai/v1/responses/",
        "/openai/v1/responses//",
        "/openai/v1/responses;x/",
        "/openai/v1/responses/.",
        "/openai/v1/responses/%2e",
        "/openai/v1/responses/x/%2E%2e/y",
        "/openai/v1/responses/x/..;/y",
        "/openai/v1/responses/x/..%3b/y",
        "/openai/v1/models/..%2ffiles",
        "/openai/v1/models/..%5cfiles",
        "/openai//v1/responses",
        "//openai/v1/responses",
        "/openai/v1/Responses",
        "/openai",
        "/openai?x",
        "",
    ],
)
async def test_no_way_of_writing_a_path_goes_past_the_table_or_the_record(opened: Opening, path):
    async with opened() as setting:
        url = setting.url + path
        got, _ = await talk(url, request(url, b'{"model": "m"}', headers=[CLOSE]))
        assert got.startswith(b"HTTP/1.1 404")
        assert setting.provider.seen == []
        assert setting.notebook.begun == []


async def test_an_absolute_target_is_served_or_refused_but_never_sent_elsewhere(opened: Opening):
    async with opened() as setting:
        url = setting.url + "/anthropic/v1/messages"
        data = request(url, b"{}", headers=[CLOSE]).replace(b"POST /", b"POST http://elsewhere.example.com/")
        got, _ = await talk(url, data)
        assert got.startswith(b"HTTP/1.1 4")
        assert setting.provider.seen == []


async def test_a_method_that_shows_the_request_does_not_show_the_providers_key(opened: Opening):
    async with opened() as setting:
        url = setting.url + "/openai/v1/models"
        async with setting.client.request("TRACE", url, headers={"X-Api-Key": TOKEN}) as answer:
            assert answer.status == 405
        assert setting.provider.seen == []
