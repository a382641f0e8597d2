"""Planted secrets are searched for in everything the server writes or says: logs, dumps, database, errors."""

import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from coderai.demo.answers import Tool, error_answer, error_event
from coderai.demo.answers_chat import chat_answer
from coderai.demo.answers_messages import messages_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.bedrock import STREAMED, Account, bedrock, exception, refusal
from coderai.demo.provider import BreakOff, Reply, ScriptedProvider, Seen
from coderai.records import Api
from tests.collecting import collecting
from tests.end_to_end.asking import APIS, PATHS
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.scraping import Scraped, scrape

CENTRAL = "sk-canary-central-7Qm2xV9pLr4T"
SECOND = "sk-canary-second-3Hk8wZ1nBc6Y"
OWN = "sk-canary-own-5Jd0sF7gQe2U"
AWS_ID, AWS_SECRET = "AKIACANARYSTATIC0001", "canary-static-wJalrXUtnFEMI/K7MDENG+bPxRfiCY"
CHAIN_ID, CHAIN_SECRET = "ASIACANARYCHAIN00001", "canary-chain-8aHs/3Kd+0pLqZxVbNm5TyUiOp"
AWS_SESSION = "canary-session-FwoGZXIvYXdzEBYaDHq0+/3xLw=="
ACCOUNT = Account({AWS_ID: AWS_SECRET, CHAIN_ID: CHAIN_SECRET}, {CHAIN_ID: AWS_SESSION})
AWS_ERRORS = ("InvalidSignatureException", "ValidationException", "ExpiredTokenException", "ThrottlingException")
ANSWERS = {Api.MESSAGES: messages_answer, Api.CHAT: chat_answer, Api.RESPONSES: responses_answer}
MISHAPS = ("refused", "limited", "failed", "midway", "dropped", "told", "redirected")


def leaky(seen: Seen) -> Reply:
    """Repeat the credential that came, wherever a provider can say anything."""
    key = (seen.headers.get("X-Api-Key") or seen.headers.get("Authorization", "")).removeprefix("Bearer ")
    api = Api.MESSAGES if "/messages" in seen.path else Api.CHAT if "/chat/" in seen.path else Api.RESPONSES
    told = ANSWERS[api](text=f"your key is {key}", tools=[Tool("run", {"key": key})])
    loud = {"WWW-Authenticate": f'Bearer error="{key}"', "Retry-After": "0"}
    match seen.headers.get("X-Mishap", "told"):
        case "refused":
            return error_answer(api, 401, f"Incorrect API key provided: {key}", loud)
        case "limited":
            return error_answer(api, 429, f"key {key} is over its limit", loud)
        case "failed":
            return error_answer(api, 400, f"bad request with key {key}", loud)
        case "redirected":
            return Reply(status=307, headers={"Location": f"https://elsewhere.example.com/?key={key}"}, chunks=[b"{}"])
        case "midway":
            return replace(told.cut(3, error_event(api, f"key {key} was revoked")), whole=error_answer(api).body)
        case "dropped":
            return told.cut(3, f"event: {key}".encode(), BreakOff())
        case _:
            return told


OBSERVED = (
    *("--prometheus-enable", "--prometheus-address=127.0.0.1:0", "--prometheus-per-user"),
    *("--trace", "--trace-logs"),
)


