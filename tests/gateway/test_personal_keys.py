"""Keys that people have saved: whose goes with which call, and what never does."""

import pytest

from coderai.demo.answers import error_answer
from coderai.demo.answers_responses import responses_answer
from coderai.demo.provider import Reply
from coderai.errors import NotSignedIn, StoreUnavailable
from coderai.records import Api, Ending
from coderai.settings.provider import ProviderConfig
from tests.gateway.amazon import amazon
from tests.gateway.amazon import answering as amazon_answering
from tests.gateway.conftest import ALICE, CENTRAL_KEY, OneToken, Opening
from tests.gateway.test_attribution import AGENTS, BOB, BOT
from tests.gateway.test_provider_types import BYOK, ENTRA, OWN, TYPES, answering, asked, one, sent
from tests.gateway.test_recorded import CHAT, MESSAGES
from tests.gateway.websockets import ASK, connected

SAVED = "sk-saved-0123456789abcdef"
BOTS = "sk-bots-0123456789abcdef"


def keys(*providers: str) -> OneToken:
    """Alice has saved a key for each of these."""
    return OneToken(keys={(ALICE.user_id, name): SAVED for name in providers})


def as_central(kind: str, key: str) -> dict[str, str]:
    special = {"anthropic": {"X-Api-Key": key}, "azure": {"api-key": key}}
    return special.get(kind, {"Authorization": f"Bearer {key}"})


@TYPES
@pytest.mark.parametrize("central", [(), (CENTRAL_KEY,)], ids=["no central key", "central key"])
async def test_a_saved_key_goes_where_the_provider_wants_its_key(opened: Opening, kind, below, path, target, central):
    opening = opened(answering, configured=one(kind, below, *central), authority=keys("p"))
    async with opening as setting, setting.post("/p" + path, asked(path)) as answer:
        assert answer.status == 200
        assert [(seen.path, sent(seen)) for seen in setting.provider.seen] == [(target, as_central(kind, SAVED))]
        start, end = setting.notebook.ended[0]
    assert (start.credential_kind, start.credential_hint, end.credential_hint) == ("byok", "sk-s...cdef", None)


async def test_an_access_token_saved_for_azure_goes_as_one(opened: Opening):
    authority = OneToken(keys={(ALICE.user_id, "p"): ENTRA})
    opening = opened(answering, configured=one("azure", "/openai/v1"), authority=authority)
    async with opening as setting, setting.post("/p/v1/responses", {"model": "m", "input": "hi"}):
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {ENTRA}"}


async def test_a_key_in_the_request_comes_before_a_saved_one(opened: Opening):
    async with opened(answering, authority=keys("openai")) as setting:
        headers = BYOK | {"Authorization": f"Bearer {OWN}"}
        async with setting.client.post(setting.url + "/openai/v1/chat/completions", json=CHAT, headers=headers):
            pass
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {OWN}"}
        assert setting.notebook.begun[0].credential_hint == "sk-o...cdef"


async def test_the_token_alone_in_its_own_header_leaves_room_for_a_saved_key(opened: Opening):
    async with opened(answering, authority=keys("openai")) as setting:
        async with setting.client.post(setting.url + "/openai/v1/chat/completions", json=CHAT, headers=BYOK):
            pass
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {SAVED}"}


async def test_a_key_is_for_one_provider(opened: Opening):
    opening = opened(answering, authority=keys("openai"))
    async with opening as setting, setting.post("/anthropic/v1/messages", MESSAGES):
        assert sent(setting.provider.seen[0]) == {"X-Api-Key": CENTRAL_KEY}
        assert setting.notebook.begun[0].credential_kind == "centralized"


async def test_while_byok_is_off_a_saved_key_is_ignored(opened: Opening):
    opening = opened(answering, authority=keys("openai"), allow_byok=False)
    async with opening as setting, setting.post("/openai/v1/chat/completions", CHAT):
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {CENTRAL_KEY}"}
        assert setting.notebook.begun[0].credential_kind == "centralized"


@pytest.mark.parametrize("status", [401, 402, 403, 429])
async def test_a_refused_saved_key_is_never_followed_by_the_central_one(opened: Opening, status):
    refusal = error_answer(Api.CHAT, status, f"key {SAVED} is refused")
    async with opened(refusal, authority=keys("openai")) as setting:
        async with setting.post("/openai/v1/chat/completions", CHAT) as answer:
            assert (answer.status, SAVED in await answer.text()) == (status, False)
        assert len(setting.provider.seen) == 1
        assert setting.notebook.endings == [Ending.UPSTREAM_ERROR]
        assert SAVED not in setting.notebook.only_end.error_message


