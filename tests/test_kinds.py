import pytest

from coderai.kinds import KINDS


def test_all_types_of_the_configuration_are_known():
    types = "openai anthropic copilot bedrock azure google openai-compat openrouter vercel"
    assert list(KINDS) == types.split()
    assert all(kind.type == name for name, kind in KINDS.items())


@pytest.mark.parametrize(
    ("family", "types"),
    [
        ("openai", {"openai", "azure", "google", "openai-compat", "openrouter", "vercel"}),
        ("anthropic", {"anthropic", "bedrock"}),
        ("copilot", {"copilot"}),
    ],
)
def test_every_type_speaks_the_language_of_a_family(family, types):
    assert {kind.type for kind in KINDS.values() if kind.family == family} == types


def test_types_whose_credential_is_no_key():
    assert {kind.type for kind in KINDS.values() if not kind.takes_keys} == {"copilot", "bedrock"}


def test_a_type_without_a_default_base_url_has_an_example():
    keyed = [kind for kind in KINDS.values() if kind.takes_keys]
    assert all(bool(kind.default_base_url) != bool(kind.example_base_url) for kind in keyed)
