"""Tools that know nothing but a proxy and a certificate: real ones, before the real server and the official hosts."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import anthropic
import openai
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.conftest import make_token, small_agent
from tests.end_to_end.outside import Outside, outside
from tests.end_to_end.processes import Gateway, coderai

pytestmark = pytest.mark.asyncio(loop_scope="module")
CENTRAL = {"anthropic": "sk-ant-central-0123456789", "openai": "sk-openai-central-0123456789"}
HOSTS = {"anthropic": "api.anthropic.com", "openai": "api.openai.com"}
PROMPT = "what is there?"
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.com")


@dataclass
class World:
    """The server with its proxy, what is around it, and a token."""

    gateway: Gateway
    outside: Outside
    hosts: dict[str, ScriptedProvider]
    token: str
    port: int
    """Of the proxy."""

    @property
    def two_lines(self) -> dict[str, str]:
        """All that a client has to set."""
        return {
            "HTTPS_PROXY": f"https://coder:{self.token}@localhost:{self.port}",
            "SSL_CERT_FILE": str(self.gateway.data_dir / "proxy-ca.pem"),
        }

    async def newest(self) -> Any:
        """Return the last exchange that was recorded."""
        (listed,) = (await _as_owner(self.gateway, "interceptions?limit=1"))["results"]
        return await _as_owner(self.gateway, f"interceptions/{listed['id']}")

    async def doctor(self, host: str) -> Any:
        """Return what `coderai doctor` says to a client about *host*."""
        address, file = self.two_lines.values()
        told = await coderai("doctor", "--client", "--proxy", address, "--cacert", file, "--host", host, "-o", "json")
        return json.loads(told.out)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    directory = tmp_path_factory.mktemp("world")
    hosts = {host: ScriptedProvider(small_agent) for host in HOSTS.values()}
    async with AsyncExitStack() as stack:
        urls = {host: await stack.enter_async_context(each.serving()) for host, each in hosts.items()}
        files = web.Application()
        files.router.add_static("/", _repository(directory / "served"))
        urls["localhost"] = str((await stack.enter_async_context(TestServer(files))).make_url("/"))
        around = await stack.enter_async_context(outside(urls, directory))
        data = directory / "data"
        made = await coderai("proxy", "ca", "create", "--host", "localhost", f"--data-dir={data}")
        assert made.code == 0, made.err
        options = (
            "--aibridge-proxy-enabled",
            "--aibridge-proxy-listen-addr=127.0.0.1:0",
            f"--aibridge-proxy-tls-cert-file={data}/proxy-listener.pem",
            f"--aibridge-proxy-tls-key-file={data}/proxy-listener.key",
            "--aibridge-proxy-allowed-private-cidrs=127.0.0.0/8",
            f"--aibridge-proxy-upstream={around.environment['HTTPS_PROXY']}",
        )
        official = {f"CODER_AIBRIDGE_PROVIDER_{number}_BASE_URL": "" for number in range(2)}
        gateway = Gateway(data, "", options, environment=around.environment | official)
        stack.push_async_callback(gateway.kill)
        await gateway.start()
        port = (await _as_owner(gateway, "clients/setup"))["proxy"]["port"]
        yield World(gateway, around, hosts, await make_token(gateway), port)


async def _as_owner(gateway: Gateway, path: str) -> Any:
    known = json.loads((gateway.data_dir / "server.json").read_text())
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(known["socket"])) as session,
        session.get(f"http://localhost/api/v2/aibridge/{path}") as answer,
    ):
        return await answer.json()


def _repository(directory: Path) -> Path:
    """Make a repository with one commit, as a web server can show it."""
    (directory / "repository").mkdir(parents=True)
    for command in (["init", "-q"], [*AUTHOR, "commit", "-q", "--allow-empty", "-m", "first"], ["update-server-info"]):
        subprocess.run(["git", *command], cwd=directory / "repository", check=True, env=_clean(GIT))
    return directory


def _clean(environment: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}


@pytest.fixture
def client(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """This process has the two lines, and nothing else that says where to go or whom to trust."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in world.two_lines.items():
        monkeypatch.setenv(name, value)
    return world


