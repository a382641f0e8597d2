"""``coderai server`` up to the point where it serves."""

import io
import json
from pathlib import Path

import pytest

from coderai.cli.server import serve_with
from coderai.errors import StoreUnusable
from coderai.observe import logs


class Started:
    """Stands where the server would run."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.loaded = None
        self._trouble = trouble

    def __call__(self, loaded):
        self.loaded = loaded
        logs.get("test").info("serving", port=1)
        if self._trouble is not None:
            raise self._trouble
        return 0


def command(*arguments, env=None, run=None):
    out, err = io.StringIO(), io.StringIO()
    code = serve_with(list(arguments), {"HOME": "/h", **(env or {})}, run=run or Started(), out=out, err=err)
    return code, out.getvalue(), err.getvalue()


def test_it_serves_with_the_settings(tmp_path: Path):
    started = Started()
    code, out, err = command("--aibridge-enabled", f"--log-human={tmp_path / 'log'}", run=started)
    assert (code, out, err) == (0, "", "")
    assert started.loaded.settings.aibridge_enabled is True
    assert "coderai.test: serving  port=1" in (tmp_path / "log").read_text()


def test_logs_are_where_the_settings_say(tmp_path: Path):
    command("--log-human=", f"--log-json={tmp_path / 'json'}")
    assert json.loads((tmp_path / "json").read_text())["msg"] == "serving"


def test_check_says_ok_and_does_not_serve():
    started = Started()
    env = {"CODER_AIBRIDGE_OPENAI_KEY": "canary"}
    code, out, err = command("--check", env=env, run=started)
    assert (code, err, started.loaded) == (0, "", None)
    assert out.startswith("ok\n")
    assert "openai  openai  https://api.openai.com/v1/  1 key  from CODER_AIBRIDGE_OPENAI_KEY" in out
    assert "canary" not in out


def test_help_and_write_config_do_not_serve():
    started = Started()
    assert command("--help", run=started)[1].startswith("Usage: coderai server")
    assert "aibridge:" in command("--write-config", run=started)[1]
    assert started.loaded is None


def test_warnings_are_lines_on_stderr():
    code, _, err = command("--telemetry", "--check")
    assert (code, err) == (0, "warning: --telemetry: ignored: this program never phones home\n")


@pytest.mark.parametrize(
    ("arguments", "code", "err"),
    [
        (["--access-url=x"], 1, 'error: --access-url="x": the scheme is missing'),
        (["--nonsense"], 2, 'error: unknown flag "--nonsense"\nTry: coderai server --help\n'),
        (["--config=/nowhere.yaml"], 1, "error: --config /nowhere.yaml: cannot be read"),
        (["--log-human=/nowhere/log"], 1, 'error: log file "/nowhere/log" cannot be opened: No such file'),
    ],
)
def test_errors_are_one_line_and_an_exit_code(arguments, code, err):
    result = command(*arguments)
    assert result[0] == code
    assert result[2].startswith(err)


def test_a_start_that_fails_is_an_error_and_not_a_traceback():
    code, _, err = command("--log-human=", run=Started(StoreUnusable("the database is newer")))
    assert (code, err) == (1, "error: the database is newer\n")


def test_a_written_configuration_is_accepted(tmp_path: Path):
    (tmp_path / "written.yaml").write_text(command("--write-config", "--aibridge-enabled")[1])
    code, out, err = command(f"--config={tmp_path / 'written.yaml'}", "--check")
    assert (code, err) == (0, "")
    assert "gateway    on" in out


def test_check_names_the_database_without_its_password():
    _, out, err = command("--check", env={"CODERAI_DATABASE_URL": "postgresql://u:hunter2@db.example.com/coderai"})
    assert "  database   postgresql://u:…@db.example.com/coderai\n" in out
    assert "hunter2" not in out + err


def test_check_refuses_a_database_that_the_server_would_refuse():
    refused = command("--check", env={"CODERAI_DATABASE_URL": "mysql://db.example.com/coderai"})
    assert refused == (1, "", 'error: database URL: "mysql" is not known; use sqlite:///FILE or postgresql://…\n')


def test_everything_that_is_wrong_with_the_settings_is_a_line():
    code, _, err = command("--aibridge-retention=x", "--http-address=nowhere")
    assert code == 1
    assert [line.partition(": ")[2].partition(": ")[0] for line in err.splitlines()] == [
        "--aibridge-retention",
        '--http-address="nowhere"',
    ]


def test_options_that_do_not_agree_are_a_line_each():
    _, _, err = command("--http-address=", "--tls-client-auth=require-and-verify")
    assert err.splitlines() == [
        "error: nothing to listen on: --http-address is empty and --tls-enable is off",
        "error: --tls-client-auth require-and-verify needs a --tls-client-ca-file",
    ]
