"""API dumps of a running data plane: which files there are, what is in them, and that nobody has to wait for them."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import BreakOff, Reply
from coderai.errors import BadSettings
from coderai.gateway.dump import dumping
from coderai.gateway.pool import pooling
from coderai.gateway.upstream import Upstream
from coderai.providers.retries import Retries
from coderai.records import Api
from coderai.wire.body import zstd_module
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, Opening, Setting
from tests.gateway.raw import request, serving, talk
from tests.gateway.test_recorded import CHAT, MESSAGES, RESPONSES
from tests.gateway.websockets import ASK, CODEX, connected, create

OWN_KEY = "sk-ant-own-0123456789abcdef"
OWN = {"X-Coder-AI-Governance-Token": TOKEN, "X-Api-Key": OWN_KEY, "Authorization": ""}
STREAMED = {**MESSAGES, "stream": True}


def files(directory: Path) -> dict[str, bytes]:
    """Every dump by its path, with the time and the id left out."""
    found = {}
    for path in sorted(directory.rglob("*.txt")):
        milliseconds, _, rest = path.name.partition("-")
        assert milliseconds.isdigit()
        found[f"{path.parent.relative_to(directory)}/{rest}"] = path.read_bytes()
    return found


def head_and_body(text: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = text.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


async def post(setting: Setting, path: str, body: object, **headers: str) -> bytes:
    async with setting.post(path, body, headers={name.replace("_", "-"): v for name, v in headers.items()}) as answer:
        return await answer.read()


@pytest.mark.parametrize(
    ("path", "body", "reply", "folder"),
    [
        ("/anthropic/v1/messages", MESSAGES, messages_answer(text="hi"), "anthropic/claude-sonnet-4-5"),
        ("/anthropic/v1/messages", STREAMED, messages_answer(text="hi"), "anthropic/claude-sonnet-4-5"),
        ("/openai/v1/chat/completions", {**CHAT, "stream": True}, chat_answer(text="hi"), "openai/gpt-5"),
        ("/openai/v1/responses", {**RESPONSES, "stream": True}, responses_answer(text="hi"), "openai/gpt-5"),
    ],
)
async def test_request_and_answer_are_written_as_they_went(
    opened: Opening, tmp_path: Path, path: str, body: dict[str, object], reply: Reply, folder: str
):
    body = {**body, "model": folder.partition("/")[2]}
    async with opened(reply, dump_dir=tmp_path) as setting:
        await post(setting, path + "?beta=true", body, X_Custom="1")
        (begun,) = setting.notebook.begun
        (seen,) = setting.provider.seen
    dumped = files(tmp_path)
    assert [*dumped] == [f"{folder}/{begun.id}.req.txt", f"{folder}/{begun.id}.resp.txt"]
    asked, answered = map(head_and_body, dumped.values())
    assert asked[0][0] == f"POST {seen.path} HTTP/1.1".encode()
    assert [line.lower().partition(b":")[0] for line in asked[0][1:]] == sorted(
        name.lower().encode() for name in seen.headers
    )
    assert b"X-Custom: 1" in asked[0]
    assert asked[1] == json.dumps(seen.json, indent=2).encode() + b"\n"
    assert b"Content-Length: %d" % (len(asked[1]) - 1) in asked[0]
    assert answered[0][0] == b"HTTP/1.1 200"
    assert answered[1] == reply.for_request(seen).body


async def test_only_the_owner_can_read_dumps(opened: Opening, tmp_path: Path):
    async with opened(messages_answer(text="hi"), dump_dir=tmp_path / "a" / "dumps") as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
    made = [tmp_path / "a" / "dumps", *(tmp_path / "a" / "dumps").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_file()} == {0o600}


async def test_what_is_passed_through_is_written_too(opened: Opening, tmp_path: Path):
    async with opened(Reply(chunks=[b'{"data": []}']), dump_dir=tmp_path) as setting:
        url = setting.url + "/anthropic/v1/models/claude?limit=5"
        async with setting.client.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            await answer.read()
    asked, answered = files(tmp_path).items()
    assert asked[0].startswith("anthropic/passthrough/v1-models-claude-")
    assert asked[0].removesuffix(".req.txt") == answered[0].removesuffix(".resp.txt")
    assert asked[1].startswith(b"GET /v1/models/claude?limit=5 HTTP/1.1\r\n")
    assert b"Content-Length" not in asked[1]
    assert answered[1].endswith(b'\r\n\r\n{"data": []}')


async def test_a_call_without_an_answer_leaves_the_reason(opened: Opening, tmp_path: Path):
    async with opened(base_url="http://127.0.0.1:1", dump_dir=tmp_path) as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
    dumped = files(tmp_path)
    assert [name.partition(".")[2] for name in dumped] == ["req.txt", "req_error.txt"]
    reason = dumped[[*dumped][1]]
    assert reason.startswith(b"127.0.0.1:1 cannot be reached")
    assert reason.endswith(b"\n")


async def test_half_an_answer_is_written_as_far_as_it_came(opened: Opening, tmp_path: Path):
    reply = messages_answer(text="hi").cut(3, BreakOff())
    async with opened(reply, dump_dir=tmp_path) as setting:
        url = setting.url + "/anthropic/v1/messages"
        await talk(url, request(url, json.dumps(STREAMED).encode(), headers=[b"Connection: close"]))
    (answered,) = [text for name, text in files(tmp_path).items() if ".resp" in name]
    assert answered.endswith(reply.body)


async def test_every_try_has_files_of_its_own(opened: Opening, tmp_path: Path):
    limited = error_answer(Api.MESSAGES, 429, "slow down", {"Retry-After": "30"})
    keys = ("sk-one-0123456789abcdef", "sk-two-0123456789abcdef", "sk-3-0123456789abcdefgh")
    async with opened(limited, limited, messages_answer(text="hi"), keys=keys, dump_dir=tmp_path) as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
        (begun,) = setting.notebook.begun
    dumped = files(tmp_path)
    names = [name.rpartition("/")[2] for name in dumped]
    assert sorted(names) == sorted(
        f"{begun.id}{number}.{kind}.txt" for number in ("", "-2", "-3") for kind in ("req", "resp")
    )
    statuses = {name: text[:12] for name, text in zip(names, dumped.values(), strict=True) if ".resp" in name}
    assert statuses == {
        f"{begun.id}.resp.txt": b"HTTP/1.1 429",
        f"{begun.id}-2.resp.txt": b"HTTP/1.1 429",
        f"{begun.id}-3.resp.txt": b"HTTP/1.1 200",
    }


async def test_a_retry_has_files_of_its_own(opened: Opening, tmp_path: Path):
    failed = error_answer(Api.MESSAGES, 500, "oops")
    retries = Retries(2, first=0.001)
    async with opened(failed, messages_answer(text="hi"), retries=retries, dump_dir=tmp_path) as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
    assert sum(name.endswith("-2.resp.txt") for name in files(tmp_path)) == 1


HOSTILE_MODELS = [
    ("openai/gpt-4o", "openai-gpt-4o"),
    ("../../../etc/passwd", "_________etc-passwd"),
    ("..", "__"),
    (".", "_"),
    ("/", "_"),
    ("-rf", "_rf"),
    ("a\x00b\x1b[31m\n", "a-b--31m-"),
    ("mödel 🦊", "m-del--"),
    ("a" * 5000, "a" * 120),
    ("", "unknown"),
    ("us.anthropic.claude-3-5:0", "us.anthropic.claude-3-5:0"),
    ("passthrough", "passthrough"),
]


@pytest.mark.parametrize(("model", "folder"), HOSTILE_MODELS)
async def test_a_model_names_a_folder_and_nothing_else(opened: Opening, tmp_path: Path, model: str, folder: str):
    async with opened(messages_answer(text="hi"), dump_dir=tmp_path / "dumps") as setting:
        await post(setting, "/anthropic/v1/messages", {**MESSAGES, "model": model})
    assert [path.name for path in tmp_path.iterdir()] == ["dumps"]
    assert [path.relative_to(tmp_path / "dumps").as_posix() for path in tmp_path.glob("dumps/*/*")] == [
        f"anthropic/{folder}"
    ]


SECRETS = {
    "Cookie": "sid=canary-cookie-0123456789",
    "X-Goog-Api-Key": "canary-google-0123456789",
    "X-Auth-Token": "canary-auth-0123456789",
    "X-Amz-Security-Token": "canary-amazon-0123456789",
    "Proxy-Authorization": "Basic canary-proxy-0123456789",
    "X-Coder-Workspace-Id": "canary-workspace-0123456789",
}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("stream", [True, False])
async def test_no_secret_is_in_any_file_wherever_it_was_written(
    opened: Opening, tmp_path: Path, own: bool, stream: bool
):
    key = OWN_KEY if own else CENTRAL_KEY
    loud = {"Set-Cookie": "canary-set-0123456789", "WWW-Authenticate": f'Bearer "{key}"', "X-Echo": key}
    told = f"your key is {key}, your token {TOKEN}"
    ping = b'event: ping\ndata: {"type": "ping", "note": "%b"}\n\n' % told.encode()
    usual = messages_answer(text=told)
    pieces = Reply(chunks=[ping, usual.body]).split(7).chunks
    reply = Reply(headers=loud, chunks=pieces, content_type="text/event-stream", whole=usual.whole)
    body = {**MESSAGES, "stream": stream, "system": f"{key} {TOKEN}", "model": f"m-{key}"}
    async with opened(reply, Reply(), dump_dir=tmp_path) as setting:
        await post(setting, f"/anthropic/v1/messages?key={key}&t={TOKEN}", body, **SECRETS, **(OWN if own else {}))
        url = f"{setting.url}/anthropic/v1/models/{key}"
        async with setting.client.get(url, headers={**SECRETS, "Authorization": f"Bearer {TOKEN}"} | OWN) as answer:
            await answer.read()
    everything = b"\n".join(str(path).encode() + path.read_bytes() for path in tmp_path.rglob("*.txt"))
    assert b"your key is sk-" in everything
    planted = {key, TOKEN, *(value.split()[-1] for value in SECRETS.values()), "canary-set-0123456789"}
    assert [secret for secret in planted if secret.encode() in everything] == []
    assert b"X-Api-Key: sk-" in everything


async def test_credentials_are_recognisable(opened: Opening, tmp_path: Path):
    async with opened(messages_answer(text="hi"), chat_answer(text="hi"), dump_dir=tmp_path) as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
        await post(setting, "/openai/v1/chat/completions", CHAT)
    heads = [line for text in files(tmp_path).values() for line in head_and_body(text)[0]]
    assert b"X-Api-Key: sk-c...cdef" in heads
    assert b"Authorization: Bear...cdef" in heads


async def test_a_compressed_request_is_readable_and_masked(opened: Opening, tmp_path: Path):
    plain = json.dumps({**MESSAGES, "system": CENTRAL_KEY}).encode()
    body = zstd_module().compress(plain)
    async with opened(messages_answer(text="hi"), dump_dir=tmp_path) as setting:
        url = setting.url + "/anthropic/v1/messages"
        await talk(url, request(url, body, headers=[b"Content-Encoding: zstd", b"Connection: close"]))
        assert setting.provider.seen[0].body == body
    head, dumped = head_and_body(next(iter(files(tmp_path).values())))
    assert b"Content-Encoding: zstd" in head
    assert json.loads(dumped) == {**MESSAGES, "system": "sk-c...cdef"}


async def test_without_the_option_there_is_nothing(opened: Opening, tmp_path: Path):
    async with opened(messages_answer(text="hi")) as setting:
        await post(setting, "/anthropic/v1/messages", MESSAGES)
        assert setting.plane is not None
    assert [*tmp_path.iterdir()] == []


async def test_a_disk_that_fails_costs_the_dump_and_a_warning(opened: Opening, tmp_path: Path, caplog):
    (tmp_path / "anthropic").write_text("in the way")
    async with opened(messages_answer(text="hi"), messages_answer(text="hi"), dump_dir=tmp_path) as setting:
        for _ in range(2):
            assert b"hi" in await post(setting, "/anthropic/v1/messages", STREAMED)
        assert [end.ending for _, end in setting.notebook.ended] == ["complete", "complete"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["API dump failed"]


def test_a_directory_that_cannot_be_made_is_said_at_the_start(tmp_path: Path):
    (tmp_path / "file").write_text("")

    async def open_it() -> None:
        async with pooling() as pool, dumping(Upstream(pool), tmp_path / "file" / "dumps"):
            pass

    with pytest.raises(BadSettings, match=r"dump-dir: .*/file/dumps cannot be made: Not a directory"):
        asyncio.run(open_it())


async def test_a_client_that_leaves_does_not_keep_files_open(opened: Opening, tmp_path: Path):
    went = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: ping\ndata: {}\n\n")
        await writer.drain()
        await went.wait()
        writer.write(b"event: ping\ndata: {}\n\n")

    async with serving(serve) as url, opened(base_url=url, dump_dir=tmp_path) as setting:
        async with setting.post("/anthropic/v1/messages", STREAMED) as answer:
            await answer.content.readuntil(b"\n\n")
        went.set()
        await setting.notebook.all_ended.wait()
    (answered,) = [text for name, text in files(tmp_path).items() if ".resp" in name]
    assert answered.endswith(b"data: {}\n\n" * 1)


async def test_each_request_on_a_websocket_is_written_like_one_over_http(opened: Opening, tmp_path: Path):
    replies = [responses_answer(text=f"hi {CENTRAL_KEY}"), responses_answer(text="hi")]
    async with opened(*replies, dump_dir=tmp_path) as setting:
        async with connected(setting, headers=CODEX | {"Cookie": "canary-cookie-0123456789"}) as client:
            await client.ask(create(generate=False))
            for _ in replies:
                await client.ask({**ASK, "instructions": f"{TOKEN} {CENTRAL_KEY}"})
        begun = setting.notebook.begun
    dumped = files(tmp_path)
    assert sorted(dumped) == sorted(
        f"openai/{one.model}/{one.id}.{kind}.txt" for one in begun for kind in ("req", "resp")
    )
    folder = f"openai/{begun[1].model}/{begun[1].id}"
    head, body = head_and_body(dumped[f"{folder}.req.txt"])
    assert head[0] == b"GET /v1/responses HTTP/1.1"
    assert json.loads(body)["type"] == "response.create"
    answered, messages = head_and_body(dumped[f"{folder}.resp.txt"])
    assert answered == [b"HTTP/1.1 101"]
    assert [json.loads(line)["type"] for line in messages.splitlines()][-1] == "response.completed"
    everything = b"".join(dumped.values())
    assert [secret for secret in (TOKEN, CENTRAL_KEY, "canary-cookie") if secret.encode() in everything] == []
