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


def test_every_type_is_built():
    assert all(kind.available for kind in KINDS.values())
