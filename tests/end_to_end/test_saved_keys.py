"""A provider made through the API, called with the official SDKs: first with the central key, then with one's own."""

from collections.abc import Sequence
from pathlib import Path

import anthropic
import openai
import pytest
from sqlalchemy import select

from coderai.demo.provider import ScriptedProvider
from coderai.store.engine import open_store
from coderai.store.schema import interceptions
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai
from tests.end_to_end.test_two_servers import admin, within_a_second

CENTRAL = "sk-corp-0123456789abcdef"
PERSONAL = "sk-personal-0123456789abcdef"
QUESTION = [{"role": "user", "content": "what is there?"}]


async def by_anthropic(gateway: Gateway, token: str) -> None:
    url = gateway.url + "/api/v2/aibridge/corp"
    asked = {"model": "m", "max_tokens": 9, "messages": QUESTION}
    sdk = anthropic.AsyncAnthropic(base_url=url, auth_token=token, max_retries=0)
    async with sdk as client, client.messages.stream(**asked) as streaming:
        assert (await streaming.get_final_message()).stop_reason == "tool_use"


async def by_openai(gateway: Gateway, token: str) -> None:
    url = gateway.url + "/api/v2/aibridge/corp/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0) as client:
        answer = await client.chat.completions.create(model="m", messages=QUESTION)
        assert answer.choices[0].finish_reason == "tool_calls"


async def credentials(gateway: Gateway) -> Sequence[tuple[str, str]]:
    """What was recorded about the credential of each call."""
    columns = (interceptions.c.credential_kind, interceptions.c.credential_hint)
    query = select(*columns).order_by(interceptions.c.started_at)
    async with open_store(f"sqlite:///{gateway.data_dir / 'coderai.db'}", jobs=False) as store, store.reading() as db:
        return [(row.credential_kind, row.credential_hint) for row in await db.execute(query)]


@pytest.mark.parametrize(
    ("kind", "below", "ask", "header", "scheme"),
    [("anthropic", "", by_anthropic, "X-Api-Key", ""), ("openai-compat", "/v1", by_openai, "Authorization", "Bearer ")],
)
async def test_traffic_with_a_central_and_then_with_a_personal_key(
    gateway: Gateway, provider: tuple[ScriptedProvider, str], tmp_path: Path, kind, below, ask, header, scheme
):
    scripted, url = provider
    (tmp_path / "central").write_text(CENTRAL)
    (tmp_path / "personal").write_text(PERSONAL)
    await admin(gateway, "users", "create", "-u", "mia", "-e", "mia@example.com", "--no-password")
    token = await make_token(gateway, "--user=mia")
    key = f"--key-file={tmp_path / 'central'}"
    added = await admin(gateway, "providers", "add", kind, "--name=corp", f"--base-url={url}{below}", key)

    as_mia = {"CODER_URL": gateway.url, "CODER_SESSION_TOKEN": token}
    listed = [(await coderai("keys", "list", **as_mia)).out]
    await ask(gateway, token)  # a provider is served at once where it was made
    saved = await coderai("keys", "set", "corp", f"--key-file={tmp_path / 'personal'}", **as_mia)
    assert (saved.code, saved.out) == (0, "corp: Key saved\n"), saved.err
    listed.append((await coderai("keys", "list", **as_mia)).out)

    async def with_personal() -> int:
        await ask(gateway, token)
        return int(scripted.seen[-1].headers[header] == scheme + PERSONAL)

    await within_a_second(with_personal, 1)
    states = [line for text in listed for line in text.splitlines() if line.startswith("corp")]
    assert [line.split("  ")[-1].strip() for line in states] == ["Using shared key", "Key saved"]
    assert scripted.seen[0].headers[header] == scheme + CENTRAL
    recorded = await credentials(gateway)
    assert (recorded[0], recorded[-1]) == (("centralized", "sk-c...cdef"), ("byok", "sk-p...cdef"))
    changes = await admin(gateway, "audit", "list", "-o", "json")
    assert not [key for key in (CENTRAL, PERSONAL) if key in "".join([added, changes, *listed, *gateway.log])]
    assert "user_ai_provider_key" in changes
