"""What becomes of a configured Bedrock provider."""

import sys

import pytest

from coderai.providers.anthropic import BEDROCK
from coderai.providers.registry import Instance, build
from coderai.settings.provider import BedrockConfig, ProviderConfig
from tests.settings.loading import indexed, loaded

KEYS = ["0_BEDROCK_ACCESS_KEY=AKIA", "0_BEDROCK_ACCESS_KEY_SECRET=canary"]
SONNET = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def built(*settings: str, **environ: str) -> Instance:
    (config,) = loaded(env={**indexed(*settings), **environ}).settings.providers
    return build(config, allow_byok=False)


@pytest.mark.parametrize("kind", ["anthropic", "bedrock"])
def test_region_and_static_keys_are_enough(kind):
    instance = built(f"0_TYPE={kind}", "0_NAME=anthropic-bedrock", "0_BEDROCK_REGION=us-west-2", *KEYS)
    assert (instance.state, instance.reason, instance.family) == ("enabled", "", BEDROCK)
    assert instance.base_url == "https://bedrock-runtime.us-west-2.amazonaws.com"
    assert instance.dialect is not None
    assert "canary" not in repr(instance)


@pytest.mark.parametrize(
    ("settings", "asked", "called"),
    [
        ([], "claude-opus-4-6", SONNET),
        ([], "claude-haiku-4-5", HAIKU),
        ([], "", SONNET),
        (["0_BEDROCK_MODEL=m:1"], "claude-opus-4-6", "m:1"),
        (["0_BEDROCK_MODEL=m:1"], "claude-haiku-4-5", HAIKU),
        (["0_BEDROCK_SMALL_FAST_MODEL=s:1"], "claude-haiku-4-5", "s:1"),
        (["0_BEDROCK_MODEL=m-haiku", "0_BEDROCK_SMALL_FAST_MODEL=s:1"], "claude-opus-4-6", "m-haiku"),
        (["0_BEDROCK_PROTOCOL=mantle"], "claude-haiku-4-5", "claude-haiku-4-5"),
    ],
)
def test_the_model_that_is_called(settings, asked, called):
    instance = built("0_TYPE=bedrock", "0_BEDROCK_REGION=us-west-2", *settings)
    assert instance.dialect is not None
    assert instance.dialect.model(asked) == called


def test_the_older_variables():
    (config,) = loaded(
        env={"CODER_AIBRIDGE_BEDROCK_REGION": "eu-west-1", "CODER_AIBRIDGE_BEDROCK_MODEL": "m"}
    ).settings.providers
    instance = build(config, allow_byok=True)
    assert (instance.name, instance.type, instance.state) == ("anthropic", "anthropic", "enabled")
    assert instance.dialect is not None
    assert (instance.dialect.model("claude"), instance.dialect.model("haiku")) == ("m", HAIKU)


def test_without_region_and_base_url():
    instance = built("0_TYPE=bedrock", *KEYS)
    assert (instance.state, instance.reason) == (
        "error",
        "region or base URL required: set BEDROCK_REGION or BEDROCK_BASE_URL",
    )
    assert built("0_TYPE=bedrock", *KEYS, AWS_REGION="eu-west-1").state == "enabled"


def test_an_endpoint_is_enough():
    config = ProviderConfig("bedrock", "b", "http://proxy:8080", bedrock=BedrockConfig(role_arn="arn"), source="api")
    assert build(config, allow_byok=False).state == "enabled"


def test_without_the_extra_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    instance = built("0_TYPE=bedrock", "0_BEDROCK_REGION=eu-west-1")
    assert (instance.state, instance.reason) == (
        "error",
        'Amazon Bedrock needs one more package: pip install "coderai[bedrock]"',
    )


def test_several_keys_are_a_warning():
    keys = ["0_BEDROCK_ACCESS_KEYS=AKIA1,AKIA2", "0_BEDROCK_ACCESS_KEY_SECRETS=canary1,canary2"]
    result = loaded(env=indexed("0_TYPE=bedrock", "0_BEDROCK_REGION=eu-west-1", *keys))
    assert result.warnings == ('provider "bedrock" has 2 AWS access keys; only the first is used',)


def test_other_instances_do_not_need_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    assert build(ProviderConfig("anthropic", "a", "http://h", ("k",)), allow_byok=True).dialect is None


def test_nothing_shows_a_secret():
    config = BedrockConfig("eu-west-1", access_keys=("AKIA",), access_key_secrets=("canary",))
    assert "canary" not in repr(build(ProviderConfig("bedrock", "b", "http://h", bedrock=config), allow_byok=True))
