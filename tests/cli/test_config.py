"""``coderai config``: what is in force, from where, and never a secret."""

import json

import pytest

from coderai.cli.main import run
from coderai.settings.model import table

SECRETS = {
    "CODER_AIBRIDGE_OPENAI_KEY": "sk-in-the-environment",
    "CODERAI_DATABASE_URL": "postgresql://me:hidden-word@db.example.com/coderai",
    "CODER_AIBRIDGE_RETENTION": "90d",
}


@pytest.fixture
def said(alone, capfd, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["config", *arguments])
        out, err = capfd.readouterr()
        assert not [secret for secret in ("sk-in-the", "hidden-word") if secret in out + err]
        return code, out, err

    return call


def test_show_names_what_differs_with_its_source(said, tmp_path):
    file = tmp_path / "coderai.yaml"
    file.write_text("aibridge:\n  enabled: true\n")
    code, out, _ = said("show", "--config", str(file), "--", "--aibridge-max-retries=7")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert code == 0
    assert rows["--aibridge-retention"] == ["90d", "CODER_AIBRIDGE_RETENTION"]
    assert rows["--aibridge-max-retries"] == ["7", "--aibridge-max-retries"]
    assert rows["--aibridge-enabled"] == ["true", f"{file}:", "aibridge.enabled"]
    assert rows["--database-url"] == ["set", "CODERAI_DATABASE_URL"]
    assert rows["--aibridge-openai-key"] == ["set", "CODER_AIBRIDGE_OPENAI_KEY"]
    assert rows["openai"][-3:] == ["set", "(1)", "CODER_AIBRIDGE_OPENAI_KEY"]
    assert "--http-address" not in rows


def test_show_all_names_every_option(said):
    _, out, _ = said("show", "--all", "-o", "json")
    document = json.loads(out)
    assert [each["flag"] for each in document["options"]] == [row.flag for row in table().values()]
    by_name = {each["name"]: each for each in document["options"]}
    assert by_name["http_address"] == {
        "name": "http_address",
        "flag": "--http-address",
        "value": "127.0.0.1:3000",
        "secret": False,
        "source": "default",
    }
    assert document["providers"][0]["credentials"] == "set (1)"


def test_mistakes_are_named_once(said):
    code, out, err = said("show", "--", "--aibridge-retention=1x")
    assert (code, out, err.count("1x")) == (1, "", 1)


def test_check_says_what_would_run(said):
    code, out, _ = said("check")
    assert (code, out.splitlines()[0], "providers  1" in out) == (0, "ok", True)
    assert json.loads(said("check", "-o", "json")[1]) == {"ok": True, "warnings": []}
    assert said("check", "--", "--tls-enable")[0] == 1


def test_a_server_is_not_asked(said):
    code, _, err = said("show", "--url", "http://127.0.0.1:1")
    assert (code, "does not tell its settings" in err) == (2, True)


@pytest.mark.parametrize("form", [(), ("--markdown",), ("-o", "json")])
def test_options_are_complete_in_every_form(said, form):
    _, out, _ = said("options", *form)
    assert not [row.flag for row in table().values() if row.flag not in out]
    variables = (name for row in table().values() for name in row.option.variables[: 2 if form else 1])
    assert not [name for name in variables if name not in out]


def test_the_markdown_has_cells_that_fit(said):
    lines = said("options", "--markdown")[1].splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    assert len(rows) == len(table())
    assert {line.replace("\\|", "").count("|") for line in rows} == {6}
