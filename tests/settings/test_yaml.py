from datetime import timedelta

import pytest

from coderai.errors import BadSettings
from tests.settings.loading import loaded

EVERYTHING = """
networking:
  accessURL: https://ai.example.com
  http: { httpAddress: 0.0.0.0:3000 }
introspection:
  logging: { humanPath: "", jsonPath: /dev/stderr }
  prometheus: { enable: true, address: 0.0.0.0:2112 }
retention: { audit_logs: 365d, api_keys: 7d }
aibridge:
  enabled: true
  retention: 90d
  structured_logging: true
  rate_limit: 20
"""


def test_the_example_of_the_specification_is_read():
    settings = loaded(yaml=EVERYTHING).settings
    assert settings.access_url == "https://ai.example.com"
    assert settings.http_address == "0.0.0.0:3000"
    assert (settings.log_human, settings.log_json) == ("", "/dev/stderr")
    assert (settings.prometheus_enable, settings.prometheus_address) == (True, "0.0.0.0:2112")
    assert (settings.audit_logs_retention, settings.api_keys_retention) == (timedelta(days=365), timedelta(days=7))
    assert (settings.aibridge_enabled, settings.aibridge_structured_logging) == (True, True)
    assert (settings.aibridge_retention, settings.aibridge_rate_limit) == (timedelta(days=90), 20)


@pytest.mark.parametrize("text", ["", "aibridge:", "aibridge: {retention: null}", "{}", "# nothing"])
def test_what_is_empty_says_nothing(text):
    assert loaded(yaml=text).provenance == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aibridge: {retentoin: 1d}", 'aibridge.retentoin: unknown key; did you mean "aibridge.retention"?'),
        ("aibrigde: {enabled: true}", 'aibrigde: unknown key; did you mean "aibridge"?'),
        ("httpAddress: x", 'httpAddress: unknown key; did you mean "networking.http.httpAddress"?'),
        ("networking: {tls: {on: true}}", "networking.tls.True: unknown key"),
        ("aibridge: {openai_key: x}", "aibridge.openai_key: not settable in YAML, because it is secret"),
        ("ai_gateway: {bedrock_access_key_secret: x}", "not settable in YAML"),
        (
            "databaseURL: x",
            "databaseURL: not settable in YAML, because it is secret; use the variable CODERAI_DATABASE_URL",
        ),
        ("aibridge: [enabled]", "aibridge must be a group of keys"),
        ("- a", "config.yaml must be a group of keys"),
        ("aibridge: {enabled: maybe}", 'aibridge.enabled="maybe": write "true" or "false"'),
        ("aibridge: {retention: 90}", 'aibridge.retention=90: "90" is no duration'),
        ("aibridge: {bedrock_region: [a]}", "write a text"),
        ("aibridge: {rate_limit: 1.5}", "write a whole number"),
        ("introspection: {logging: {filter: {a: b}}}", "write a list of texts"),
        ("aibridge: {enabled: true, enabled: false}", "is no YAML: a key is there twice in line 1"),
        ("aibridge: [", "is no YAML"),
        ("a: !!python/object:os.system x", "is no YAML"),
        ("aibridge: {providers: {}, ", "is no YAML"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(BadSettings) as caught:
        loaded(yaml=text)
    assert message in str(caught.value)
    assert "config.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(BadSettings, match=r"--config nowhere.yaml: cannot be read: No such file"):
        loaded("--config=nowhere.yaml")


def test_a_secret_in_yaml_is_not_repeated():
    with pytest.raises(BadSettings) as caught:
        loaded(yaml="aibridge: {anthropic_key: canary}")
    assert "canary" not in str(caught.value)


def test_providers_take_their_secrets_by_reference():
    text = """
aibridge:
  providers:
    - {type: anthropic, name: corp, base_url: "https://llm.example.com/anthropic", key_env: CORP_KEY}
    - {type: openai, keys_env: MANY}
    - {type: openai, name: filed, key_file: /run/secrets/key}
    - {type: openai, name: lined, keys_file: /run/secrets/keys}
    - {type: bedrock, bedrock_region: us-west-2, bedrock_access_key_env: A, bedrock_access_key_secret_env: B}
"""
    files = {"/run/secrets/key": "sk-file\n", "/run/secrets/keys": "k1\nk2\n"}
    env = {"CORP_KEY": "sk-corp", "MANY": "a, b", "A": "AKIA", "B": "secret"}
    result = loaded(yaml=text, env=env, **files)
    providers = result.settings.providers
    assert [(one.name, one.keys, one.source) for one in providers] == [
        ("corp", ("sk-corp",), "yaml"),
        ("openai", ("a", "b"), "yaml"),
        ("filed", ("sk-file",), "yaml"),
        ("lined", ("k1", "k2"), "yaml"),
        ("bedrock", (), "yaml"),
    ]
    assert providers[0].base_url == "https://llm.example.com/anthropic"
    assert providers[4].bedrock is not None
    assert (providers[4].bedrock.access_keys, providers[4].bedrock.access_key_secrets) == (("AKIA",), ("secret",))
    assert "sk-corp" not in repr(result)
    assert "AKIA" not in repr(result)


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (
            "{type: openai, key: sk}",
            "providers[0]: key: not settable in YAML, because it is secret; use key_env or key_file",
        ),
        ("{type: openai, keys: [sk]}", "use keys_env or keys_file"),
        ("{type: openai, key_env: NOT_SET}", "key_env: the variable NOT_SET is not set"),
        ("{type: openai, key_file: /nowhere}", "key_file: /nowhere cannot be read"),
        ("{type: openai, key_file: two}", "holds several lines; for a key per line write keys_file"),
        ("{type: openai, key_file: none}", "none is empty"),
        ("{type: openai, key_env: SET, keys_env: SET}", "already given by another key"),
        ("{type: openai, bse_url: x}", 'bse_url: unknown key; did you mean "base_url"?'),
        ("{type: openai, name: 5}", "name: write a text"),
        ("{name: x}", "TYPE is required"),
        ("{type: openai, name: Azure}", 'may hold only a-z, 0-9 and "-"'),
        ("text", "must be a list of groups"),
    ],
)
def test_mistakes_in_providers_are_named(provider, message):
    with pytest.raises(BadSettings) as caught:
        loaded(yaml=f"aibridge: {{providers: [{provider}]}}", env={"SET": "x"}, two="a\nb", none="\n")
    assert message in str(caught.value)
    assert "config.yaml: aibridge.providers" in str(caught.value)


def test_one_list_of_providers_has_one_name():
    with pytest.raises(BadSettings, match="two names of one list"):
        loaded(yaml="{aibridge: {providers: []}, ai_gateway: {providers: []}}")
