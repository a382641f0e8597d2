"""Whom a call is for: the person of a service account, agents and firewall as metadata, what providers are told."""

import json
from dataclasses import replace

import pytest
from multidict import CIMultiDict

from coderai.access.callers import Caller
from coderai.demo.answers_messages import messages_answer
from coderai.demo.provider import Reply
from coderai.errors import Invalid
from coderai.gateway.attribution import ActorHeaders, acting_for, agent_firewall
from coderai.gateway.headers import to_upstream
from tests.gateway.conftest import ALICE, TOKEN, OneToken, Opening, Setting
from tests.gateway.raw import request, talk
from tests.gateway.test_recorded import CHAT, MESSAGES

BOB = "01890000-0000-7000-8000-000000000b0b"
SESSION = "5e55105e-0000-4000-8000-000000000001"
BOT = replace(ALICE, username="agents-bot", delegate=True)
PEOPLE = OneToken(BOT, {"bob": BOB})
AGENTS = {
    "User-Agent": "coder-agents/v2.24.0 (linux/amd64)",
    "X-Coder-Owner-Id": "bob",
    "X-Coder-Chat-Id": "chat-1",
    "X-Coder-Subchat-Id": "chat-2",
    "X-Coder-Workspace-Id": "workspace-1",
}
FIREWALL = {
    "X-Coder-Agent-Firewall-Session-Id": SESSION.upper(),
    "X-Coder-Agent-Firewall-Sequence-Number": "007",
}


async def ask(setting: Setting, headers: dict[str, str], path: str = "/anthropic/v1/messages") -> int:
    async with setting.post(path, MESSAGES, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_a_service_account_names_the_person_it_acts_for(opened: Opening):
    async with opened(messages_answer(text="hi"), authority=PEOPLE) as setting:
        assert await ask(setting, AGENTS) == 200
        (begun,) = setting.notebook.begun
    assert (begun.initiator_name, begun.on_behalf_of) == ("agents-bot", BOB)
    assert (begun.client, begun.client_session_id) == ("Coder Agents", "chat-1")
    assert begun.metadata == {
        "Username": "agents-bot",
        "request_class": "subagent",
        "agent_id": "chat-2",
        "subchat_id": "chat-2",
        "workspace_id": "workspace-1",
    }


async def test_a_token_without_the_permission_names_nobody(opened: Opening):
    async with opened(messages_answer(text="hi"), authority=OneToken(ALICE, {"bob": BOB})) as setting:
        assert await ask(setting, AGENTS) == 200
        assert setting.notebook.begun[0].on_behalf_of is None


async def test_any_tool_may_be_used_by_a_service_account(opened: Opening):
    async with opened(messages_answer(text="hi"), authority=PEOPLE) as setting:
        await ask(setting, {"X-Coder-Owner-Id": "bob", "User-Agent": "claude-cli/2"})
        assert setting.notebook.begun[0].on_behalf_of == BOB


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/anthropic/v1/models"])
async def test_a_person_that_cannot_be_looked_up_is_a_503_and_nothing_goes_upstream(opened: Opening, path: str):
    async with opened(authority=OneToken(BOT)) as setting:
        assert await ask(setting, AGENTS, path) == 503
        assert setting.provider.seen == []
        assert setting.notebook.begun == []


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("somebody", "somebody"),
        ("  bob  ", BOB),
        ("", None),
        ("   ", None),
        ("\x1b[31m\x07mallory", "[31mmallory"),
        ("a\x00b", "ab"),
        ("half\udcfc", "half"),
        ("bob\u202e", BOB),
        ("\u200b", None),
        ("x" * 5000, "x" * 256),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("Ünïcode 🦊", "Ünïcode 🦊"),
    ],
)
async def test_a_hostile_name_is_cleaned_and_never_refused(said: str, recorded: str | None):
    assert await acting_for(PEOPLE, BOT, CIMultiDict({"x-coder-owner-id": said})) == recorded


