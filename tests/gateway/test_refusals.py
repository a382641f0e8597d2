"""Every refusal is in the caller's error form, names what is wrong, and reaches no provider."""

import asyncio
import gzip
import json

import brotli
import pytest
from backports import zstd

from coderai.demo.answers import error_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Reply
from coderai.records import Api
from tests.gateway.conftest import TOKEN, Opening
from tests.gateway.raw import serving
from tests.gateway.test_recorded import CHAT, MESSAGES

AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "text"),
    [
        ("POST", "/anthropic/v1/messages", {}, 401, "no authentication key provided"),
        ("POST", "/anthropic/v1/messages", {"X-Api-Key": "nonsense"}, 401, "this token does not work"),
        ("POST", "/nobody/v1/messages", AUTHORIZED, 404, "route not supported: POST /nobody/v1/messages"),
        ("POST", "/nobody/v1/messages", AUTHORIZED, 404, 'there is no provider "nobody"'),
        ("POST", "/openai/v1/embeddings", AUTHORIZED, 404, "route not supported: POST /openai/v1/embeddings"),
        ("GET", "/openai/v1/models/../files", AUTHORIZED, 404, "route not supported"),
        ("GET", "/openai/v1/models/%2e%2e/files", AUTHORIZED, 404, "route not supported"),
        ("GET", "/anthropic/v1/messages", AUTHORIZED, 405, "GET is not allowed here, use POST"),
        ("POST", "/sleeping/v1/responses", AUTHORIZED, 503, 'provider_disabled: AI provider "sleeping" is disabled'),
        ("POST", "/broken/v1/chat/completions", AUTHORIZED, 404, "type google is not available yet"),
    ],
)
async def test_refusals(opened: Opening, caplog, method, path, headers, status, text):
    caplog.set_level("INFO", "coderai.gateway")
    async with opened() as setting:
        # the path must reach the server as it is written here
        from yarl import URL

        url = URL(setting.url + path, encoded=True)
        async with setting.client.request(method, url, headers=headers, json=MESSAGES) as answer:
            assert answer.status == status
            document = await answer.json()
            assert text in document["error"]["message"]
            assert ("type" in document) == ("messages" in path)
            assert answer.headers["x-should-retry"] == "false"
            assert "Retry-After" not in answer.headers
        assert setting.provider.seen == []
        assert setting.notebook.begun == []
    assert [record.message for record in caplog.records] == ["request refused"]


async def test_a_401_has_the_forms_that_every_tool_understands(opened: Opening):
    async with opened() as setting:
        async with setting.client.post(setting.url + "/anthropic/v1/messages", json=MESSAGES) as answer:
            document = await answer.json()
        assert document["type"] == "error"
        assert document["error"]["type"] == "authentication_error"
        assert document["message"] == document["error"]["message"]
        async with setting.client.post(setting.url + "/openai/v1/chat/completions", json=CHAT) as answer:
            document = await answer.json()
        assert (document["error"]["type"], document["error"]["code"]) == ("invalid_request_error", "invalid_api_key")


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b'{"model": '])
async def test_a_body_that_is_no_json_object_is_a_400(opened: Opening, body):
    async with opened() as setting:
        url = setting.url + "/anthropic/v1/messages"
        async with setting.client.post(url, data=body, headers=AUTHORIZED) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["type"] == "invalid_request_error"
        assert setting.notebook.begun == []


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstd.compress)],
)
async def test_compressed_bodies_are_read_and_forwarded_as_they_came(opened: Opening, encoding, encode):
    body = encode(json.dumps(MESSAGES).encode())
    async with opened(messages_answer(text="hi")) as setting:
        headers = AUTHORIZED | {"Content-Encoding": encoding, "Content-Type": "application/json"}
        async with setting.client.post(setting.url + "/anthropic/v1/messages", data=body, headers=headers) as answer:
            assert answer.status == 200
        assert setting.notebook.begun[0].prompt == "fix the test"
        assert setting.provider.seen[0].body == body
        assert setting.provider.seen[0].headers["Content-Encoding"] == encoding


@pytest.mark.parametrize("encoding", ["snappy", "gzip"], ids=["unknown encoding", "broken data"])
async def test_a_body_that_cannot_be_decoded_is_refused(opened: Opening, encoding):
    async with opened() as setting:
        headers = AUTHORIZED | {"Content-Encoding": encoding}
        async with setting.client.post(
            setting.url + "/anthropic/v1/messages", data=b"x" * 9, headers=headers
        ) as answer:
            assert answer.status == (415 if encoding == "snappy" else 400)
        assert setting.notebook.begun == []


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_limit_is_a_413(opened: Opening, announced):
    async def pieces():
        yield b"x" * 3000

    async with opened(max_bytes=2048) as setting:
        url = setting.url + "/anthropic/v1/messages"
        data = b"x" * 3000 if announced else pieces()
        async with setting.client.post(url, data=data, headers=AUTHORIZED) as answer:
            assert answer.status == 413
            assert "2048 bytes" in (await answer.json())["error"]["message"]


