"""Every client of the table, in two requests, with the central key and with a key of its own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from backports import zstd

from coderai.access.credentials import mask
from coderai.demo.provider import Seen
from coderai.demo.script import Reply
from coderai.records import End, Ending, Interception, ToolCall, Usage
from coderai.settings.provider import ProviderConfig
from tests.compat import over_chat, over_messages, over_responses
from tests.compat.talk import CALL_ID, FIRST, SECOND, Talk
from tests.gateway.conftest import CENTRAL_KEY, TOKEN, Opening, Setting

OWN_KEY = "sk-own-WuoWs4ZsMX0123456789"
NOT_FORWARDED = ("accept-encoding", "connection")
ROWS = [
    pytest.param(talk, byok, id=f"{talk.api}-{talk.id}-{'own' if byok else 'central'}")
    for talk in (*over_messages.TALKS, *over_responses.TALKS, *over_chat.TALKS)
    for byok in (False, True)
    if (talk.byok if byok else talk.central)
]
EVERY_CLIENT = pytest.mark.parametrize(("talk", "byok"), ROWS)


@dataclass
class Played:
    """What was seen of the two exchanges, everywhere."""

    bodies: list[bytes]
    answers: list[bytes]
    replies: tuple[Reply, Reply]
    seen: list[Seen]
    begun: list[Interception]
    ended: list[End]
    calls: list[str]


def _copilot(url: str) -> tuple[ProviderConfig, ...]:
    return (ProviderConfig("copilot", "copilot", url),)


def _sent(talk: Talk, byok: bool) -> dict[str, str]:
    key = OWN_KEY if byok else TOKEN
    credential = {talk.key_header: f"Bearer {key}" if talk.key_header == "Authorization" else key}
    token = {"X-Coder-AI-Governance-Token": TOKEN} if byok else {}
    encoding = {"Content-Encoding": talk.encoding} if talk.encoding else {}
    return {**talk.headers, **credential, **token, **encoding}


_ENCODED: dict[str, Callable[[bytes], bytes]] = {"": bytes, "zstd": zstd.compress}


async def _ask(setting: Setting, talk: Talk, byok: bool, body: bytes) -> bytes:
    async with setting.client.post(
        setting.url + talk.url, data=body, headers=_sent(talk, byok), skip_auto_headers=("User-Agent", "Accept")
    ) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


async def play(opened: Opening, talk: Talk, byok: bool) -> Played:
    """Send both requests through a gateway."""
    encoded = _ENCODED[talk.encoding]
    bodies = [encoded(json.dumps(body, ensure_ascii=False).encode()) for body in (talk.first, talk.second)]
    replies = talk.replies
    async with opened(*replies, configured=_copilot) as setting:
        answers = [await _ask(setting, talk, byok, body) for body in bodies]
        notebook = setting.notebook
        ended = [end for _, end in notebook.ended]
        return Played(bodies, answers, replies, setting.provider.seen, notebook.begun, ended, notebook.calls)


@EVERY_CLIENT
async def test_it_is_recognised_with_its_session(opened: Opening, talk: Talk, byok: bool) -> None:
    played = await play(opened, talk, byok)
    assert [one.client for one in played.begun] == [talk.label] * 2
    assert [one.client_session_id for one in played.begun] == [talk.session] * 2
    assert {one.user_agent for one in played.begun} == {_lower(talk.headers)["user-agent"]}
    assert talk.hints.items() <= played.begun[0].metadata.items()


@EVERY_CLIENT
async def test_the_prompt_is_recorded_once(opened: Opening, talk: Talk, byok: bool) -> None:
    played = await play(opened, talk, byok)
    assert [one.prompt for one in played.begun] == [talk.prompt, None]
    assert {(one.model, one.api, one.stream) for one in played.begun} == {(talk.first["model"], talk.api, True)}


@EVERY_CLIENT
async def test_tool_call_and_usage_are_recorded_and_the_two_requests_linked(
    opened: Opening, talk: Talk, byok: bool
) -> None:
    played = await play(opened, talk, byok)
    calls = [fact for end in played.ended for fact in end.answer.facts if isinstance(fact, ToolCall)]
    usages = [fact for end in played.ended for fact in end.answer.facts if isinstance(fact, Usage)]
    assert [(call.tool, call.call_id, call.input) for call in calls] == [(talk.call.name, CALL_ID, talk.call.arguments)]
    assert [(one.input, one.output, one.cache_read) for one in usages] == [
        (tokens.input, tokens.output, tokens.cache_read) for tokens in (FIRST, SECOND)
    ]
    assert CALL_ID in played.calls
    assert [one.tool_result_id for one in played.begun] == [None, CALL_ID]
    assert [(end.ending, end.http_status) for end in played.ended] == [(Ending.COMPLETE, 200)] * 2


@EVERY_CLIENT
async def test_whose_key_was_used_is_recorded(opened: Opening, talk: Talk, byok: bool) -> None:
    played = await play(opened, talk, byok)
    kinds = {one.credential_kind for one in played.begun}
    hints = {end.credential_hint or one.credential_hint for one, end in zip(played.begun, played.ended, strict=True)}
    assert (kinds, hints) == (({"byok"}, {mask(OWN_KEY)}) if byok else ({"centralized"}, {mask(CENTRAL_KEY)}))


@EVERY_CLIENT
async def test_the_provider_gets_the_right_key_and_all_headers_that_are_not_ours(
    opened: Opening, talk: Talk, byok: bool
) -> None:
    played = await play(opened, talk, byok)
    kept = {name: value for name, value in _lower(talk.headers).items() if not _stays(name)}
    for seen in played.seen:
        headers = {name.lower(): value for name, value in seen.headers.items()}
        assert kept.items() <= headers.items()
        assert not [name for name in headers if name.startswith("x-coder-")]
        assert not [value for value in headers.values() if TOKEN in value]
        credentials = {name: headers[name] for name in ("authorization", "x-api-key") if name in headers}
        assert credentials == _expected(talk, byok)
        assert headers["accept-encoding"] == "identity"
        assert seen.path == talk.upstream_path


@EVERY_CLIENT
async def test_bytes_pass_unchanged_both_ways(opened: Opening, talk: Talk, byok: bool) -> None:
    played = await play(opened, talk, byok)
    if talk.edited:
        asked = [{**json.loads(body), "stream_options": {"include_usage": True}} for body in played.bodies]
        assert [seen.json for seen in played.seen] == asked
        assert not [answer for answer in played.answers if b'"choices":[]' in answer]
        return
    assert [seen.body for seen in played.seen] == played.bodies
    assert [seen.headers.get("Content-Encoding", "") for seen in played.seen] == [talk.encoding] * 2
    assert played.answers == [reply.body for reply in played.replies]


def _expected(talk: Talk, byok: bool) -> dict[str, str]:
    """An own key goes in the header in which it came, the central one where the provider wants it."""
    if byok:
        name = talk.key_header.lower()
        return {name: f"Bearer {OWN_KEY}" if name == "authorization" else OWN_KEY}
    if talk.url.startswith("/anthropic/"):
        return {"x-api-key": CENTRAL_KEY}
    return {"authorization": f"Bearer {CENTRAL_KEY}"}


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _stays(name: str) -> bool:
    return name in NOT_FORWARDED or name.startswith("x-coder-")
