"""The command as a process: quick, no traceback, well-behaved in pipes, on terminals and when interrupted."""

import contextlib
import os
import pty
import signal
import subprocess
import sys

COMMAND = [sys.executable, "-m", "coderai"]
SESSION = {
    "id": "0b6e3c1a-0000-7000-8000-000000000001",
    "initiator": {"username": "alice"},
    "client": "Codex",
    "last_active_at": "2020-05-04T09:13:00Z",
    "token_usage_summary": {"input_tokens": 18234},
    "last_prompt": "größe \x1b[2J ⏎",
}


def environment(tmp_path, **more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CODER", "LC_", "LANG"))}
    return clean | {"CODERAI_DATA_DIR": str(tmp_path), "CODERAI_CONFIG_DIR": str(tmp_path)} | more


def call(tmp_path, *arguments, **more):
    return subprocess.run(
        [*COMMAND, *arguments], env=environment(tmp_path, **more), capture_output=True, text=True, timeout=60
    )


def test_talking_to_a_url_loads_no_server():
    heavy = {"aiohttp", "sqlalchemy", "uvloop", "alembic", "cryptography", "argon2", "rich.console", "coderai.server"}
    code = f"import sys, coderai.cli.main as m; m.run(['version']); print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "coderai 0.1.0\n[]\n"


def test_a_reader_that_has_seen_enough(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "version"], env=environment(tmp_path), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode != 0


def test_a_full_disk_is_told_in_words(api, tmp_path):
    api.put("GET /api/v2/aibridge/sessions", {"count": 1, "sessions": [SESSION]})
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--url", api.url, "export", "sessions"],
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_an_encoding_that_lacks_letters(api, tmp_path):
    api.put("GET /api/v2/aibridge/sessions", {"count": 1, "sessions": [SESSION]})
    done = call(tmp_path, "--url", api.url, "sessions", "list", "--all", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "1 of 1 session.\n")
    assert "gr\\xf6\\xdfe \\x1b[2J \\u23ce" in done.stdout


def test_interrupted(api, tmp_path):
    api.waits.clear()
    process = subprocess.Popen(
        [*COMMAND, "--url", api.url, "users", "list"], env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    )
    assert api.arrived.wait(30)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    api.waits.set()
    assert (process.returncode, err) == (130, "")


def test_on_a_terminal(api, tmp_path):
    api.put("GET /api/v2/aibridge/sessions", {"count": 1, "sessions": [SESSION]})
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "--url", api.url, "--no-color", "sessions", "list", "--all"],
        env=environment(tmp_path, COLUMNS="100", TERM="xterm"),
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 10000).decode().splitlines()
    os.close(ours)
    assert done.returncode == 0
    assert shown[1].startswith("0b6e3c1a…  alice")
    assert "18.2k" in shown[1]
    assert "days ago" in shown[1]
    assert max(map(len, shown)) <= 100


def test_json_on_a_terminal_is_indented_and_harmless(api, tmp_path):
    api.put("GET /api/v2/aibridge/sessions", '{"sessions":[{"last_prompt":"a\u009bb"}]}'.encode())
    ours, theirs = pty.openpty()
    subprocess.run(
        [*COMMAND, "--url", api.url, "sessions", "list", "--all", "-o", "json"],
        env=environment(tmp_path),
        stdout=theirs,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 10000).decode()
    os.close(ours)
    assert '      "last_prompt": "a\\u009bb"' in shown.splitlines()


def answering(tmp_path, api, arguments, answers):
    """Run a command that asks on a terminal; give its exit code and what it printed.

    In a session of its own: a password is asked for on the controlling terminal, and that is not the developer's.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--url", api.url, *arguments],
        env=environment(tmp_path),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for question, answer in answers:
        while question not in shown.rpartition(b"\n")[2]:
            shown += os.read(ours, 1000)
        os.write(ours, answer + b"\n")
        shown += b"\n"
    with contextlib.suppress(OSError):  # the other side is closed when the command has ended
        while more := os.read(ours, 1000):
            shown += more
    os.close(ours)
    return process.wait(30), shown.decode()


def test_what_is_missing_is_asked_for(api, tmp_path):
    api.put("POST /api/v2/users", {"id": "1", "username": "alice"}, 201)
    questions = [
        (b"Username: ", b"alice"),
        (b"E-mail: ", b"a@example.com"),
        (b"Password: ", b"correct horse"),
        (b"Repeat for confirmation: ", b"correct horse"),
    ]
    code, shown = answering(tmp_path, api, ["users", "create"], questions)
    assert code == 0
    assert "User alice created" in shown
    assert "correct horse" not in shown
    assert api.last.document["password"] == "correct horse"
    assert api.last.document["email"] == "a@example.com"


def test_a_model_is_asked_for(api, tmp_path):
    providers = [{"id": "p-1", "type": "openai", "name": "corp"}, {"id": "p-2", "type": "anthropic", "name": "claude"}]
    api.put("GET /api/v2/ai/providers", providers)
    api.put("POST /api/experimental/chats/model-configs", {"id": "1", "display_name": "gpt-5"}, 201)
    questions = [
        (b"Provider (corp, claude): ", b"corp"),
        (b"Model (what the provider calls it): ", b"gpt-5"),
        (b"Display name [gpt-5]: ", b""),
        (b"Context limit (tokens, for example 200k): ", b"400k"),
    ]
    code, shown = answering(tmp_path, api, ["models", "add"], questions)
    assert (code, "Model gpt-5 registered" in shown) == (0, True)
    asked = ("ai_provider_id", "model", "display_name", "context_limit")
    assert [api.last.document[name] for name in asked] == ["p-1", "gpt-5", "gpt-5", 400_000]


def test_a_no_removes_nothing(api, tmp_path):
    api.put("GET /api/v2/users/me/keys/tokens", [{"id": "A", "token_name": "x", "username": "u"}])
    code, shown = answering(tmp_path, api, ["tokens", "remove", "x"], [(b"Remove token x (A) of u? [y/N]: ", b"n")])
    assert code == 1
    assert "aborted" in shown
    assert api.last.method == "GET"


def test_who_signs_in_is_asked_for_email_and_password(api, tmp_path):
    api.put("GET /api/v2/users/authmethods", {"password": {"enabled": True}})
    api.put("POST /api/v2/users/login", {"session_token": "WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"}, 201)
    api.put("GET /api/v2/users/me", {"id": "1", "username": "alice"})
    questions = [(b"E-mail (empty: sign in with a token): ", b"a@example.com"), (b"Password: ", b"correct horse")]
    code, shown = answering(tmp_path, api, ["login"], questions)
    assert (code, f"Signed in to {api.url} as alice." in shown) == (0, True)
    assert "correct horse" not in shown


def test_who_has_no_password_pastes_a_token(api, tmp_path):
    api.put("GET /api/v2/users/authmethods", {"password": {"enabled": True}})
    api.put("GET /api/v2/users/me", {"id": "1", "username": "alice"})
    token = b"WuoWs4ZsMX-7hQ2mB9xTzLr4KpVd1NcYe"
    code, shown = answering(tmp_path, api, ["login"], [(b"sign in with a token): ", b""), (b"Token: ", token)])
    assert (code, token.decode() in shown) == (0, False)
    assert api.last.headers["Coder-Session-Token"] == token.decode()


def test_a_shell_is_told_what_could_stand_here(tmp_path):
    asked = {"COMP_WORDS": "coderai users sus", "COMP_CWORD": "2", "_CODERAI_COMPLETE": "complete_bash"}
    done = subprocess.run(COMMAND, env=environment(tmp_path, **asked), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "suspend\n")