async def test_nothing_of_x_coder_goes_upstream(opened: Opening):
    async with opened(messages_answer(text="hi"), Reply(), authority=PEOPLE) as setting:
        await ask(setting, {**AGENTS, **FIREWALL, "x-coderai-purpose": "title"})
        async with setting.client.get(
            setting.url + "/anthropic/v1/models", headers={**AGENTS, "Authorization": f"Bearer {TOKEN}"}
        ) as answer:
            assert answer.status == 200
        sent = [name.lower() for seen in setting.provider.seen for name in seen.headers]
    assert "user-agent" in sent
    assert not [name for name in sent if "coder" in name]


async def test_a_gateway_token_in_a_hint_is_masked(opened: Opening):
    async with opened(messages_answer(text="hi"), authority=PEOPLE) as setting:
        await ask(setting, {**AGENTS, "X-Coder-Owner-Id": TOKEN, "X-Coder-Workspace-Id": f"w-{TOKEN}"})
        assert TOKEN not in str(setting.notebook.begun)


async def test_the_agent_firewall_is_metadata(opened: Opening):
    async with opened(messages_answer(text="hi")) as setting:
        assert await ask(setting, FIREWALL) == 200
        assert setting.notebook.begun[0].metadata == {
            "Username": "alice",
            "agent_firewall_session_id": SESSION,
            "agent_firewall_sequence_number": "7",
        }


FORMS = {
    "/anthropic/v1/messages": ("type", "error"),
    "/openai/v1/chat/completions": ("error", "invalid_request_error"),
    "/openai/v1/responses": ("error", "invalid_request_error"),
}


@pytest.mark.parametrize("path", FORMS)
async def test_invalid_firewall_headers_are_refused_in_the_providers_form(opened: Opening, path: str):
    async with opened() as setting:
        headers = {**FIREWALL, "X-Coder-Agent-Firewall-Sequence-Number": "-1"}
        async with setting.post(path, CHAT, headers=headers) as answer:
            document = await answer.json()
        member, kind = FORMS[path]
        assert answer.status == 400
        assert kind in (document[member], document["error"]["type"])
        assert document["error"]["message"].startswith("invalid agent firewall headers")
        assert setting.provider.seen == []
        assert setting.notebook.begun == []


@pytest.mark.parametrize("number", ["0", "1", "2147483647"])
def test_sequence_numbers(number: str):
    headers = {**FIREWALL, "X-Coder-Agent-Firewall-Sequence-Number": number}
    assert agent_firewall(CIMultiDict(headers))["agent_firewall_sequence_number"] == number


@pytest.mark.parametrize(
    ("session", "number"),
    [
        (SESSION, None),
        (None, "1"),
        ("", ""),
        ("", "1"),
        (SESSION, ""),
        (SESSION, "-1"),
        (SESSION, "2147483648"),
        (SESSION, "1" * 5000),
        (SESSION, "1.0"),
        (SESSION, " 1"),
        (SESSION, "1e3"),
        (SESSION, "٣"),
        (SESSION[:-1], "1"),
        (SESSION.replace("-", ""), "1"),
        ("{" + SESSION[:-2] + "}", "1"),
        ("z" * 36, "1"),
        (SESSION + "\udcfc", "1"),
    ],
)
def test_half_or_hostile_firewall_headers_are_invalid(session: str | None, number: str | None):
    said = {"X-Coder-Agent-Firewall-Session-Id": session, "X-Coder-Agent-Firewall-Sequence-Number": number}
    with pytest.raises(Invalid, match="invalid agent firewall headers"):
        agent_firewall(CIMultiDict({name: value for name, value in said.items() if value is not None}))


ID_HEADER, NAME_HEADER = "X-AI-Bridge-Actor-ID", "X-AI-Bridge-Actor-Metadata-Username"


