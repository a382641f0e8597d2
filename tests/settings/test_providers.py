import re

import pytest

from coderai.errors import BadSettings
from tests.settings.loading import indexed, loaded

ANTHROPIC = "https://api.anthropic.com/"
OPENAI = "https://api.openai.com/v1/"
ELEVEN = [f"{number}_{key}" for number in range(11) for key in ("TYPE=openai", f"NAME=p{number}")]


def providers(*settings):
    return loaded(env=indexed(*settings)).settings.providers


def refusal(*flags, env, **more):
    with pytest.raises(BadSettings) as caught:
        loaded(*flags, env=env, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["0_TYPE=openai"], [("openai", "openai", OPENAI, ())]),
        (
            ["0_TYPE=anthropic", "0_NAME=anthropic-corp", "0_KEY=sk-ant-x", "0_BASE_URL=https://p/anthropic"],
            [("anthropic-corp", "anthropic", "https://p/anthropic", ("sk-ant-x",))],
        ),
        (
            ["1_TYPE=anthropic", "1_NAME=b", "0_TYPE=openai", "0_NAME=a"],
            [("a", "openai", OPENAI, ()), ("b", "anthropic", ANTHROPIC, ())],
        ),
        (["0_TYPE=openai", "0_Name=test"], [("test", "openai", OPENAI, ())]),
        (["0_TYPE=openai", "0_KEYS= sk-a , sk-b "], [("openai", "openai", OPENAI, ("sk-a", "sk-b"))]),
        (["0_TYPE=openai", "0_KEY= sk,a "], [("openai", "openai", OPENAI, ("sk,a",))]),
        (["0_TYPE= openai ", "0_NAME= x ", "0_BASE_URL= https://p/v1 "], [("x", "openai", "https://p/v1", ())]),
        (["0_TYPE=openai", "0_BEDROCK_MODEL=m"], [("openai", "openai", OPENAI, ())]),
        (["0_TYPE=openai", "0_KEY=", "0_NAME="], [("openai", "openai", OPENAI, ())]),
        (["0_TYPE=copilot"], [("copilot", "copilot", "https://api.individual.githubcopilot.com", ())]),
        (
            ["0_TYPE=openai", "0_NAME=chatgpt", "0_BASE_URL=https://chatgpt.com/backend-api/codex"],
            [("chatgpt", "openai", "https://chatgpt.com/backend-api/codex", ())],
        ),
        (
            ["0_TYPE=azure", "0_BASE_URL=https://n.openai.azure.com/?api-version=2025-04-01-preview"],
            [("azure", "azure", "https://n.openai.azure.com/?api-version=2025-04-01-preview", ())],
        ),
        (
            ["0_TYPE=openai-compat", "0_BASE_URL=http://10.0.0.5:8000/v1", "0_KEY=k"],
            [("openai-compat", "openai-compat", "http://10.0.0.5:8000/v1", ("k",))],
        ),
    ],
)
def test_indexed_providers(settings, expected):
    assert [(one.name, one.type, one.base_url, one.keys) for one in providers(*settings)] == expected


def test_eleven_providers_keep_their_order():
    assert [one.name for one in providers(*reversed(ELEVEN))] == [f"p{number}" for number in range(11)]


def test_bedrock_with_the_credentials_of_the_machine():
    (one,) = providers("0_TYPE=anthropic", "0_BEDROCK_REGION=us-west-2")
    assert one.bedrock is not None
    assert (one.bedrock.region, one.bedrock.access_keys, one.bedrock.model) == ("us-west-2", (), "")
    assert one.base_url == "https://bedrock-runtime.us-west-2.amazonaws.com"


def test_bedrock_with_static_credentials():
    settings = ["0_TYPE=bedrock", "0_BEDROCK_ACCESS_KEYS=A,B", "0_BEDROCK_ACCESS_KEY_SECRETS=s,t"]
    (one,) = providers(*settings, "0_BEDROCK_BASE_URL=https://vpc.example.com")
    assert one.bedrock is not None
    assert (one.bedrock.access_keys, one.bedrock.access_key_secrets) == (("A", "B"), ("s", "t"))
    assert one.base_url == "https://vpc.example.com"