async def test_two_lines_lead_the_anthropic_sdk_here(client: World):
    async with anthropic.AsyncAnthropic(api_key=client.token, max_retries=0) as sdk:
        asked = {"model": "claude-opus-4-6", "max_tokens": 99, "messages": [{"role": "user", "content": PROMPT}]}
        async with sdk.messages.stream(**asked) as streaming:
            answer = await streaming.get_final_message()
    assert answer.stop_reason == "tool_use"
    seen = client.hosts[HOSTS["anthropic"]].seen[-1]
    assert (seen.headers["Host"], seen.headers["X-Api-Key"]) == (HOSTS["anthropic"], CENTRAL["anthropic"])
    recorded = await client.newest()
    assert [prompt["prompt"] for prompt in recorded["user_prompts"]] == [PROMPT]
    assert (recorded["provider_name"], recorded["credential_kind"]) == ("anthropic", "centralized")
    assert recorded["ending"] == "complete"


async def test_two_lines_lead_the_openai_sdk_here_with_a_key_of_its_own(client: World):
    async with (
        openai.AsyncOpenAI(api_key="sk-of-the-user-0123456789", max_retries=0) as sdk,
        sdk.responses.stream(model="gpt-5.3-codex", input=PROMPT) as streaming,
    ):
        answer = await streaming.get_final_response()
    assert answer.status == "completed"
    seen = client.hosts[HOSTS["openai"]].seen[-1]
    assert (seen.path, seen.headers["Authorization"]) == ("/v1/responses", "Bearer sk-of-the-user-0123456789")
    assert not [value for value in seen.headers.values() if client.token in value]
    recorded = await client.newest()
    assert (recorded["provider_name"], recorded["credential_kind"]) == ("openai", "byok")
    assert [call["tool"] for call in recorded["tool_usages"]] == ["read_file"]


async def test_curl(world: World):
    """It takes the certificate for the proxy itself from an option only."""
    body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": PROMPT}]}
    command = ["curl", "-sS", "--fail", "--proxy-cacert", world.two_lines["SSL_CERT_FILE"]]
    command += ["-H", f"Authorization: Bearer {world.token}", "-H", "Content-Type: application/json"]
    command += ["-d", json.dumps(body), f"https://{HOSTS['openai']}/v1/chat/completions"]
    ran = await _run(command, _clean(world.two_lines))
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert json.loads(ran.stdout)["choices"][0]["message"]["tool_calls"]


async def test_git_is_tunnelled_untouched(world: World, tmp_path: Path):
    before = (await world.newest())["id"]
    trust = {
        "GIT_PROXY_SSL_CAINFO": world.two_lines["SSL_CERT_FILE"],
        "GIT_SSL_CAINFO": world.outside.environment["SSL_CERT_FILE"],  # the host's own certificate
    }
    proxy = {"HTTPS_PROXY": world.two_lines["HTTPS_PROXY"]}
    command = ["git", "clone", "-q", "https://localhost/repository/.git", str(tmp_path / "copy")]
    ran = await _run(command, _clean(GIT | trust | proxy))
    assert (ran.stderr, ran.returncode) == ("", 0)
    log = await _run(["git", "-C", str(tmp_path / "copy"), "log", "--format=%s"], _clean(GIT))
    assert log.stdout == "first\n"
    assert world.outside.asked[-1] == "localhost:443"
    assert (await world.newest())["id"] == before


async def test_the_doctor_sees_what_a_client_would(world: World):
    (told,) = await world.doctor(HOSTS["openai"])
    assert (told["state"], told["text"][:30]) == ("ok", "api.openai.com is intercepted,")
    (told,) = await world.doctor("localhost")
    assert (told["state"], told["text"][:30]) == ("fail", "localhost is not intercepted, ")


async def _run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
