"""What an instance is built from: where its key goes, and why one cannot work."""

import pytest

from coderai.kinds import KINDS
from coderai.providers.registry import DOUBLED, build
from coderai.settings import ProviderConfig
from tests.providers.test_joining import AZURE, CHATGPT, built

PLAIN = "0123456789abcdef0123456789abcdef"
TOKEN = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl"
KEYLESS = "no key, and users may not bring their own (--aibridge-allow-byok=false)"


@pytest.mark.parametrize(
    ("kind", "base_url", "key", "header", "value"),
    [
        ("openai", "", PLAIN, "Authorization", f"Bearer {PLAIN}"),
        ("anthropic", "", PLAIN, "X-Api-Key", PLAIN),
        ("google", "", PLAIN, "Authorization", f"Bearer {PLAIN}"),
        ("openrouter", "", PLAIN, "Authorization", f"Bearer {PLAIN}"),
        ("vercel", "", PLAIN, "Authorization", f"Bearer {PLAIN}"),
        ("openai-compat", "", PLAIN, "Authorization", f"Bearer {PLAIN}"),
        ("openai-compat", "", TOKEN, "Authorization", f"Bearer {TOKEN}"),
        ("azure", "", PLAIN, "api-key", PLAIN),
        ("azure", "https://apim.example.com/openai/v1", PLAIN, "api-key", PLAIN),
        ("azure", "", TOKEN, "Authorization", f"Bearer {TOKEN}"),
        ("azure", "", "eyJust.a.key.with.dots", "api-key", "eyJust.a.key.with.dots"),
        ("openai", AZURE, PLAIN, "api-key", PLAIN),
        ("openai", AZURE + "/openai/v1", PLAIN, "api-key", PLAIN),
        ("openai", AZURE, TOKEN, "Authorization", f"Bearer {TOKEN}"),
        ("anthropic", "https://n.services.ai.azure.com/anthropic", PLAIN, "X-Api-Key", PLAIN),
    ],
)
def test_a_central_key_goes_where_the_provider_wants_it(kind, base_url, key, header, value):
    assert built(kind, base_url).auth.headed(key) == (header, value)


@pytest.mark.parametrize("kind", sorted(kind.type for kind in KINDS.values() if kind.takes_keys))
@pytest.mark.parametrize(
    ("keys", "allow_byok", "reason"),
    [(("k",), True, None), (("k",), False, None), ((), True, None), ((), False, KEYLESS)],
    ids=["key", "key only", "own only", "nothing"],
)
def test_a_provider_needs_a_key_or_users_who_may_bring_one(kind, keys, allow_byok, reason):
    instance = built(kind, keys=keys, allow_byok=allow_byok)
    assert (instance.state, instance.reason) == (("error", reason) if reason else ("enabled", ""))


def test_copilot_needs_users_who_may_bring_their_own():
    assert built("copilot").state == "enabled"
    instance = built("copilot", allow_byok=False)
    assert instance.state == "error"
    assert instance.reason == "only users' own credentials work there, and they are off (--aibridge-allow-byok=false)"


def test_the_type_bedrock_needs_settings_of_bedrock():
    assert built("bedrock", "https://h").reason == "type bedrock needs Bedrock settings, for example a region"


def test_a_key_cannot_work_at_chatgpt():
    assert built("openai", CHATGPT, keys=()).state == "enabled"
    instance = built("openai", CHATGPT)
    assert instance.reason == "chatgpt.com takes no key, only the users' own sign-in; remove the key"


def test_an_instance_that_cannot_work_still_has_its_family_for_the_form_of_its_errors():
    family = built("anthropic", keys=(), allow_byok=False).family
    assert family is not None
    assert family.name == "anthropic"


def test_keys_are_never_shown():
    assert PLAIN not in repr(built("azure", keys=(PLAIN,)))


@pytest.mark.parametrize(
    ("kind", "base_url", "remark"),
    [
        ("anthropic", "https://llm.example.com/v1", DOUBLED),
        ("anthropic", "https://llm.example.com/v1/", DOUBLED),
        ("anthropic", "https://llm.example.com/anthropic", ""),
        ("openai", "https://llm.example.com/v1", ""),
    ],
)
def test_a_base_url_that_repeats_what_calls_bring_is_remarked(kind: str, base_url: str, remark: str) -> None:
    instance = build(ProviderConfig(kind, "x", base_url, ("sk-1",)), allow_byok=True)
    assert (instance.state, instance.reason) == ("enabled", remark)