@pytest.mark.parametrize(
    ("settings", "environ", "region", "base_url"),
    [
        (
            ["0_BEDROCK_REGION=eu-west-1"],
            {"AWS_REGION": "x-1"},
            "eu-west-1",
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        (
            ["0_BEDROCK_REGION=eu-west-1", "0_BEDROCK_PROTOCOL=mantle"],
            {},
            "eu-west-1",
            "https://bedrock-mantle.eu-west-1.api.aws/anthropic",
        ),
        (
            ["0_BEDROCK_ACCESS_KEY=A", "0_BEDROCK_ACCESS_KEY_SECRET=s"],
            {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"},
            "eu-west-2",
            "https://bedrock-runtime.eu-west-2.amazonaws.com",
        ),
        (
            ["0_BEDROCK_ROLE_ARN=arn:aws:iam::123456789012:role/a/b"],
            {"AWS_DEFAULT_REGION": "eu-west-3"},
            "eu-west-3",
            "https://bedrock-runtime.eu-west-3.amazonaws.com",
        ),
        (
            ["0_BEDROCK_BASE_URL=https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com"],
            {"AWS_REGION": "eu-west-2"},
            "us-gov-west-1",
            "https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
        ),
        (["0_BEDROCK_BASE_URL=http://proxy:8080/b"], {"AWS_REGION": "eu-west-2"}, "eu-west-2", "http://proxy:8080/b"),
        (["0_BEDROCK_BASE_URL=http://proxy:8080/b"], {}, "us-east-1", "http://proxy:8080/b"),
        (["0_BEDROCK_ACCESS_KEY=A", "0_BEDROCK_ACCESS_KEY_SECRET=s"], {}, "", ""),
    ],
)
def test_region_and_endpoint_of_bedrock(settings, environ, region, base_url):
    (one,) = loaded(env=indexed("0_TYPE=bedrock", *settings) | environ).settings.providers
    assert one.bedrock is not None
    assert (one.bedrock.region, one.base_url) == (region, base_url)


def test_bedrock_in_yaml():
    row = "type: bedrock, bedrock_region: eu-west-1, bedrock_protocol: mantle, bedrock_external_id: team-7"
    role = 'bedrock_role_arn: "arn:aws:iam::123456789012:role/b"'
    (one,) = loaded(yaml=f"aibridge: {{providers: [{{{row}, {role}}}]}}").settings.providers
    assert one.bedrock is not None
    assert (one.bedrock.protocol, one.bedrock.external_id) == ("mantle", "team-7")
    assert one.bedrock.role_arn == "arn:aws:iam::123456789012:role/b"
    assert one.base_url == "https://bedrock-mantle.eu-west-1.api.aws/anthropic"


def test_a_role_for_bedrock():
    role = ["0_BEDROCK_ROLE_ARN=arn:aws:iam::123456789012:role/b", "0_BEDROCK_EXTERNAL_ID=team-7"]
    (one,) = providers("0_TYPE=bedrock", "0_BEDROCK_REGION=eu-west-1", *role)
    assert one.bedrock is not None
    assert (one.bedrock.role_arn, one.bedrock.external_id) == ("arn:aws:iam::123456789012:role/b", "team-7")
    assert one.bedrock.protocol == "invoke-model"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["0_TYPE=bedrock", "0_BEDROCK_ROLE_ARN=b"],
            'BEDROCK_ROLE_ARN: "b" is no role; write for example "arn:aws:iam',
        ),
        (["0_TYPE=bedrock", "0_BEDROCK_REGION=a", "0_BEDROCK_EXTERNAL_ID=x1"], "BEDROCK_EXTERNAL_ID is for a role"),
        (
            [
                "0_TYPE=bedrock",
                "0_BEDROCK_ROLE_ARN=arn:aws:iam::123456789012:role/b",
                "0_BEDROCK_EXTERNAL_ID=two words",
            ],
            "BEDROCK_EXTERNAL_ID holds characters",
        ),
        (["0_TYPE=bedrock", "0_BEDROCK_REGION=a", "0_BEDROCK_PROTOCOL=grpc"], '"grpc" is neither "invoke-model" nor'),
        (["0_TYPE=openai", "0_BEDROCK_ROLE_ARN=arn:aws:iam::123456789012:role/b"], "do not fit type openai"),
        (["0_TYPE=bedrock", "0_BEDROCK_ACCESS_KEY=A", "0_BEDROCK_REGION=a"], "1 ≠ 0"),
        (["0_TYPE=anthropic", "1_TYPE=anthropic"], 'provider 1 .* the name "anthropic" is already used by provider 0'),
        (["0_TYPE=anthropic", "1_TYPE=openai", "1_NAME=anthropic"], 'provider 1 .*"anthropic" is already used'),
        (["1_TYPE=openai"], "index 0 is skipped"),
        (["0_TYPE=openai", "2_TYPE=anthropic"], "index 1 is skipped"),
        (["XXX_TYPE=openai"], 'PROVIDER_XXX_TYPE: cannot parse number "XXX"'),
        (["-1_TYPE=openai"], "cannot parse number"),
        (["0_TYPE=openai", "01_TYPE=openai"], "cannot parse number"),
        (["0=openai"], "invalid variable CODER_AIBRIDGE_PROVIDER_0"),
        (["0_NAME=x", "0_KEY=k"], "TYPE is required"),
        (["0_TYYPE=openai"], "TYPE is required"),
        (["0_TYPE=gemini"], 'unknown TYPE "gemini"; allowed are: openai, anthropic'),
        (["0_TYPE=OpenAI"], 'unknown TYPE "OpenAI"'),
        (["0_TYPE=openai", "0_KEYS=sk-a,,sk-b"], "the key at position 1 is empty"),
        (["0_TYPE=openai", "0_KEYS=sk-a,sk-b,sk-a"], "the key at position 2 is there twice"),
        (["0_TYPE=openai", "0_KEYS=a,b,c,d,e,f"], r"too many keys \(6 > 5\)"),
        (["0_TYPE=openai", "0_KEY=a\nb"], "the key at position 0 holds white space"),
        (["0_TYPE=openai", "0_KEY=a", "0_KEYS=b"], "KEY and KEYS are both set"),
        (["0_TYPE=openai", "0_NAME=a", "0_Name=b"], "are the same variable"),
        (["0_TYPE=openai", "0_BEDROCK_REGION=us-west-2"], "Bedrock settings do not fit type openai"),
        (["0_TYPE=copilot", "0_BEDROCK_ACCESS_KEY=A"], "Bedrock settings do not fit type copilot"),
        (["0_TYPE=bedrock"], "type bedrock needs Bedrock settings"),
        (["0_TYPE=bedrock", "0_BEDROCK_REGION=us-west-2", "0_KEY=k"], "a provider of type bedrock takes no key"),
        (["0_TYPE=copilot", "0_KEY=k"], "a provider of type copilot takes no key"),
        (["0_TYPE=anthropic", "0_KEY=k", "0_BEDROCK_REGION=us-west-2"], "exclude each other"),
        (["0_TYPE=anthropic", "0_BEDROCK_ACCESS_KEYS=A,B", "0_BEDROCK_ACCESS_KEY_SECRET=s"], "2 ≠ 1"),
        (["0_TYPE=anthropic", "0_BEDROCK_ACCESS_KEY=A", "0_BEDROCK_ACCESS_KEYS=B"], "BEDROCK_ACCESS_KEYS are both set"),
        (["0_TYPE=anthropic", "0_BEDROCK_REGION=evil.example.com/"], "is no AWS region"),
        (["0_TYPE=openai", "0_NAME=Azure"], 'the name "Azure" may hold only .* for example "azure"'),
        (["0_TYPE=openai", "0_NAME=-a"], "may hold only"),
        (["0_TYPE=openai", "0_NAME=a--b"], "may hold only"),
        (["0_TYPE=openai", "0_NAME=sessions"], 'the name "sessions" is reserved'),
        (["0_TYPE=openai", "0_BASE_URL=api.example.com/v1"], "BASE_URL: the scheme is missing"),
        (["0_TYPE=openai", "0_BASE_URL=ftp://api.example.com/v1"], "BASE_URL: write an absolute URL"),
        (["0_TYPE=openai", "0_BASE_URL=https:///v1"], "BASE_URL: write an absolute URL"),
        (["0_TYPE=openai", "0_BASE_URL=https://u:canary@h/v1"], "BASE_URL: no user and no password"),
        (["0_TYPE=openai", "0_BASE_URL=https://h/v1?a=b"], 'ends before "\\?"'),
        (["0_TYPE=azure", "0_BASE_URL=https://h/?api-version=1&key=canary"], 'ends before "\\?"'),
        (["0_TYPE=azure", "0_BASE_URL=https://h/?api-version=canary+canary"], 'ends before "\\?"'),
        (["0_TYPE=azure", "0_BASE_URL=https://u:canary@h/?api-version=1"], "no user and no password"),
        (["0_TYPE=azure", "0_BASE_URL=https://h/#?api-version=1"], 'ends before "\\?"'),
        (["0_TYPE=anthropic", "0_BASE_URL=https://h/?api-version=1"], 'ends before "\\?"'),
        (["0_TYPE=azure"], 'required, for example "https://NAME.openai.azure.com/"'),
        (["0_TYPE=google"], 'required, for example "https://generativelanguage.googleapis.com/v1beta/openai"'),
        (["0_TYPE=openai-compat"], 'required, for example "https://llm.example.com/v1"'),
        (["0_TYPE=openrouter"], 'required, for example "https://openrouter.ai/api/v1"'),
        (["0_TYPE=vercel"], 'required, for example "https://ai-gateway.vercel.sh/v1"'),
    ],
)
def test_mistakes_in_indexed_providers(settings, message):
    text = refusal(env=indexed(*settings))
    assert re.search(message, text)
    assert "sk-a" not in text
    assert "canary" not in text