@pytest.mark.parametrize(
    ("actors", "expected"),
    [
        (ActorHeaders(), {}),
        (ActorHeaders(send=True), {ID_HEADER: ALICE.user_id, NAME_HEADER: "alice"}),
        (ActorHeaders(id_header="X-Who"), {"X-Who": ALICE.user_id}),
        (ActorHeaders(username_header="X-Name"), {"X-Name": "alice"}),
        (ActorHeaders(send=True, id_header="X-Who"), {"X-Who": ALICE.user_id, NAME_HEADER: "alice"}),
        (ActorHeaders(id_header="X-Who", username_header="X-Name"), {"X-Who": ALICE.user_id, "X-Name": "alice"}),
    ],
)
async def test_the_provider_is_told_who_asks_and_never_by_the_client(opened: Opening, actors, expected):
    names = {ID_HEADER, NAME_HEADER, "X-AI-Bridge-Actor-Metadata-Role", "X-Who", "X-Name"}
    forged = {name.lower(): "root" for name in names}
    kept = {name: "root" for name in ("X-Who", "X-Name") if name not in expected}
    own = {"X-Coder-AI-Governance-Token": TOKEN, "Authorization": "Bearer sk-own-0123456789abcdef"}
    async with opened(messages_answer(text="hi"), messages_answer(text="hi"), Reply(), actors=actors) as setting:
        await ask(setting, forged)
        await ask(setting, forged | own)
        headers = forged | {"Authorization": f"Bearer {TOKEN}"}
        async with setting.client.get(setting.url + "/anthropic/v1/models", headers=headers) as answer:
            await answer.read()
        sent = [
            {name: seen.headers.getall(name) for name in names if name in seen.headers}
            for seen in setting.provider.seen
        ]
    assert sent == [{name: [value] for name, value in (expected | kept).items()}] * 3


@pytest.mark.parametrize(
    ("username", "value"),
    [
        ("alice", b"alice"),
        ("a.b_c-d", b"a.b_c-d"),
        ("Müller", b"M%C3%BCller"),
        ("a b", b"a%20b"),
        ("100%", b"100%25"),
        ("x\r\nX-Injected: 1", b"x%0D%0AX-Injected:%201"),
        ("\x00", b"%00"),
        ("🦊", b"%F0%9F%A6%8A"),
        ("half\udcfc", b"half?"),
        ("", b""),
    ],
)
def test_any_name_is_safe_in_a_header(username: str, value: bytes):
    said = ActorHeaders(send=True).of(Caller("id", username))
    assert said == [(ID_HEADER.encode(), b"id"), (NAME_HEADER.encode(), value)]


def test_repeated_and_oddly_written_copies_of_our_headers_are_dropped():
    client = [(b"x-who", b"a"), (b"X-WHO", b"b"), (b"X-Who-Else", b"c")]
    assert to_upstream(client, {}, [(b"X-Who", b"alice")])[:2] == [(b"X-Who-Else", b"c"), (b"X-Who", b"alice")]


async def test_a_header_named_like_ours_in_the_connection_header_does_not_remove_ours(opened: Opening):
    async with opened(messages_answer(text="hi"), actors=ActorHeaders(send=True)) as setting:
        url = setting.url + "/anthropic/v1/messages"
        headers = [b"Connection: close, X-AI-Bridge-Actor-ID"]
        await talk(url, request(url, json.dumps(MESSAGES).encode(), headers=headers))
        assert setting.provider.seen[0].headers[ID_HEADER] == ALICE.user_id


@pytest.mark.parametrize(
    ("line", "recorded"),
    [
        (b"X-Coder-Owner-Id: bob", BOB),
        (b"x-coder-owner-id:\tbob \t", BOB),
        (b"X-Coder-Owner-Id: J\xc3\xbcrgen", "Jürgen"),
        (b"X-Coder-Owner-Id: J\xfcrgen", "Jrgen"),
        (b"X-Coder-Owner-Id: bob\r\nX-Coder-Owner-Id: root", BOB),
        (b"X-Coder-Owner-Id:", None),
        (b"X-Coder-Owner-Id: " + b"x" * 4000, "x" * 256),
    ],
    ids=["plain", "blanks", "utf-8", "latin-1", "twice", "empty", "long"],
)
async def test_the_owner_as_it_comes_over_the_wire(opened: Opening, line: bytes, recorded: str | None):
    async with opened(messages_answer(text="hi"), authority=PEOPLE) as setting:
        url = setting.url + "/anthropic/v1/messages"
        got, _ = await talk(url, request(url, json.dumps(MESSAGES).encode(), headers=[line, b"Connection: close"]))
        assert got.startswith(b"HTTP/1.1 200")
        assert setting.notebook.begun[0].on_behalf_of == recorded
