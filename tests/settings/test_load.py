from datetime import timedelta
from pathlib import Path

import pytest

from coderai.errors import BadSettings
from coderai.settings import Settings, load
from coderai.settings.flags import BadUsage
from tests.settings.loading import loaded, reader

RETENTION = "CODER_AIBRIDGE_RETENTION"


def days(number):
    return timedelta(days=number)


def test_without_anything_every_option_has_its_default():
    result = loaded()
    assert result.settings.http_address == "127.0.0.1:3000"
    assert result.settings.aibridge_enabled is False
    assert result.settings.aibridge_members_can_read_own_sessions is True
    assert result.settings.data_dir == Path("/home/me/.local/share/coderai")
    assert result.settings.database == "sqlite:////home/me/.local/share/coderai/coderai.db"
    assert (result.warnings, result.provenance, result.action) == ((), {}, "serve")


@pytest.mark.parametrize(
    ("flags", "env", "yaml", "expected", "source"),
    [
        (["--aibridge-retention=30d"], {RETENTION: "90d"}, "aibridge: {retention: 7d}", 30, "flag"),
        ([], {RETENTION: "90d"}, "aibridge: {retention: 7d}", 90, "environment"),
        ([], {RETENTION: ""}, "aibridge: {retention: 7d}", 7, "yaml"),
        ([], {RETENTION: ""}, "aibridge: {}", 60, "default"),
        (["--ai-gateway-retention", "5d"], {RETENTION: "90d"}, "", 5, "flag"),
        ([], {"CODER_AI_GATEWAY_RETENTION": "8d"}, "aibridge: {retention: 7d}", 8, "environment"),
        ([], {}, "ai_gateway: {retention: 9d}", 9, "yaml"),
        (["--aibridge-retention=1d", "--aibridge-retention=2d"], {}, "", 2, "flag"),
    ],
)
def test_flag_wins_over_environment_over_yaml_over_default(flags, env, yaml, expected, source):
    result = loaded(*flags, env=env, yaml=yaml)
    assert result.settings.aibridge_retention == days(expected)
    assert result.source("aibridge_retention").kind == source
    assert result.warnings == ()


def test_the_source_of_a_value_is_named():
    result = loaded("--aibridge-enabled", env={RETENTION: "1d"}, yaml="networking: {accessURL: 'https://a.example'}")
    assert str(result.source("aibridge_enabled")) == "--aibridge-enabled"
    assert str(result.source("aibridge_retention")) == RETENTION
    assert str(result.source("access_url")) == "config.yaml: networking.accessURL"


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("--aibridge-enabled", True),
        ("--aibridge-enabled=true", True),
        ("--aibridge-enabled=1", True),
        ("--aibridge-enabled=t", True),
        ("--aibridge-enabled=False", False),
        ("--aibridge-enabled=0", False),
        ("--ai-gateway-enabled=TRUE", True),
    ],
)
def test_booleans(flag, expected):
    assert loaded(flag).settings.aibridge_enabled is expected


def test_a_boolean_that_is_none_is_refused_with_its_name():
    with pytest.raises(BadSettings, match=r'--aibridge-enabled="yes": write "true" or "false"'):
        loaded("--aibridge-enabled=yes")


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--aibridge-enabled", "false"], 'unexpected argument "false"; a boolean is written with "="'),
        (["--aibridge-enabeld"], 'unknown flag "--aibridge-enabeld"; did you mean "--aibridge-enabled"'),
        (["--postgres-url=x"], 'unknown flag "--postgres-url"; use --database-url'),
        (["--cache-dir", "x"], "use --data-dir"),
        (["serve"], "unexpected argument; every setting is a flag"),
        (["-x"], 'unknown flag "-x"'),
        (["--"], 'unknown flag "--"'),
        (["--aibridge-retention"], "--aibridge-retention needs a value"),
        (["-l", '"a', "-l", "b"], "--log-filter: write a list separated by commas, with closed quotes"),
        (["--check=maybe"], '--check="maybe": write "true" or "false"'),
    ],
)
def test_a_wrong_command_line_is_told_apart(flags, text):
    with pytest.raises(BadUsage) as caught:
        loaded(*flags)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "env", "yaml"),
    [
        ([], {"CODER_AIBRIDGE_RATE_LIMIT": "5", "CODER_AI_GATEWAY_RATE_LIMIT": "6"}, ""),
        (["--aibridge-rate-limit=5", "--ai-gateway-rate-limit=6"], {}, ""),
        ([], {}, "{aibridge: {rate_limit: 5}, ai_gateway: {rate_limit: 6}}"),
    ],
)
def test_two_names_with_different_values_at_one_level_are_an_error_naming_both(flags, env, yaml):
    with pytest.raises(BadSettings, match=r"(?i)aibridge.*5.* contradicts .*ai.gateway.*6.*remove one"):
        loaded(*flags, env=env, yaml=yaml)