def test_an_unknown_key_is_a_warning():
    result = loaded(env=indexed("0_TYPE=openai", "0_TYYPE=x"))
    assert [one.name for one in result.settings.providers] == ["openai"]
    assert result.warnings == ('CODER_AIBRIDGE_PROVIDER_0_TYYPE: unknown key, ignored; did you mean "TYPE"?',)


def test_the_newer_prefix_works_alone_only():
    newer = {"CODER_AI_GATEWAY_PROVIDER_0_TYPE": "openai"}
    (one,) = loaded(env=newer).settings.providers
    assert (one.name, one.origin) == ("openai", "provider 0 (CODER_AI_GATEWAY_PROVIDER_0_*)")
    assert "two names of one list" in refusal(env=newer | indexed("0_TYPE=anthropic"))


def test_providers_are_checked_although_the_gateway_is_off():
    assert "TYPE is required" in refusal("--aibridge-enabled=false", env=indexed("0_NAME=x"))


def test_a_provider_that_nobody_can_use_is_a_warning():
    result = loaded("--aibridge-allow-byok=false", env=indexed("0_TYPE=openai", "1_TYPE=anthropic", "1_KEY=k"))
    assert result.warnings == (
        'provider "openai" has no key, and users may not bring their own (--aibridge-allow-byok=false)',
    )