async def _keep_metrics(server: Gateway, directory: Path) -> None:
    """Write them to where everything is searched."""
    url = next(line.split()[-1] for line in server.log if line.startswith("Metrics at"))
    (directory / "metrics.txt").write_text((await scrape(url)).text)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A server that tells everything it can: both logs with debug lines, structured records, dumps, metrics, traces."""
    async with ScriptedProvider(leaky).serving() as url, collecting(tmp_path / "traces") as (_, collector):
        server = Gateway(
            tmp_path / "data",
            url,
            options=(
                f"--log-json={tmp_path / 'log.json'}",
                "--log-filter=.*",
                "--aibridge-structured-logging",
                f"--ai-gateway-dump-dir={tmp_path / 'dumps'}",
                "--aibridge-max-retries=0",
                *OBSERVED,
            ),
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
                "CODER_AIBRIDGE_PROVIDER_0_KEY": "",
                "CODER_AIBRIDGE_PROVIDER_0_KEYS": f"{CENTRAL},{SECOND}",
                "CODER_AIBRIDGE_PROVIDER_1_KEY": "",
                "CODER_AIBRIDGE_PROVIDER_1_KEYS": f"{CENTRAL},{SECOND}",
            },
        )
        await server.start()
        yield server
        if server.running:
            await server.kill()


def leaky_everywhere(seen: Seen) -> Reply:
    """The same over WebSocket, at Amazon and in the headers of good answers; every second try fails first."""
    if seen.path.startswith("/model/"):
        told = bedrock(_leaky_amazon, ACCOUNT)(seen)
        if seen.headers.get("X-Mishap") != "midway" or not seen.path.endswith(STREAMED):
            return told
        return told.cut(3, exception("throttlingException", f"too many: {_of_amazon(seen)}"))
    key = (seen.headers.get("X-Api-Key") or seen.headers.get("Authorization", "")).removeprefix("Bearer ")
    told = leaky(seen)
    return replace(told, headers={"Retry-After-Ms": "1", **told.headers, "X-Echo": f"{key} {seen.path}"})


def _of_amazon(seen: Seen) -> str:
    """Return the secrets of the credentials with which a call is signed."""
    return f"{CHAIN_SECRET} {AWS_SESSION}" if CHAIN_ID in seen.headers["Authorization"] else AWS_SECRET


def _leaky_amazon(seen: Seen) -> Reply:
    secrets = _of_amazon(seen)
    name = seen.headers.get("X-Mishap", "")
    if name in AWS_ERRORS:
        told = refusal(403, name, f"refused: {secrets}\nthe string was: x-amz-security-token:{secrets}")
        return replace(told, headers={**told.headers, "X-Echo": secrets.replace(" ", ",")})
    answer = messages_answer(text="hi")
    return replace(answer, headers={"X-Echo": secrets.replace(" ", ",")})


def _body(api: str, secrets: list[str], *, stream: bool) -> bytes:
    """A question whose words, tool results and unknown members hold the secrets."""
    prompt = "is this my key? " + " ".join(secrets)
    messages = [{"role": "user", "content": prompt}]
    asked = {"messages": {"max_tokens": 9, "messages": messages}, "chat": {"messages": messages}}
    return json.dumps({"model": secrets[0], "stream": stream, **asked.get(api, {"input": prompt})}).encode()


async def _everything(session: aiohttp.ClientSession, root: str, token: str) -> list[str]:
    """Ask in every way; return what only errors said: status 300 and above, headers included."""
    errors = []
    central = {"Authorization": f"Bearer {token}"}
    own = {"X-Coder-AI-Governance-Token": token, "Authorization": f"Bearer {OWN}", "X-Claude-Code-Session-Id": OWN}
    wrong = {"Authorization": f"Bearer {token}x", "X-Api-Key": OWN}
    queried = f"?beta=true&key={token}"
    for api, stream, mishap, headers in product(APIS, (False, True), MISHAPS, (central, own, wrong)):
        asked = headers | {"X-Mishap": mishap, "User-Agent": f"claude-cli/{token}", "Content-Type": "application/json"}
        asked |= {"X-Claude-Code-Agent-Id": token, "Cookie": f"key={OWN}"}
        secrets = [token, CENTRAL, *([OWN] if headers is own else [])]  # of this call
        url = root + PATHS[api] + queried
        try:
            async with session.post(
                url, data=_body(api, secrets, stream=stream), headers=asked, allow_redirects=False
            ) as answer:
                said = await answer.text()
                if answer.status >= 300:
                    errors.append(f"{answer.status} {dict(answer.headers)} {said}")
                elif mishap == "midway":
                    errors.append(said[said.index('"error"') :])
        except aiohttp.ClientPayloadError:
            errors.append("broken off")
    for path, mishap in product(("/anthropic/v1/models", "/openai/v1/models", f"/openai/v1/{token}"), MISHAPS[:3]):
        async with session.get(root + path + queried, headers=own | {"X-Mishap": mishap}) as answer:
            errors.append(f"{answer.status} {dict(answer.headers)} {await answer.text()}")
    return errors


async def _amazon(session: aiohttp.ClientSession, root: str, token: str) -> list[str]:
    """Ask both Bedrock instances in every way; return what was said beside good bodies."""
    told = []
    for name, mishap, stream in product(("aws", "aws-chain"), (*AWS_ERRORS, "midway", ""), (False, True)):
        headers = {
            "X-Api-Key": token,
            "X-Mishap": mishap,
            "X-Amz-Security-Token": OWN,
            "Content-Type": "application/json",
        }
        body = _body("messages", [token], stream=stream)
        async with session.post(
            f"{root}/{name}/v1/messages?x-amz-signature={OWN}", data=body, headers=headers
        ) as answer:
            said = await answer.text()
            shown = said if answer.status >= 300 or mishap == "midway" else ""
            told.append(f"{name} {answer.status} {dict(answer.headers)} {shown}")
    return told


async def _sockets(session: aiohttp.ClientSession, root: str, token: str) -> list[str]:
    """Ask over WebSocket with central and own keys; return what was said beside good messages."""
    told = []
    own = {"X-Coder-AI-Governance-Token": token, "Authorization": f"Bearer {OWN}"}
    wrong = {"Authorization": f"Bearer {token}x"}
    protocol = {"Authorization": f"Bearer {token}", "Sec-WebSocket-Protocol": f"openai-insecure-api-key.{OWN}"}
    for mishap, headers in product(MISHAPS[:-1], ({"X-Api-Key": token}, own, wrong, protocol)):
        named = headers | {"X-Mishap": mishap, "User-Agent": f"codex_exec/{token}", "session-id": token}
        named |= {"thread-id": OWN} if headers is own else {}
        try:
            async with session.ws_connect(f"{root}/openai/v1/responses?key={OWN}", headers=named) as socket:
                asked = json.loads(
                    _body("responses", [token, CENTRAL, *([OWN] if headers is own else [])], stream=True)
                )
                await socket.send_json({"type": "response.create", **asked})
                async for message in socket:
                    kind = json.loads(message.data)["type"] if message.data.startswith("{") else "garbage"
                    if kind in ("error", "response.failed"):
                        told.append(str(message.data))
                    if kind in ("error", "response.failed", "response.completed"):
                        break
                told.append(f"closed {socket.close_code}")
        except aiohttp.WSServerHandshakeError as error:
            told.append(f"{error.status} {error.message} {error.headers}")
    return told


async def _other_ways(session: aiohttp.ClientSession, root: str, tokens: Sequence[str]) -> list[str]:
    """Ask for somebody else, in the names of headers of ours, with the token in odd places; return what was said."""
    told = []
    for token, path, stream in product(tokens, PATHS.values(), (False, True)):
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Coder-Owner-Id": token,
            "X-Coder-Chat-Id": token,
            "X-Coder-Subchat-Id": token,
            "X-AI-Bridge-Actor-ID": token,
            "X-Litellm-Api-Key": token,
            "User-Agent": f"coder-agents/{token}",
            "Content-Type": "application/json",
        }
        body = _body(path.split("/")[-1].replace("completions", "chat"), [token, CENTRAL], stream=stream)
        async with session.post(f"{root}{path}?x={token}", data=body, headers=headers) as answer:
            await answer.read()
            told.append(f"{answer.status} {dict(answer.headers)}")
    return told


def _found(where: str, data: bytes | str, secrets: list[str]) -> list[str]:
    raw = data.encode() if isinstance(data, str) else data
    return [f"{secret[:12]}... in {where}" for secret in secrets if secret.encode() in raw]


async def test_no_secret_turns_up_anywhere(watched: Gateway, tmp_path: Path):
    token = await make_token(watched)
    async with aiohttp.ClientSession() as session:
        errors = await _everything(session, watched.url + "/api/v2/aibridge", token)
    shown = await coderai("sessions", "list", f"--data-dir={watched.data_dir}", "-o", "json")
    await _keep_metrics(watched, tmp_path)
    assert await watched.stop() == 0
    secrets = [token, token.partition("-")[2], CENTRAL, SECOND, OWN]

    leaks = [leak for error in errors for leak in _found(f"an error: {error[:60]}", error, secrets)]
    leaks += _found("the log", "".join(watched.log), secrets)
    leaks += _found("sessions list", shown.out + shown.err, secrets)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        leaks += _found(path.name, path.read_bytes(), secrets)
        leaks += _found(f"the name of {path}", str(path), secrets)
    assert not leaks, "\n".join(leaks)

    # the search looked at something
    assert len(errors) > 100
    assert sum(path.suffix == ".txt" for path in files) > 100, "no dumps"
    assert "interception log" in (tmp_path / "log.json").read_text()
    assert Scraped((tmp_path / "metrics.txt").read_text()).sum("interceptions_total") > 50
    assert (tmp_path / "traces").read_bytes().count(b"Intercept.ProcessRequest.Upstream") > 50
    with closing(sqlite3.connect(watched.data_dir / "coderai.db")) as database:
        prompts = database.execute("SELECT prompt FROM aibridge_user_prompts").fetchall()
    assert len(prompts) > 50
    assert all("sk-c...Qe2U" in prompt or "sk-c...Lr4T" in prompt for (prompt,) in prompts)


async def test_no_secret_turns_up_on_the_other_ways(tmp_path: Path):
    scripted = ScriptedProvider(leaky_everywhere)
    async with scripted.serving() as url, collecting(tmp_path / "traces") as (_, collector):
        bedrock_at = {"TYPE": "bedrock", "BEDROCK_REGION": ACCOUNT.region, "BEDROCK_BASE_URL": url}
        static = {"NAME": "aws", "BEDROCK_ACCESS_KEY": AWS_ID, "BEDROCK_ACCESS_KEY_SECRET": AWS_SECRET}
        instances = {2: bedrock_at | static, 3: bedrock_at | {"NAME": "aws-chain"}}
        server = Gateway(
            tmp_path / "data",
            url,
            options=(
                f"--log-json={tmp_path / 'log.json'}",
                "--log-filter=.*",
                "--aibridge-structured-logging",
                f"--ai-gateway-dump-dir={tmp_path / 'dumps'}",
                "--aibridge-send-actor-headers",
                "--aibridge-circuit-breaker-enabled",
                "--aibridge-circuit-breaker-failure-threshold=100",
                *OBSERVED,
            ),
            environment={
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
                **{f"CODER_AIBRIDGE_PROVIDER_{number}_KEY": "" for number in (0, 1)},
                **{f"CODER_AIBRIDGE_PROVIDER_{number}_KEYS": f"{CENTRAL},{SECOND}" for number in (0, 1)},
                "AWS_ACCESS_KEY_ID": CHAIN_ID,
                "AWS_SECRET_ACCESS_KEY": CHAIN_SECRET,
                "AWS_SESSION_TOKEN": AWS_SESSION,
                "AWS_EC2_METADATA_DISABLED": "true",
                **{
                    f"CODER_AIBRIDGE_PROVIDER_{n}_{k}": value
                    for n, each in instances.items()
                    for k, value in each.items()
                },
            },
        )
        await server.start()
        created = await coderai(
            "users", "create", f"--data-dir={server.data_dir}", "--username=bot", "--service-account"
        )
        assert created.code == 0, created.err
        token = await make_token(server)
        delegating = await make_token(server, "--user=bot", "--delegate")
        root = server.url + "/api/v2/aibridge"
        async with aiohttp.ClientSession() as session:
            told = await _other_ways(session, root, (token, delegating))
            told += await _amazon(session, root, token) + await _sockets(session, root, token)
        shown = await coderai("providers", "list", f"--data-dir={server.data_dir}", "-o", "json")
        await _keep_metrics(server, tmp_path)
        assert await server.stop() == 0

    tokens = [token, token.partition("-")[2], delegating, delegating.partition("-")[2]]
    secrets = [*tokens, CENTRAL, SECOND, OWN, AWS_SECRET, CHAIN_SECRET, AWS_SESSION]
    leaks = [leak for each in told for leak in _found(f"what was said: {each[:80]}", each, secrets)]
    leaks += _found("the log", "".join(server.log), secrets)
    leaks += _found("providers list", shown.out + shown.err, secrets)
    for seen in [*scripted.seen, *scripted.attempts]:
        leaks += _found(f"a request for {seen.path[:40]}", f"{seen.path} {dict(seen.headers)}", tokens)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in files:
        leaks += _found(path.name, path.read_bytes(), secrets)
        leaks += _found(f"the name of {path}", str(path), secrets)
    assert not leaks, "\n".join(leaks)

    # the search looked at something
    assert sum("aws-chain 403" in each for each in told) == 2 * len(AWS_ERRORS)
    assert sum('"error"' in each for each in told) > 10
    assert any(b"X-AI-Bridge-Actor-ID" in path.read_bytes() for path in files if path.name.endswith(".req.txt"))