async def test_a_body_that_grows_over_the_limit_when_decoded_is_a_413(opened: Opening):
    body = gzip.compress(b'{"x": "' + b"y" * 100_000 + b'"}')
    async with opened(max_bytes=2048) as setting:
        headers = AUTHORIZED | {"Content-Encoding": "gzip"}
        async with setting.client.post(setting.url + "/anthropic/v1/messages", data=body, headers=headers) as answer:
            assert answer.status == 413


async def test_websocket_upgrades_get_426_with_a_json_error(opened: Opening):
    async with opened() as setting:
        headers = AUTHORIZED | {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        async with setting.client.get(setting.url + "/openai/v1/responses", headers=headers) as answer:
            assert answer.status == 426
            assert "use HTTP" in (await answer.json())["error"]["message"]


async def test_head_probes_need_no_token_and_leave_no_record(opened: Opening):
    async with opened() as setting:
        for path in ("/anthropic", "/anthropic/api/hello"):
            async with setting.client.head(setting.url + path) as answer:
                assert answer.status == 200
        assert (setting.provider.seen, setting.notebook.begun) == ([], [])


async def test_own_credentials_travel_in_the_header_in_which_they_came(opened: Opening):
    async with opened(messages_answer(text="hi"), messages_answer(text="hi")) as setting:
        for header, value in (
            ("X-Api-Key", "sk-ant-mine-0123456789"),
            ("Authorization", "Bearer sk-ant-oat-0123456789"),
        ):
            own = {"X-Coder-AI-Governance-Token": TOKEN, header: value}
            url = setting.url + "/anthropic/v1/messages"
            async with setting.client.post(url, json=MESSAGES, headers=own) as answer:
                assert answer.status == 200
            seen = setting.provider.seen[-1].headers
            assert seen[header] == value
            assert TOKEN not in str(seen)
        kinds = [(item.credential_kind, item.credential_hint) for item in setting.notebook.begun]
    assert kinds == [("byok", "sk-a...6789"), ("byok", "sk-a...6789")]


async def test_own_credentials_are_refused_when_switched_off(opened: Opening):
    async with opened(allow_byok=False) as setting:
        own = {"X-Coder-AI-Governance-Token": TOKEN, "X-Api-Key": "sk-ant-mine-0123456789"}
        async with setting.client.post(setting.url + "/anthropic/v1/messages", json=MESSAGES, headers=own) as answer:
            assert answer.status == 403
            assert "--aibridge-allow-byok" in (await answer.json())["error"]["message"]


async def test_a_provider_without_any_credential_says_so(opened: Opening):
    async with opened(keys=()) as setting, setting.post("/anthropic/v1/messages", MESSAGES) as answer:
        assert answer.status == 401
        assert "has no central key" in (await answer.json())["error"]["message"]


async def test_model_lists_and_token_counts_pass_through_unrecorded(opened: Opening):
    async with opened() as setting:
        url = setting.url + "/anthropic/v1/models?limit=1000"
        async with setting.client.get(url, headers=AUTHORIZED) as answer:
            assert (answer.status, (await answer.json())["data"][0]["type"]) == (200, "model")
        async with setting.post("/anthropic/v1/messages/count_tokens?beta=true", MESSAGES) as answer:
            assert (await answer.json())["input_tokens"] > 0
        assert [seen.path for seen in setting.provider.seen] == [
            "/v1/models?limit=1000",
            "/v1/messages/count_tokens?beta=true",
        ]
        assert setting.notebook.begun == []


async def test_a_stopping_server_refuses_what_is_new(opened: Opening):
    async with opened() as setting:
        setting.plane.stopping = True
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 503
            assert (await answer.json())["error"]["message"] == "AI Gateway is shutting down"


async def test_a_provider_that_compresses_all_the_same_is_decoded(opened: Opening):
    plain = messages_answer(text="hi", stream=False)
    packed = Reply(chunks=[gzip.compress(plain.body)], headers={"Content-Encoding": "gzip"})
    async with opened(packed) as setting, setting.post("/anthropic/v1/messages", MESSAGES) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.read() == plain.body


async def test_a_key_that_does_not_work_ends_repeating_where_nothing_is_recorded_too(opened: Opening):
    async with (
        opened(error_answer(Api.MESSAGES, 401)) as setting,
        setting.client.get(setting.url + "/anthropic/v1/models", headers=AUTHORIZED) as answer,
    ):
        assert (answer.status, answer.headers["x-should-retry"]) == (502, "false")
        assert "Contact your Administrator" in (await answer.json())["error"]["message"]


async def test_what_fails_behind_the_gateway_leaves_a_line_in_the_log(opened: Opening, caplog):
    caplog.set_level("INFO", "coderai.gateway")
    async with opened(base_url="http://127.0.0.1:1") as setting:
        async with setting.post("/anthropic/v1/messages", MESSAGES) as answer:
            assert answer.status == 502
        [line] = [record for record in caplog.records if record.message == "request not answered"]
        assert "Connection refused" in str(vars(line))
        assert setting.notebook.begun[0].id in str(vars(line))


async def test_a_provider_without_tls_is_called_so(opened: Opening):
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with serving(plain) as url, opened(base_url=url.replace("http:", "https:")) as setting:
        answer = await setting.post("/anthropic/v1/messages", MESSAGES)
        assert answer.status == 502
        assert "does not speak TLS" in await answer.text()
