"""Secrets that the environment gives by the name of a file."""

import pytest

from coderai.errors import BadSettings
from coderai.settings.model import table
from coderai.settings.secretfiles import with_files_read
from tests.settings.loading import PREFIX, indexed, loaded, reader

SECRETS = [name for row in table().values() if row.form.secret for name in row.option.variables]
KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="


@pytest.mark.parametrize("variable", SECRETS)
def test_every_variable_with_a_secret_has_a_form_for_files(variable: str):
    assert with_files_read({f"{variable}_FILE": "f", "X": "y"}, reader({"f": "it\n"})) == {variable: "it", "X": "y"}


def test_no_other_option_is_spelled_like_one():
    every = {name for row in table().values() for name in row.option.variables}
    assert every.isdisjoint(f"{name}_FILE" for name in SECRETS)


def test_a_server_takes_everything_from_files():
    one = loaded(
        env={
            "CODERAI_DATABASE_URL_FILE": "database",
            "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS_FILE": "keys",
            "CODER_AIBRIDGE_OPENAI_KEY_FILE": "openai",
            **indexed("0_TYPE=anthropic", "0_KEYS_FILE=anthropic", "0_NAME=corp"),
        },
        database="postgresql://a:b@db/coderai\n",
        keys=f"{KEY}\n{KEY[::-1][1:]}=\n",
        openai="sk-openai\n",
        anthropic="one\ntwo\n",
    ).settings
    assert one.database == "postgresql://a:b@db/coderai"
    assert one.external_token_encryption_keys.get_secret_value() == f"{KEY},{KEY[::-1][1:]}="
    assert {each.name: list(each.keys) for each in one.providers} == {
        "openai": ["sk-openai"],
        "corp": ["one", "two"],
    }


@pytest.mark.parametrize("what", ["KEY", "KEYS", "BEDROCK_ACCESS_KEY", "BEDROCK_ACCESS_KEY_SECRETS"])
@pytest.mark.parametrize("prefix", [PREFIX, "CODER_AI_GATEWAY_PROVIDER_", PREFIX.lower().replace("coder_", "CODER_")])
def test_keys_of_numbered_providers(prefix: str, what: str):
    assert with_files_read({f"{prefix}3_{what}_FILE": "f"}, reader({"f": "k"})) == {f"{prefix}3_{what}": "k"}


@pytest.mark.parametrize(
    ("environ", "files", "text"),
    [
        (
            {"CODERAI_DATABASE_URL_FILE": "gone"},
            {},
            "CODERAI_DATABASE_URL_FILE: gone cannot be read: No such file or directory",
        ),
        ({"CODERAI_DATABASE_URL_FILE": "f"}, {"f": " \n"}, "CODERAI_DATABASE_URL_FILE: f is empty"),
        (
            {"CODERAI_DATABASE_URL_FILE": "f"},
            {"f": "a\nb"},
            "CODERAI_DATABASE_URL_FILE: f holds several lines; it should hold one secret",
        ),
        (
            {"CODERAI_DATABASE_URL_FILE": "f", "CODERAI_DATABASE_URL": "g"},
            {"f": "a"},
            "CODERAI_DATABASE_URL and CODERAI_DATABASE_URL_FILE are both set; use one of them",
        ),
    ],
)
def test_what_is_wrong_is_said(environ: dict[str, str], files: dict[str, str], text: str):
    with pytest.raises(BadSettings) as caught:
        with_files_read(environ, reader(files))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "name", ["SSL_CERT_FILE", "CODER_TLS_KEY_FILE", "CODER_AI_GATEWAY_KEY_FILE", "CODER_HTTP_ADDRESS_FILE"]
)
def test_other_files_are_left_alone(name: str):
    environ = {name: "somewhere"}
    assert with_files_read(environ, reader({})) == environ


def test_an_empty_name_is_none():
    assert not loaded(env={"CODERAI_DATABASE_URL_FILE": ""}).settings.database_url.get_secret_value()
