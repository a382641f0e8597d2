"""Retries, keys, breaker and limits of the real server: the options do what they say."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from coderai.access.credentials import mask
from coderai.demo.answers import error_answer
from coderai.demo.provider import Reply, ScriptedProvider, Seen, Stall
from coderai.demo.usual import small_talk
from coderai.records import Api
from tests.end_to_end.asking import calling
from tests.end_to_end.conftest import make_token
from tests.end_to_end.processes import Gateway, coderai

FIRST, SECOND = "sk-ant-first-0123456789-aaaa", "sk-ant-second-0123456789-bbbb"


async def test_retries_keys_breaker_and_capacity(tmp_path: Path):
    stall = Stall()

    def moody(seen: Seen) -> Reply:
        if seen.headers.get("X-Api-Key") == FIRST:
            return error_answer(Api.MESSAGES, 401, "no such key")
        if b"fail" in seen.body:
            return error_answer(Api.CHAT, 503, "try later", {"Retry-After-Ms": "1"})
        answer = small_talk(seen)
        return answer.cut(1, stall, *answer.chunks[1:]) if b"slow" in seen.body else answer

    scripted = ScriptedProvider(moody)
    options = (
        "--aibridge-max-retries=1",
        "--aibridge-circuit-breaker-enabled",
        "--aibridge-circuit-breaker-failure-threshold=2",
        "--aibridge-max-concurrency=1",
    )
    async with scripted.serving() as url:
        keys = {"CODER_AIBRIDGE_PROVIDER_0_KEY": "", "CODER_AIBRIDGE_PROVIDER_0_KEYS": f"{FIRST},{SECOND}"}
        gateway = Gateway(tmp_path, url, options, environment=keys)
        await gateway.start()
        token = await make_token(gateway)
        async with calling(gateway, token) as client:
            assert (await client.ask("messages", "which key", stream=False)).status == 200
            told = [await client.ask("chat", "fail", stream=False) for _ in range(3)]
            assert [each.status for each in told] == [503, 503, 503]
            assert [b"try later" in each.body for each in told] == [True, True, False]
            assert b"circuit breaker is open" in told[2].body
            async with client.asking("responses", "slow") as slow:
                await slow.content.readany()
                full = await client.ask("messages", "hi")
                assert (full.status, b"at capacity" in full.body) == (503, True)
                stall.release()
                await slow.read()
        await gateway.said("circuit breaker state change")
        listed = await coderai("sessions", "list", f"--data-dir={tmp_path}", "-o", "json", "--provider", "anthropic")
        session = json.loads(listed.out)["sessions"][0]["id"]
        shown = await coderai("sessions", "show", session, f"--data-dir={tmp_path}", "-o", "json")
        assert await gateway.stop() == 0
    assert mask(SECOND) in shown.out
    assert Counter(each.path for each in scripted.seen) == {
        "/v1/messages": 2,
        "/v1/chat/completions": 4,
        "/v1/responses": 1,
    }


async def test_a_rate_per_token(tmp_path: Path):
    async with ScriptedProvider(small_talk).serving() as url:
        gateway = Gateway(tmp_path, url, ("--aibridge-rate-limit=3",))
        await gateway.start()
        one, other = await make_token(gateway), await make_token(gateway)
        async with calling(gateway, one) as client, calling(gateway, other) as another:
            asked = [client.ask("chat", "hi", stream=False) for _ in range(12)]
            told = await asyncio.gather(*asked, another.ask("messages", "hi"))
        assert await gateway.stop() == 0
    statuses = Counter(each.status for each in told[:-1])
    assert set(statuses) == {200, 429}
    assert statuses[200] >= 3
    assert told[-1].status == 200