LEGACY = "CODER_AIBRIDGE_"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"OPENAI_KEY": "k"}, [("openai", "openai", OPENAI, ("k",), False)]),
        ({"OPENAI_KEY": "k", "OPENAI_BASE_URL": "https://p/v1"}, [("openai", "openai", "https://p/v1", ("k",), False)]),
        ({"OPENAI_BASE_URL": "https://p/v1"}, []),
        ({"OPENAI_KEY": ""}, []),
        ({"ANTHROPIC_KEY": "k"}, [("anthropic", "anthropic", ANTHROPIC, ("k",), False)]),
        ({"ANTHROPIC_BASE_URL": "https://p"}, []),
        (
            {"BEDROCK_REGION": "eu-west-1"},
            [("anthropic", "anthropic", "https://bedrock-runtime.eu-west-1.amazonaws.com", (), True)],
        ),
        ({"BEDROCK_BASE_URL": "https://b.example"}, [("anthropic", "anthropic", "https://b.example", (), True)]),
        (
            {"BEDROCK_ACCESS_KEY": "A", "BEDROCK_ACCESS_KEY_SECRET": "s"},
            [("anthropic", "anthropic", "", (), True)],
        ),
        ({"BEDROCK_MODEL": "m"}, []),
        (
            {"ANTHROPIC_KEY": "a", "OPENAI_KEY": "o"},
            [("openai", "openai", OPENAI, ("o",), False), ("anthropic", "anthropic", ANTHROPIC, ("a",), False)],
        ),
    ],
)
def test_the_older_single_providers(env, expected):
    found = loaded(env={LEGACY + name: value for name, value in env.items()}).settings.providers
    assert [(one.name, one.type, one.base_url, one.keys, one.bedrock is not None) for one in found] == expected
    assert all(one.source == "legacy environment" for one in found)


