"""``coderai demo`` as a newcomer runs it: a real server, real records, real output."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.end_to_end import processes

COMMAND = [sys.executable, "-m", "coderai"]


def environment(tmp_path):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CODER")}
    return clean | {"CODERAI_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "TERM": "dumb"}


def call(tmp_path, *arguments):
    own = {"CODERAI_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "TERM": "dumb"}
    done = asyncio.run(processes.coderai(*arguments, **own))
    assert "Traceback" not in done.err
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A demonstration that stays up, its data directory, and the command that it says to try with a token."""
    tmp_path = tmp_path_factory.mktemp("demo")
    process = subprocess.Popen(
        [*COMMAND, "demo"], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Ctrl-C"):
            break
    text = "".join(lines)
    data_dir = re.search(r"--data-dir (\S+)", text).group(1)
    remote = re.search(r"--url \S+ --token \S+", text).group(0).split()
    yield tmp_path, data_dir, remote
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
    assert not os.path.exists(data_dir)


def test_it_can_leave_at_once(tmp_path):
    command = [*COMMAND, "demo", "--once"]  # a process that begins anew, as one would
    out = subprocess.run(command, env=environment(tmp_path), stdout=subprocess.PIPE, text=True, check=True).stdout
    for client in ("Claude Code", "Codex", "Coder Agents"):
        assert client in out
    assert "--data-dir" not in out  # what it would name is gone
    assert list(tmp_path.iterdir()) == []


def test_as_json_it_prints_one_document(tmp_path):
    assert json.loads(call(tmp_path, "demo", "--once", "-o", "json"))["count"] == 3


@pytest.fixture(params=["local", "remote"])
def coderai(request, running):
    """The command against the demonstration, over its private socket and over HTTP with a token."""
    tmp_path, data_dir, remote = running
    target = ["--data-dir", data_dir] if request.param == "local" else remote
    return lambda *arguments: call(tmp_path, *target, *arguments)


def test_a_filter_shows_exactly_its_sessions(coderai):
    [session] = json.loads(coderai("sessions", "list", "--client", "Coder Agents", "-o", "json"))["sessions"]
    assert session["client"] == "Coder Agents"
    assert session["initiator"]["username"] == "coder-bot"
    assert session["threads"] == 2
    assert session["providers"] == ["anthropic", "openai"]
    assert session["token_usage_summary"] == {
        "input_tokens": 3318 + 410 + 1207 + 1512,
        "output_tokens": 97 + 73 + 151 + 39,
        "cache_read_input_tokens": 3200,
        "cache_write_input_tokens": 0,
    }


def test_a_session_shows_what_was_sent(coderai):
    [session] = json.loads(coderai("sessions", "list", "--initiator", "alice", "-o", "json"))["sessions"]
    shown = coderai("sessions", "show", session["id"])
    assert shown.count("Thread ") == 2
    assert "prompt    Fix the flaky login test" in shown
    assert "thinking  A flaky test usually waits for the wrong thing. I should read it first." in shown
    assert 'tool      Bash {"command":"pytest tests/test_login.py -q --count 50","timeout":120000}' in shown
    assert "step 1    1840 in / 140 out (cache 0 read, 9216 written)" in shown
    assert "system-reminder" not in shown


def test_free_text_of_a_tool_is_shown_line_by_line(coderai):
    [session] = json.loads(coderai("sessions", "list", "--client", "Codex", "-o", "json"))["sessions"]
    assert "+@limited(per_second=10)" in coderai("sessions", "show", session["id"])


def test_interceptions(coderai):
    rows = json.loads(coderai("interceptions", "list", "-o", "json"))
    assert len(rows) == 12
    shown = coderai("interceptions", "show", rows[0]["id"])
    assert "complete" in shown


def test_users_and_tokens(coderai):
    users = json.loads(coderai("users", "list", "-o", "json"))
    assert {"admin", "alice", "bob", "coder-bot"} <= {user["username"] for user in users}
    token = coderai("tokens", "create", "--user", "alice", "--name", "for-a-while").strip()
    assert re.fullmatch(r"[A-Za-z0-9]{10}-[A-Za-z0-9]{22}", token)
    assert "for-a-while" in coderai("tokens", "list", "-a")
    coderai("tokens", "remove", token, "--yes")
    assert "for-a-while" not in coderai("tokens", "list", "-a")