def test_two_names_with_equal_values_are_a_warning():
    result = loaded(env={"CODER_AIBRIDGE_RETENTION": "5d", "CODER_AI_GATEWAY_RETENTION": "5d"})
    assert result.settings.aibridge_retention == days(5)
    assert result.warnings == (
        "CODER_AIBRIDGE_RETENTION and CODER_AI_GATEWAY_RETENTION are two names of one option; remove one",
    )


def test_two_names_at_different_levels_are_no_conflict():
    result = loaded("--ai-gateway-retention=5d", env={RETENTION: "6d"})
    assert (result.settings.aibridge_retention, result.warnings) == (days(5), ())


def test_contradicting_secrets_are_not_shown():
    with pytest.raises(BadSettings) as caught:
        loaded(env={"CODER_AIBRIDGE_OPENAI_KEY": "sk-one", "CODER_AI_GATEWAY_OPENAI_KEY": "sk-two"})
    assert "CODER_AI_GATEWAY_OPENAI_KEY" in str(caught.value)
    assert "sk-" not in str(caught.value)


def test_our_own_variable_wins_over_the_one_that_may_be_meant_for_another_product():
    env = {"CODER_HTTP_ADDRESS": "0.0.0.0:80", "CODERAI_HTTP_ADDRESS": "127.0.0.1:4000"}
    assert loaded(env=env).settings.http_address == "127.0.0.1:4000"
    assert loaded(env={"CODER_HTTP_ADDRESS": ":80"}).settings.http_address == ":80"


def test_the_database_of_another_product_is_never_read():
    result = loaded(env={"CODER_PG_CONNECTION_URL": "postgres://other", "CODER_CACHE_DIRECTORY": "/tmp/x"})
    assert (result.provenance, result.warnings) == ({}, ())


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--access-url", "ai.example.com"], '--access-url="ai.example.com": the scheme is missing'),
        (["--access-url", "ftp://ai.example.com"], "http:// or https://"),
        (["--http-address="], "nothing to listen on"),
        (["--tls-client-auth=request"], "write one of: none, verify-if-given, require-and-verify"),
        (["--tls-client-auth=require-and-verify"], "needs a --tls-client-ca-file"),
        (["--redirect-to-access-url"], "needs an --access-url"),
        (["--tls-enable", "--tls-cert-file=a"], "equally often (1 and 0)"),
        (["--strict-transport-security-options=includeSubdomain"], "write one of: includeSubDomains, preload"),
        (["--tls-enable", "--tls-address="], "--tls-enable needs a --tls-address"),
        (["--http-address=3000"], "write host:port"),
        (["--http-address=::1:3000"], "brackets"),
        (["--http-address=127.0.0.1:70000"], "write host:port"),
        (["--tls-enable"], "--tls-enable needs a certificate"),
        (["--tls-enable", "--tls-cert-file=a,b", "--tls-key-file=c"], "equally often (2 and 1)"),
        (["--aibridge-circuit-breaker-max-requests=0"], "1 to 100"),
        (["--aibridge-circuit-breaker-failure-threshold=101"], "1 to 100"),
        (["--aibridge-max-retries=-1"], "0 or more"),
        (["--aibridge-max-concurrency=ten"], "write a whole number"),
        (["--aibridge-upstream-timeout=0"], "longer than 0"),
        (["--aibridge-retention=90"], "the unit is missing"),
        (["--log-filter=a\nb"], "without line breaks"),
        (["--log-filter=["], "is no regular expression"),
        (["--database-synchronous=off"], "write one of: full, normal"),
        (["--ai-budget-policy=lowest"], "write one of: highest"),
        (["--aibridge-actor-header-id=Authorization"], "this header has another meaning"),
        (["--aibridge-actor-header-id=X-AI-Bridge-Actor-ID"], "this header has another meaning"),
        (["--aibridge-actor-header-id=a b"], "no name of an HTTP header"),
        (["--aibridge-actor-header-id=X-A", "--aibridge-actor-header-username=x-a"], 'are both "x-a"'),
        (["--aibridge-proxy-allowed-private-cidrs=10.0.0.1/8"], "is no network"),
        (["--aibridge-proxy-tunnel-ports=443,x"], '"x" is no port'),
        (["--aibridge-proxy-tunnel-ports=65536"], "is no port"),
        (["--aibridge-proxy-tunnel-allowlist=https://x"], "is no host"),
        (["--aibridge-proxy-tunnels=maybe"], "write one of: allow, deny, allowlist"),
        (["--aibridge-proxy-enabled"], "needs the gateway: --aibridge-enabled"),
        (["--aibridge-proxy-enabled", "--aibridge-enabled", "--aibridge-proxy-cert-file=x"], "set both or neither"),
        (["--external-token-encryption-keys=c2hvcnQ="], "the key at position 0 is not the base64 form of 32 bytes"),
    ],
)
def test_wrong_values_say_what_would_be_right(flags, text):
    with pytest.raises(BadSettings) as caught:
        loaded(*flags)
    assert text in str(caught.value)