def test_older_bedrock_has_default_models():
    (one,) = loaded(env={"CODER_AIBRIDGE_BEDROCK_REGION": "eu-west-1"}).settings.providers
    assert one.bedrock is not None
    assert one.bedrock.model == "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert one.bedrock.small_fast_model == "global.anthropic.claude-haiku-4-5-20251001-v1:0"


def test_an_older_anthropic_key_and_older_bedrock_exclude_each_other():
    env = {"CODER_AIBRIDGE_ANTHROPIC_KEY": "canary", "CODER_AIBRIDGE_BEDROCK_REGION": "eu-west-1"}
    text = refusal(env=env)
    assert "CODER_AIBRIDGE_ANTHROPIC_KEY and CODER_AIBRIDGE_BEDROCK_REGION" in text
    assert "exclude each other" in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("variable", "settings"),
    [
        ("OPENAI_KEY", ["0_TYPE=openai"]),
        ("OPENAI_KEY", ["0_TYPE=anthropic", "0_NAME=openai"]),
        ("ANTHROPIC_KEY", ["0_TYPE=anthropic"]),
    ],
)
def test_one_name_in_both_is_a_conflict_naming_variable_and_provider(variable, settings):
    text = refusal(env={LEGACY + variable: "canary"} | indexed(*settings))
    assert f"CODER_AIBRIDGE_{variable} and provider 0" in text
    assert "remove one of them" in text
    assert "canary" not in text


@pytest.mark.parametrize("variable", ["OPENAI_KEY=k", "OPENAI_BASE_URL=https://p/v1"])
def test_no_conflict_without_the_same_name(variable):
    name, _, value = variable.partition("=")
    assert loaded(env={LEGACY + name: value} | indexed("0_TYPE=openai", "0_NAME=other")).settings.providers


def test_an_older_base_url_without_a_key_does_not_conflict():
    env = {"CODER_AIBRIDGE_OPENAI_BASE_URL": "https://p/v1"} | indexed("0_TYPE=openai")
    assert [one.base_url for one in loaded(env=env).settings.providers] == [OPENAI]


def test_older_ones_come_first_then_indexed_then_yaml():
    env = {"CODER_AIBRIDGE_OPENAI_KEY": "k", "CODER_AIBRIDGE_ANTHROPIC_KEY": "k"} | indexed("0_TYPE=openai", "0_NAME=a")
    found = loaded(env=env, yaml="aibridge: {providers: [{type: openai, name: b}]}").settings.providers
    assert [one.name for one in found] == ["openai", "anthropic", "a", "b"]


def test_a_name_in_yaml_and_in_the_environment_is_a_conflict():
    text = refusal(env=indexed("0_TYPE=openai"), yaml="aibridge: {providers: [{type: openai}]}")
    assert "provider 0 (CODER_AIBRIDGE_PROVIDER_0_*) and config.yaml: aibridge.providers[0]" in text


def test_keys_of_the_providers_own_tools_are_not_read():
    assert loaded(env={"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}).settings.providers == ()
