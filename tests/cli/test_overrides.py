"""Overrides on the command line."""

import pytest

MODELS = "/api/experimental/chats/model-configs"
CONFIG = "/api/experimental/chats/config"
OWN = f"{CONFIG}/user-personal-model-overrides"
CODEX = {"id": "0190-b", "model": "gpt-5.3-codex", "display_name": "Codex", "provider_name": "corp"}


@pytest.fixture(autouse=True)
def _models(api):
    api.put(f"GET {MODELS}", [CODEX])


def test_list(api, coderai):
    for context in ("general", "explore"):
        api.put(f"GET {CONFIG}/model-override/{context}", {"context": context, "is_set": False})
    titles = {
        "context": "title_generation",
        "is_set": True,
        "model_config_id": "0190-z",
        "unusable_reason": "it is gone",
    }
    api.put(f"GET {CONFIG}/model-override/title_generation", titles)
    own = {"enabled": False, "root": {"context": "root", "mode": "model", "model_config_id": "0190-b", "is_set": True}}
    own |= {"general": {"context": "general", "mode": "chat_default", "is_set": True}}
    own |= {"explore": {"context": "explore", "mode": "deployment_default"}}
    api.put(f"GET {OWN}", own)
    said = coderai("overrides", "list")
    assert said.out.splitlines() == [
        "FOR        CONTEXT           MODEL         STATE",
        "everybody  general                         not set",
        "everybody  explore                         not set",
        "everybody  title_generation  0190-z        it is gone",
        "you        root              Codex         set",
        "you        general           chat-default  set",
        "you        explore                         not set",
    ]
    assert "does not count here" in said.err
    assert coderai("overrides", "list", "-o", "json").json == own


@pytest.mark.parametrize(
    ("arguments", "path", "body", "text"),
    [
        (
            ["explore", "Codex"],
            f"{CONFIG}/model-override/explore",
            {"model_config_id": "0190-b"},
            "explore: Codex for everybody.\n",
        ),
        (
            ["root", "gpt-5.3-codex", "--personal"],
            f"{OWN}/root",
            {"model_config_id": "0190-b", "mode": "model"},
            "root: Codex for you.\n",
        ),
        (
            ["general", "chat-default", "--personal"],
            f"{OWN}/general",
            {"mode": "chat_default"},
            "general: chat-default for you.\n",
        ),
    ],
)
def test_set(api, coderai, arguments, path, body, text):
    api.put(f"PUT {path}", b"", 204)
    said = coderai("overrides", "set", *arguments)
    assert (said.code, said.err) == (0, text)
    assert (api.last.path, api.last.document) == (path, body)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["root", "Codex"], "there are: general, explore, title_generation"),
        (["title_generation", "Codex", "--personal"], "there are: root, general, explore"),
    ],
)
def test_contexts_that_are_not_there(api, coderai, arguments, text):
    said = coderai("overrides", "set", *arguments)
    assert said.code == 2
    assert text in said.err
    assert api.asked == []


def test_a_model_that_is_not_there(coderai):
    assert coderai("overrides", "set", "general", "nothing").code == 4


def test_clear(api, coderai):
    api.put(f"PUT {CONFIG}/model-override/general", b"", 204)
    api.put(f"DELETE {OWN}/general", b"", 204)
    assert coderai("overrides", "clear", "general").err == "general: no override any more.\n"
    assert api.last.document == {"model_config_id": ""}
    assert coderai("overrides", "clear", "general", "--personal").err == "general: no override any more for you.\n"
    assert api.last.method == "DELETE"


def test_the_gate(api, coderai):
    api.put(f"PUT {CONFIG}/personal-model-overrides", b"", 204)
    api.put(f"GET {CONFIG}/personal-model-overrides", {"allow_users": True})
    assert coderai("overrides", "allow-personal").out == "yes\n"
    assert coderai("overrides", "allow-personal", "yes").out == "yes\n"
    assert api.asked[-2].document == {"allow_users": True}
    assert coderai("overrides", "allow-personal", "maybe").code == 2


def test_which(api, coderai):
    steps = [{"layer": "deployment", "outcome": "no override is set"}, {"layer": "parent", "outcome": "the model"}]
    found = {"model_config_id": "0190-b", "display_name": "Codex", "model": "gpt-5.3-codex", "provider_name": "corp"}
    api.put(f"GET {CONFIG}/resolved-model/general", {**found, "reason": "the model of the chat", "steps": steps})
    said = coderai("overrides", "which", "general", "--user", "mia", "--parent", "Codex")
    assert said.out == "Codex (gpt-5.3-codex via corp): the model of the chat\n"
    assert said.err == "  deployment: no override is set\n"
    assert api.last.query == {"user": "mia", "parent_model_config_id": "0190-b"}


def test_which_when_there_is_none(api, coderai):
    steps = [{"layer": "default", "outcome": "no default model is set"}]
    api.put(f"GET {CONFIG}/resolved-model/root", {"reason": "no default model is set", "steps": steps})
    said = coderai("overrides", "which", "root")
    assert (said.out, said.err) == (
        "no model: no default model is set\n",
        "  default: no default model is set\n",
    )
