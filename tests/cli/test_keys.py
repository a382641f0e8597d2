"""Personal keys on the command line: three states, and a key that comes from everywhere but goes one way."""

import io

import pytest

PATH = "/api/v2/users/me/ai-provider-keys"


def standing(name: str, *, user: bool = False, provider: bool = False, byok: bool = True, enabled: bool = True):
    shown = {"id": "0190", "type": "openai", "name": name, "display_name": "", "enabled": enabled, "deleted": False}
    return {
        "provider": shown,
        "has_user_api_key": user,
        "has_provider_api_key": provider,
        "byok_enabled": byok,
    }


def test_list_shows_three_states(api, coderai):
    both, central, none = standing("a", user=True, provider=True), standing("b", provider=True), standing("c")
    api.put(f"GET {PATH}", [both, central, none, standing("d", user=True, enabled=False)])
    assert coderai("keys", "list").out.splitlines() == [
        "PROVIDER  TYPE    STATE",
        "a         openai  Key saved",
        "b         openai  Using shared key",
        "c         openai  No key",
        "d         openai  Key saved (provider is disabled)",
    ]


def test_while_they_are_off_a_saved_key_does_not_count_and_the_list_says_so(api, coderai):
    api.put(f"GET {PATH}", [standing("a", user=True, byok=False), standing("b", user=True, provider=True, byok=False)])
    said = coderai("keys", "list")
    assert [line.split("  ")[-1].strip() for line in said.out.splitlines()] == ["STATE", "No key", "Using shared key"]
    assert "switched off on this gateway" in said.err


def test_json_is_the_document_of_the_api(api, coderai):
    api.put(f"GET {PATH}", [standing("a")])
    assert coderai("keys", "list", "-o", "json").json == [standing("a")]


@pytest.mark.parametrize("form", ["file", "variable", "stdin", "line"])
def test_a_key_is_taken_from_anywhere_and_never_said(api, coderai, tmp_path, monkeypatch, form):
    (tmp_path / "mine.key").write_text("sk-mine\n")
    monkeypatch.setenv("MINE", "sk-mine")
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-mine\n"))
    api.put(f"PUT {PATH}/corp", standing("corp", user=True))
    options = {
        "file": ("--key-file", str(tmp_path / "mine.key")),
        "variable": ("--key-env", "MINE"),
        "stdin": ("--key-file", "-"),
        "line": ("--key", "sk-mine"),
    }
    said = coderai("keys", "set", "corp", *options[form])
    assert (said.code, said.out, api.last.document) == (0, "corp: Key saved\n", {"api_key": "sk-mine"})
    assert "sk-mine" not in said.out + said.err
    assert ("can be seen by others" in said.err) == (form == "line")


def test_another_user_is_named(api, coderai):
    api.put("PUT /api/v2/users/bot/ai-provider-keys/corp", standing("corp", user=True))
    assert coderai("keys", "set", "corp", "--key", "sk-1", "-u", "bot").code == 0


def test_without_a_key_and_a_person_the_options_are_named(api, coderai):
    said = coderai("keys", "set", "corp")
    assert (said.code, "--key-file" in said.err, api.asked) == (2, True, [])
    twice = coderai("keys", "set", "corp", "--key", "a", "--key-file", "/dev/null", "--key-env", "HOME")
    assert twice.code != 0


def test_what_the_server_refuses_is_said(api, coderai):
    refusal = {"message": "You are not allowed to do this.", "detail": "keys of one's own are switched off"}
    api.put(f"PUT {PATH}/corp", refusal, 403)
    said = coderai("keys", "set", "corp", "--key", "sk-1")
    assert (said.code, "switched off" in said.err) == (3, True)
    assert "no provider 'none'" in coderai("keys", "set", "none", "--key", "sk-1").err


def test_remove(api, coderai):
    api.put(f"DELETE {PATH}/corp", b"", 204)
    assert coderai("keys", "remove", "corp").code == 2  # nobody here to confirm
    said = coderai("keys", "remove", "corp", "-y")
    assert (said.code, said.err) == (0, "Key for corp removed.\n")
    assert coderai("keys", "rm", "none", "-y").code == 4