def test_secrets_are_in_no_error_and_in_no_repr():
    with pytest.raises(BadSettings) as caught:
        loaded("--external-token-encryption-keys=canary", "--aibridge-openai-key=canary", "--aibridge-retention=x")
    assert "canary" not in repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.validations)
    good = loaded("--aibridge-openai-key=canary", "--database-url=postgresql://u:canary@h/d")
    assert "canary" not in repr(good) + str(good.settings)
    assert good.settings.providers[0].keys == ("canary",)
    assert good.settings.database == "postgresql://u:canary@h/d"


def test_every_wrong_value_is_told_at_once():
    with pytest.raises(BadSettings) as caught:
        loaded("--aibridge-retention=x", env={"CODER_HTTP_ADDRESS": "nowhere"})
    assert [where for where, _ in caught.value.validations] == ["--aibridge-retention", 'CODER_HTTP_ADDRESS="nowhere"']


def test_a_wrong_value_that_is_overridden_does_no_harm():
    assert loaded("--aibridge-retention=1d", env={RETENTION: "x"}).settings.aibridge_retention == days(1)


def test_lists_are_repeated_flags_or_separated_by_commas():
    assert loaded("-l", "a.*", "-l=b,c", "-ld").settings.log_filter == ("a.*", "b", "c", "d")
    assert loaded(env={"CODER_LOG_FILTER": 'a, "b,c"'}).settings.log_filter == ("a", "b,c")
    assert loaded(yaml="introspection: {logging: {filter: [a, 'b,c']}}").settings.log_filter == ("a", "b,c")


@pytest.mark.parametrize(
    ("flag", "warning"),
    [
        (
            "--aibridge-proxy-target=https://x",
            "--aibridge-proxy-target: no effect: intercepted requests are served in the same process",
        ),
        (
            "--ai-gateway-proxy-domain-allowlist=x",
            "--aibridge-proxy-domain-allowlist: no effect: the intercepted hosts follow from the providers' base URLs",
        ),
        ("--telemetry", "--telemetry: ignored: this program never phones home"),
        ("--aibridge-inject-coder-mcp-tools", "--aibridge-inject-coder-mcp-tools: no effect: tools are never injected"),
    ],
)
def test_options_without_effect_are_answered_with_one_line(flag, warning):
    assert loaded(flag).warnings == (warning,)


def test_an_option_without_effect_may_be_set_to_its_default():
    assert loaded("--aibridge-rate-limit=0", "--aibridge-inject-coder-mcp-tools=false").warnings == ()


@pytest.mark.parametrize(
    ("flags", "action"),
    [
        (["--check"], "check"),
        (["--write-config"], "write_config"),
        (["--help", "--access-url=nonsense"], "help"),
        (["-h"], "help"),
        (["--check=false"], "serve"),
    ],
)
def test_actions(flags, action):
    assert loaded(*flags).action == action


def test_a_flag_can_blank_a_default():
    assert loaded("--log-human=").settings.log_human == ""


@pytest.mark.parametrize("name", ["CODER_CONFIG_PATH", "CODERAI_CONFIG_PATH"])
def test_the_file_may_be_named_in_the_environment(name):
    files = reader({"/etc/c.yaml": "aibridge: {enabled: true}"})
    result = load([], {"HOME": "/h", name: "/etc/c.yaml"}, files)
    assert (result.settings.aibridge_enabled, result.config) == (True, "/etc/c.yaml")


def test_without_a_home_the_data_directory_must_be_given():
    with pytest.raises(BadSettings, match="HOME is not set; give --data-dir an absolute path"):
        load([], {}, reader({}))
    assert load(["--data-dir=/srv/c"], {}, reader({})).settings.data_dir == Path("/srv/c")


def test_settings_alone_read_nothing_from_their_surroundings(monkeypatch, tmp_path):
    monkeypatch.setenv("HTTP_ADDRESS", "10.0.0.1:1")
    (tmp_path / ".env").write_text("http_address=10.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    assert Settings(data_dir=tmp_path).http_address == "127.0.0.1:3000"
    assert loaded().settings.http_address == "127.0.0.1:3000"


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        loaded().settings.http_address = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("flag", "warnings"),
    [
        ("--aibridge-openai-key=k", 1),
        ("--database-url=postgresql://u:p@h/d", 1),
        ("--database-url=postgresql:///d?host=/run", 0),
        ("--database-url=sqlite:///x.db", 0),
    ],
)
def test_a_secret_on_the_command_line_is_a_warning(flag, warnings):
    result = loaded(flag)
    assert len(result.warnings) == warnings
    assert all(
        "other users of this machine can see the command line; better use CODER" in one for one in result.warnings
    )


def test_a_misspelled_variable_is_a_warning_and_a_foreign_one_is_none():
    foreign = {"CODER_AI_GATEWAY_KEY": "x", "CODER_AIBRIDGE_SOMETHING_NEWER": "x", "CODER_ACCESS_URLL": "x"}
    result = loaded(env=foreign | {"CODER_AIBRIDGE_RETENTOIN": "1d"})
    assert result.warnings == (
        'CODER_AIBRIDGE_RETENTOIN: unknown variable, ignored; did you mean "CODER_AIBRIDGE_RETENTION"?',
    )