async def test_a_saved_key_is_the_own_one_that_copilot_wants(opened: Opening):
    def copilot(url: str) -> list[ProviderConfig]:
        return [ProviderConfig("copilot", "copilot", url)]

    authority = keys("copilot")
    async with opened(answering, answering, configured=copilot, authority=authority) as setting:
        async with setting.post("/copilot/chat/completions", CHAT) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {SAVED}"}
        assert setting.notebook.begun[0].credential_kind == "byok"
        authority.keys.clear()
        async with setting.post("/copilot/chat/completions", CHAT) as answer:
            assert answer.status == 401


async def test_requests_that_the_gateway_signs_take_no_key(opened: Opening):
    async with opened(amazon_answering(), configured=amazon(), authority=keys("aws")) as setting:
        async with setting.post("/aws/v1/messages", MESSAGES) as answer:
            assert answer.status == 200
        assert setting.provider.seen[0].headers["Authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert setting.notebook.begun[0].credential_kind == "centralized"


async def test_the_key_of_the_person_counts_for_whom_a_service_account_acts(opened: Opening):
    both = {(BOB, "anthropic"): SAVED, (BOT.user_id, "anthropic"): BOTS}
    authority = OneToken(BOT, {"bob": BOB}, keys=both)
    async with opened(answering, answering, authority=authority) as setting:
        for headers in (AGENTS, {}):
            async with setting.post("/anthropic/v1/messages", MESSAGES, headers=headers):
                pass
        assert [sent(seen) for seen in setting.provider.seen] == [{"X-Api-Key": SAVED}, {"X-Api-Key": BOTS}]


async def test_for_a_person_without_a_key_the_central_one_counts_and_not_the_service_accounts(opened: Opening):
    authority = OneToken(BOT, {"bob": BOB}, keys={(BOT.user_id, "anthropic"): BOTS})
    opening = opened(answering, authority=authority)
    async with opening as setting, setting.post("/anthropic/v1/messages", MESSAGES, headers=AGENTS):
        assert sent(setting.provider.seen[0]) == {"X-Api-Key": CENTRAL_KEY}


async def test_what_is_passed_through_goes_with_the_saved_key(opened: Opening):
    async with opened(Reply(chunks=[b'{"data":[]}']), authority=keys("openai")) as setting:
        headers = {"Authorization": f"Bearer {ALICE.token_id}-7hQ2mB9xTzLr4KpVd1NcYe"}
        async with setting.client.get(setting.url + "/openai/v1/models", headers=headers) as answer:
            assert answer.status == 200
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {SAVED}"}


async def test_a_websocket_goes_with_the_saved_key(opened: Opening):
    async with opened(responses_answer(text="hi"), authority=keys("openai")) as setting:
        async with connected(setting) as client:
            assert (await client.ask(ASK))[-1]["type"] == "response.completed"
        assert sent(setting.provider.seen[0]) == {"Authorization": f"Bearer {SAVED}"}
        start, end = setting.notebook.ended[0]
    assert (start.credential_kind, start.credential_hint, end.credential_hint) == ("byok", "sk-s...cdef", None)


async def test_a_websocket_does_not_go_on_with_a_key_that_was_taken_away(opened: Opening):
    authority = keys("openai")
    async with opened(responses_answer(text="hi"), authority=authority) as setting, connected(setting) as client:
        assert (await client.ask(ASK))[-1]["type"] == "response.completed"
        authority.keys.clear()
        assert (await client.ask(ASK))[-1]["type"] == "error"
        assert len(setting.provider.seen) == len(setting.notebook.begun) == 1


async def test_without_any_key_the_refusal_says_how_to_save_one(opened: Opening):
    async with opened(authority=keys(), keys=()) as setting:
        async with setting.post("/openai/v1/chat/completions", CHAT) as answer:
            assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")
            assert "coderai keys set openai" in await answer.text()
        assert not setting.notebook.begun


class Troubled(OneToken):
    """An authority that cannot say which key there is."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def personal_key(self, user_id: str, provider: str) -> str | None:
        raise self._error


@pytest.mark.parametrize(("error", "status"), [(NotSignedIn("save it again"), 401), (StoreUnavailable("away"), 503)])
async def test_when_the_saved_key_cannot_be_had_no_other_is_taken(opened: Opening, error, status):
    async with opened(authority=Troubled(error)) as setting:
        async with setting.post("/openai/v1/chat/completions", CHAT) as answer:
            assert (answer.status, str(error) in await answer.text()) == (status, True)
        assert not setting.provider.seen
