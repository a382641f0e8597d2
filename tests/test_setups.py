"""Every tool of the table, for every family it speaks to, with the central key and with an own one."""

import ast
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from coderai.clients import NAMED
from coderai.setups import CANNOT, SETUPS, Place, Setup, Snippet, find
from coderai.setups.proxied import PROXIED
from coderai.setups.snippets import CLIENT_HEADER, OWN_KEY, TOKEN, TOKEN_HEADER, shell

ROOT = "https://gateway.example.com/api/v2/aibridge"
WAYS = [
    pytest.param(setup, family, byok, id=f"{setup.name}-{family}-{'own' if byok else 'central'}")
    for setup in SETUPS
    for family in setup.families
    for byok in (False, True)
    if (setup.byok if byok else setup.central)
]
EVERY_WAY = pytest.mark.parametrize(("setup", "family", "byok"), WAYS)
WITHOUT_V1 = {
    "aider-anthropic",
    "anthropic-sdk-anthropic",
    "claude-agent-sdk-anthropic",
    "claude-code-anthropic",
    "coder-agents-anthropic",
    "copilot-cli-anthropic",
    "crush-anthropic",
    "factory-anthropic",
    "langchain-anthropic",
    "litellm-anthropic",
    "llm-anthropic",
    "pi-anthropic",
    "roo-anthropic",
    "zed-anthropic",
}
"""Everything else wants the ``/v1`` in the base URL."""


def written(setup: Setup, family: str, byok: bool, **choices: str) -> Snippet:
    return setup.write(Place(ROOT, "corp", family, byok, **choices))


def parsed(snippet: Snippet) -> Any:
    match snippet.form:
        case "sh":
            return subprocess.run(["sh", "-n"], input=snippet.text, text=True, check=True, capture_output=True)
        case "json":
            return json.loads(snippet.text)
        case "toml":
            return tomllib.loads(snippet.text)
        case "yaml":
            return yaml.safe_load(snippet.text)
        case "python":
            return ast.parse(snippet.text)
        case "javascript" | "text":
            return snippet.text
    raise AssertionError(snippet.form)


@EVERY_WAY
def test_it_parses_and_ends_with_a_line(setup: Setup, family: str, byok: bool) -> None:
    snippet = written(setup, family, byok)
    assert parsed(snippet)
    assert snippet.text.endswith("\n")
    assert not snippet.text.endswith("\n\n")


@EVERY_WAY
def test_it_names_the_address_of_the_provider(setup: Setup, family: str, byok: bool) -> None:
    text = written(setup, family, byok).text
    with_v1 = f"{ROOT}/corp/v1" in text
    assert f"{ROOT}/corp" in text
    assert with_v1 == (f"{setup.name}-{family}" not in WITHOUT_V1)


@EVERY_WAY
def test_the_token_is_a_variable_that_is_named(setup: Setup, family: str, byok: bool) -> None:
    snippet = written(setup, family, byok)
    by_hand = "Enter the gateway token" in snippet.then or "asks for the API key" in snippet.then
    assert TOKEN[1:] in snippet.text or TOKEN in snippet.then or by_hand


@EVERY_WAY
def test_an_own_key_goes_beside_the_token_in_its_header(setup: Setup, family: str, byok: bool) -> None:
    text = written(setup, family, byok).text
    assert (TOKEN_HEADER in text) == byok
    assert byok or OWN_KEY[1:] not in text


@EVERY_WAY
def test_the_chosen_model_is_written_down_where_there_is_a_place(setup: Setup, family: str, byok: bool) -> None:
    snippet = written(setup, family, byok, chosen_model="my-model")
    places = snippet.text + snippet.then
    without = {"coder-agents", "mux", "zed", "jetbrains", "cursor", "anthropic-sdk", "openai-sdk", "ai-sdk", "llm"}
    assert "my-model" in places or setup.name in without


@EVERY_WAY
def test_a_file_says_where_it_belongs(setup: Setup, family: str, byok: bool) -> None:
    snippet = written(setup, family, byok)
    assert bool(snippet.file) == (snippet.form in ("json", "toml", "yaml"))


@EVERY_WAY
def test_a_tool_that_shows_no_name_is_given_one_we_know(setup: Setup, family: str, byok: bool) -> None:
    text = written(setup, family, byok).text
    names = {"cline": "cline", "continue": "continue", "copilot-cli": "copilot-cli", "pi": "pi"}
    assert (CLIENT_HEADER in text) == (setup.name in names)
    assert setup.name not in names or names[setup.name] in NAMED


def test_names_are_told_apart_and_lead_to_their_row() -> None:
    names = [name for setup in (*SETUPS, *PROXIED) for name in (setup.name, *setup.others)]
    assert len(names) == len(set(names))
    assert not set(names) & set(CANNOT)
    assert [find(name).name for name in ("Droid", " claude ", "vercel-ai-sdk")] == ["factory", "claude-code", "ai-sdk"]
    assert find("windsurf") is None


def test_what_is_said_to_be_tried_is_run_by_the_script() -> None:
    folder = Path(__file__).parents[1] / "scripts" / "real_tools.d"
    rows = "".join((folder / name).read_text() for name in ("tools.py", "libraries.py", "proxied.py"))
    tried = [setup for setup in (*SETUPS, *PROXIED) if setup.tried]
    assert [setup.name for setup in tried if setup.tried not in rows] == []
    assert [setup.name for setup in tried if f'"{setup.name}"' not in rows] == []


HOSTILE = 'a"b`touch x`$(touch y)$HOME\\n'


def test_the_shell_expands_nothing_but_the_two_variables(tmp_path) -> None:
    snippet = shell({"ADDRESS": HOSTILE, "BOTH": f"{HOSTILE}{TOKEN}|{OWN_KEY}|{HOSTILE}$CODER_TOKENS"})
    script = snippet.text + 'printf "%s\\n" "$ADDRESS" "$BOTH"'
    environ = {"CODER_TOKEN": "t$(x)", "PROVIDER_KEY": "k", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run(["sh"], input=script, text=True, check=True, capture_output=True, env=environ, cwd=tmp_path)
    assert ran.stdout.splitlines() == [HOSTILE, f"{HOSTILE}t$(x)|k|{HOSTILE}$CODER_TOKENS"]
    assert list(tmp_path.iterdir()) == []


def test_evaluated_without_a_token_it_stops_and_says_what_to_do(tmp_path) -> None:
    text = written(find("claude-code"), "anthropic", False).text + "echo went on"
    ran = subprocess.run(["sh"], input=text, text=True, capture_output=True, env={}, check=False)
    assert (ran.returncode != 0, ran.stdout) == (True, "")
    assert "CODER_TOKEN: is not set; make a token with: coderai tokens create" in ran.stderr


@EVERY_WAY
def test_a_hostile_model_stays_a_string(setup: Setup, family: str, byok: bool) -> None:
    parsed(written(setup, family, byok, chosen_model=HOSTILE))
