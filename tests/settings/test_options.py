"""The table of options keeps its own rules."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

import coderai
from coderai.settings import Settings
from coderai.settings.flags import ACTIONS
from coderai.settings.model import table
from coderai.settings.options import GROUPS
from tests.settings.loading import loaded

ROWS = list(table().values())
PACKAGE = Path(coderai.__file__).parent
SOURCES = {
    str(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py") if path.parent.name != "settings"
}
VALUES = {
    "bool": ("true", True),
    "int": ("7", 7),
    "string": ("x", "x"),
    "string-array": ("10.0.0.0/8,::/0", ("10.0.0.0/8", "::/0")),
    "url": ("https://x.example/y", "https://x.example/y"),
    "host:port": ("localhost:99", "localhost:99"),
    "duration": ("9m", timedelta(minutes=9)),
    "path": ("/srv/x", None),
    "secret": ("x", None),
}
CHOSEN = {
    "tls_min_version": "tls13",
    "tls_client_auth": "require-and-verify",
    "strict_transport_security_options": "preload",
    "database_synchronous": "normal",
    "samesite_auth_cookie": "none",
    "aibridge_proxy_tunnels": "allowlist",
    "aibridge_proxy_tunnel_allowlist": "github.com,*.github.com",
    "aibridge_proxy_tunnel_ports": "443,8443",
    "aibridge_proxy_outside_paths": "pass",
    "ai_budget_policy": "highest",
    "ai_budget_period": "month",
    "external_token_encryption_keys": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
}
NEEDED = {
    "aibridge_bedrock_access_key": ["--aibridge-bedrock-access-key-secret=x"],
    "aibridge_bedrock_access_key_secret": ["--aibridge-bedrock-access-key=x"],
    "aibridge_proxy_enabled": ["--aibridge-enabled"],
    "tls_client_auth": ["--tls-client-ca-file=x"],
    "redirect_to_access_url": ["--access-url=https://x.example"],
}
TLS = {"tls_enable", "tls_cert_file", "tls_key_file"}


def names(kind):
    return [name for row in ROWS for name in getattr(row.option, kind)]


@pytest.mark.parametrize("kind", ["flags", "variables", "yaml"])
def test_no_spelling_is_used_twice(kind):
    assert [name for name, count in Counter(names(kind)).items() if count > 1] == []


def test_no_flag_is_an_action():
    assert not {*ACTIONS, "config"} & set(names("flags"))


def test_yaml_keys_are_no_groups_of_others():
    keys = names("yaml")
    assert not [key for key in keys for other in keys if other.startswith(key + ".")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_names_follow_from_each_other(row):
    assert row.option.flags[0].replace("-", "_") == row.name
    assert row.option.group in GROUPS
    assert all(re.fullmatch(r"CODER(AI)?_[A-Z_]+", name) for name in row.option.variables)
    assert row.option.help.endswith(".")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_both_names_of_the_gateway_work_everywhere(row):
    for kind, old, new in (
        ("flags", "aibridge-", "ai-gateway-"),
        ("variables", "CODER_AIBRIDGE_", "CODER_AI_GATEWAY_"),
        ("yaml", "aibridge.", "ai_gateway."),
        ("yaml", "aibridgeproxy.", "ai_gateway_proxy."),
    ):
        spellings = getattr(row.option, kind)
        assert {name.replace(old, new) for name in spellings if name.startswith(old)} <= set(spellings)
    assert row.option.twins == row.option.flags[0].startswith(("aibridge-", "ai-"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_secrets_are_not_in_yaml(row):
    assert row.form.secret == (not row.option.yaml)


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in TLS], ids=lambda row: row.name)
def test_every_flag_and_variable_sets_its_option(row):
    text = CHOSEN.get(row.name, VALUES[row.form.name][0])
    more = NEEDED.get(row.name, [])
    by_flag = [loaded(f"--{flag}={text}", *more) for flag in row.option.flags]
    by_variable = [loaded(*more, env={variable: text}) for variable in row.option.variables]
    results = {str(getattr(one.settings, row.name)) for one in by_flag + by_variable}
    assert len(results) == 1
    assert {one.source(row.name).kind for one in by_flag} == {"flag"}
    assert {one.source(row.name).kind for one in by_variable} == {"environment"}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.option.yaml and row.name not in TLS], ids=lambda row: row.name
)
def test_every_yaml_key_sets_its_option(row):
    text = CHOSEN.get(row.name, VALUES[row.form.name][0])
    results = [loaded(*NEEDED.get(row.name, []), yaml=nested(key, text)) for key in row.option.yaml]
    assert {one.source(row.name).kind for one in results} == {"yaml"}
    assert len({str(getattr(one.settings, row.name)) for one in results}) == 1


def nested(key, text):
    return (
        "".join(f"{name}: {{" for name in key.split(".")[:-1])
        + f"{key.split('.')[-1]}: '{text}'"
        + "}" * key.count(".")
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_defaults_are_what_their_own_check_allows(row):
    shown = row.default.get_secret_value() if row.form.secret else row.default
    checked = getattr(Settings(**{row.name: shown}), row.name)
    assert checked == row.default


def test_no_option_is_forgotten():
    assert {*table(), "providers"} == set(Settings.model_fields)


LEGACY = re.compile("aibridge_(openai|anthropic|bedrock)_")


@pytest.mark.parametrize("row", [row for row in ROWS if not LEGACY.match(row.name)], ids=lambda row: row.name)
def test_an_option_has_an_effect_or_says_that_it_has_none(row):
    readers = [name for name, text in SOURCES.items() if re.search(rf"\.{row.name}\b", text)]
    assert bool(readers) != bool(row.option.note)
