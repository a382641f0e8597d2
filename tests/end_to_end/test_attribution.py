"""A service account acts for people on the real server, and each of them sees what was done for them, as their own."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from coderai.demo.provider import ScriptedProvider
from tests.end_to_end.asking import PATHS
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai

STRANGER = "0e1f2a3b-0000-4000-8000-00000000cafe"
AGENTS = {"User-Agent": "coder-agents/v2.24.0 (linux/amd64)"}


@pytest.fixture
async def gateway(tmp_path: Path, provider: tuple[ScriptedProvider, str]) -> AsyncIterator[Gateway]:
    options = ("--aibridge-send-actor-headers", f"--ai-gateway-dump-dir={tmp_path / 'dumps'}")
    server = Gateway(tmp_path / "data", provider[1], options)
    await server.start()
    yield server
    if server.running:
        await server.kill()


async def run(*arguments: str, **environment: str) -> str:
    done = await coderai(*arguments, **environment)
    assert done.code == 0, done.err
    return done.out


@pytest.fixture
async def tokens(gateway: Gateway) -> dict[str, str]:
    """One token per user; the bot's may delegate."""
    at = f"--data-dir={gateway.data_dir}"
    await run("users", "create", at, "--username=bot", "--service-account")
    for name in ("mia", "max"):
        await run("users", "create", at, f"--username={name}", f"--email={name}@example.com", "--no-password")
    made = {name: await make_token(gateway, f"--user={name}") for name in ("mia", "max")}
    return made | {"bot": await make_token(gateway, "--user=bot", "--delegate")}


async def ask(gateway: Gateway, token: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": f"for {named}"}]}
    url = f"{gateway.url}/api/v2/aibridge{PATHS['messages']}"
    headers = {"Authorization": f"Bearer {token}", **named}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        await answer.read()
        return answer.status


async def listed(gateway: Gateway, token: str, *filters: str) -> Sequence[dict[str, Any]]:
    """What ``sessions list`` shows the owner of *token*."""
    out = await run("sessions", "list", "-o", "json", *filters, CODER_URL=gateway.url, CODER_SESSION_TOKEN=token)
    sessions = json.loads(out)["sessions"]
    return sorted(sessions, key=lambda session: str(session["id"]))


async def test_two_people_and_a_service_account(gateway: Gateway, tokens: dict[str, str]):
    people = json.loads(await run("users", "list", f"--data-dir={gateway.data_dir}", "-o", "json"))
    ids = {person["username"]: person["id"] for person in people}
    owners = {"chat-1": "mia", "chat-2": ids["max"], "chat-3": STRANGER, "chat-4": "Mia"}
    for chat, owner in owners.items():
        assert await ask(gateway, tokens["bot"], **AGENTS, X_Coder_Chat_Id=chat, X_Coder_Owner_Id=owner) == 200
    # no permission: the header says nothing
    await ask(gateway, tokens["mia"], **AGENTS, X_Coder_Chat_Id="chat-5", X_Coder_Owner_Id="max")

    seen = {name: [session["id"] for session in await listed(gateway, tokens[name])] for name in tokens}
    assert seen == {
        "mia": ["chat-1", "chat-4", "chat-5"],
        "max": ["chat-2"],
        "bot": ["chat-1", "chat-2", "chat-3", "chat-4"],
    }
    everything = await listed(gateway, await make_token(gateway))
    assert [(one["id"], one["initiator"]["username"], one.get("on_behalf_of")) for one in everything] == [
        ("chat-1", "bot", [{"id": ids["mia"], "username": "mia"}]),
        ("chat-2", "bot", [{"id": ids["max"], "username": "max"}]),
        ("chat-3", "bot", [{"id": STRANGER, "username": STRANGER}]),
        ("chat-4", "bot", [{"id": ids["mia"], "username": "mia"}]),
        ("chat-5", "mia", None),
    ]


async def test_what_was_done_for_somebody_can_be_filtered_and_read(gateway: Gateway, tokens: dict[str, str]):
    for chat, owner in (("chat-1", "mia"), ("chat-2", "max"), ("chat-3", STRANGER.upper())):
        await ask(
            gateway,
            tokens["bot"],
            **AGENTS,
            X_Coder_Chat_Id=chat,
            X_Coder_Owner_Id=owner,
            X_Coder_Subchat_Id="sub-7",
            X_Coder_Workspace_Id="w-1",
        )
    admin = await make_token(gateway)
    for filters, found in (
        (("--on-behalf-of", "mia"), ["chat-1"]),
        (("--on-behalf-of", STRANGER), ["chat-3"]),
        (("-q", "on_behalf_of:max"), ["chat-2"]),
        (("-q", "on_behalf_of:nobody"), []),
    ):
        assert [session["id"] for session in await listed(gateway, admin, *filters)] == found
    assert [session["id"] for session in await listed(gateway, tokens["mia"], "--on-behalf-of", "me")] == ["chat-1"]

    hers = {"CODER_URL": gateway.url, "CODER_SESSION_TOKEN": tokens["mia"]}
    assert "bot for mia" in await run("sessions", "list", **hers)
    shown = await run("sessions", "show", "chat-1", **hers)
    assert "bot for mia" in shown
    assert "agent sub-7 (parent main)" in shown
    detail = json.loads(await run("sessions", "show", "chat-1", "-o", "json", **hers))
    (step,) = detail["threads"][0]["steps"]
    assert step["metadata"] == {
        "Username": "bot",
        "request_class": "subagent",
        "agent_id": "sub-7",
        "subchat_id": "sub-7",
        "workspace_id": "w-1",
    }
    others = await coderai("sessions", "show", "chat-2", **hers)
    assert others.code != 0


async def test_the_provider_is_told_who_asks_and_a_dump_shows_it(
    gateway: Gateway, tokens: dict[str, str], provider: tuple[ScriptedProvider, str], tmp_path: Path
):
    forged = {"X_AI_Bridge_Actor_ID": "root", "X_AI_Bridge_Actor_Metadata_Username": "root"}
    await ask(gateway, tokens["mia"], **forged)
    (seen,) = provider[0].seen
    assert seen.headers.getall("X-AI-Bridge-Actor-Metadata-Username") == ["mia"]
    assert len(seen.headers.getall("X-AI-Bridge-Actor-ID")) == 1
    assert await gateway.stop() == 0
    asked, answered = sorted((tmp_path / "dumps" / "anthropic" / "m").iterdir())
    assert asked.name.removesuffix(".req.txt") == answered.name.removesuffix(".resp.txt")
    assert b"X-AI-Bridge-Actor-Metadata-Username: mia\r\n" in asked.read_bytes()
    assert answered.read_bytes().startswith(b"HTTP/1.1 200\r\n")
    assert tokens["mia"].encode() not in asked.read_bytes() + answered.read_bytes()
