"""Commands of operation beside a real server: export, usage, watching, retention, erasure, copies, the doctor."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.asking import APIS, Client
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Finished, Gateway, coderai

SAID = "please fix the flaky canary test"


@pytest.fixture
async def mia(gateway: Gateway) -> AsyncIterator[Client]:
    """A person who asked something over each of the APIs."""
    made = await coderai("users", "create", "-u", "mia", "-e", "mia@example.com", "--no-password", here(gateway))
    assert made.code == 0, made.err
    token = await make_token(gateway, "--user=mia")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        client = Client(session, gateway)
        for api in APIS:
            told = await client.ask(api, SAID)
            assert (told.status, told.whole) == (200, True)
        yield client


def here(gateway: Gateway) -> str:
    return f"--data-dir={gateway.data_dir}"


async def well(*arguments: str) -> Finished:
    done = await coderai(*arguments)
    assert done.code == 0, done.err
    return done


async def test_what_was_used_is_what_the_provider_said(gateway: Gateway, mia: Client) -> None:
    said = await well("usage", "summary", "--by=user,provider", "--all", "--output=json", here(gateway))
    groups = json.loads(said.out)["groups"]
    assert sorted((each["user"]["username"], each["provider"], each["interceptions"]) for each in groups) == [
        ("mia", "anthropic", 1),
        ("mia", "openai", 2),
    ]


async def test_an_export_holds_every_exchange(gateway: Gateway, mia: Client, tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    await well("export", "interceptions", "--thoughts", f"--file={file}", here(gateway))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["user_prompts"][0]["prompt"] for row in rows] == [SAID] * 3
    assert sum(len(row["tool_usages"]) for row in rows) == 3
    assert [len(row["model_thoughts"]) > 0 for row in rows].count(True) >= 2
    table = await well("export", "sessions", "--format=csv", here(gateway))
    assert len(table.out.splitlines()) == 1 + len(json.loads((await sessions(gateway)).out)["sessions"])


async def sessions(gateway: Gateway) -> Finished:
    return await well("sessions", "list", "--all", "--output=json", here(gateway))


async def test_a_new_session_is_seen_as_it_happens(gateway: Gateway, mia: Client) -> None:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "coderai",
            "sessions",
            "watch",
            "--last=0",
            "--interval=0.2",
            "--output=json",
            here(gateway),
        ),
        stdout=PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        asking = group.create_task(_asking(mia))
        seen = json.loads(await process.stdout.readline())
        asking.cancel()
    process.terminate()
    await process.wait()
    assert seen["initiator"]["username"] == "mia"


async def _asking(client: Client) -> None:
    while True:
        await client.ask("messages", "watch this")


async def test_retention_by_hand_beside_the_server(gateway: Gateway, mia: Client) -> None:
    show = json.loads((await well("retention", "show", "--output=json", here(gateway))).out)
    assert (show["configured"], show["ai_records"], show["due"]["interceptions"]) == (True, "60d", 0)
    dry = await well("retention", "run", "--ai-records=1us", "--dry-run", here(gateway))
    assert dry.out.startswith("3 exchanges (")
    gone = await well("retention", "run", "--ai-records=1us", "--yes", here(gateway))
    assert gone.out.startswith("3 exchanges (")
    assert json.loads((await sessions(gateway)).out)["count"] == 0
    assert (await well("db", "check", here(gateway))).out == "0 exchanges (0 running), 0 sessions\n"


async def test_a_person_is_forgotten_while_the_server_runs(gateway: Gateway, mia: Client, tmp_path: Path) -> None:
    erased = await well("users", "erase", "mia", "--yes", here(gateway))
    assert "the contents of 3 exchanges are gone" in erased.out
    async with asyncio.timeout(1):
        while await mia.knock() != 401:
            await asyncio.sleep(0.01)
    assert (await mia.ask("messages", "again")).status == 401
    await well("export", "interceptions", "--thoughts", f"--file={tmp_path / 'left'}", here(gateway))
    await well("db", "backup", str(tmp_path / "copy.db"), here(gateway))
    left = (tmp_path / "left").read_text() + (await well("audit", "list", "--output=json", here(gateway))).out
    assert (SAID in left, "mia" in left, left.count('"input_tokens":1')) == (False, False, 3)
    copy = (tmp_path / "copy.db").read_bytes()
    assert (SAID.encode() in copy, b"mia@example.com" in copy) == (False, False)
    assert (await coderai("db", "check", here(gateway))).code == 0


async def test_the_doctor_beside_a_running_server(gateway: Gateway, mia: Client) -> None:
    said = await well("doctor", "--", f"--access-url={gateway.url}", here(gateway))
    states = dict(line.split()[1::-1] for line in said.out.splitlines())
    assert "fail" not in states.values()
    assert (states["servers"], states["secrets"], states["address"]) == ("ok", "ok", "ok")
