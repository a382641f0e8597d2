"""``coderai doctor``: what is wrong is said, and how to mend it."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest

from coderai.cli.main import run
from tests.server.authority import DAY, Authority


@pytest.fixture
def data(alone, tmp_path, capfd):
    """A data directory as the first command leaves it."""
    assert run(["users", "list"]) == 0
    capfd.readouterr()
    return tmp_path / "data"


@pytest.fixture
def examined(capfd):
    def call(*arguments: str) -> tuple[int, list[tuple[str, str, str]]]:
        code = run(["doctor", "-o", "json", *arguments])
        return code, [(each["state"], each["what"], each["text"]) for each in json.loads(capfd.readouterr().out)]

    return call


def write(data, statement, *values):
    connection = sqlite3.connect(data / "coderai.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


def of(verdicts, what):
    return [(state, text) for state, name, text in verdicts if name == what]


def test_a_healthy_one_says_ok(data, capfd):
    assert run(["doctor", "--offline"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "settings"],
        ["ok", "data"],
        ["ok", "database"],
        ["warn", "servers"],
        ["ok", "records"],
        ["ok", "secrets"],
    ]


def test_a_file_in_place_of_the_directory_is_told(alone, examined, tmp_path):
    (tmp_path / "data").write_text("")
    code, verdicts = examined("--offline")
    assert (code, of(verdicts, "data")) == (1, [("fail", f"{tmp_path}/data is no directory")])


def test_nothing_is_made_by_looking(alone, examined, tmp_path):
    code, verdicts = examined("--offline")
    assert (code, [state for state, _, _ in verdicts]) == (0, ["ok", "warn", "warn"])
    assert not (tmp_path / "data").exists()


def test_a_key_that_others_can_read_is_wrong_until_it_is_mended(data, examined):
    (data / "secret.key").chmod(0o644)
    code, verdicts = examined("--offline")
    assert code == 1
    assert "chmod 600" in of(verdicts, "data")[0][1]
    assert examined("--offline", "--fix")[0] == 0
    assert (data / "secret.key").stat().st_mode & 0o777 == 0o600


def test_settings_that_cannot_be_read_are_said(alone, examined, monkeypatch):
    monkeypatch.setenv("CODER_AIBRIDGE_RETENTION", "soon")
    code, ((state, what, text),) = examined()
    assert (code, state, what) == (1, "fail", "settings")
    assert "CODER_AIBRIDGE_RETENTION" in text


def test_an_old_schema_is_not_migrated_by_looking(data, examined):
    write(data, "UPDATE alembic_version SET version_num = '0001'")
    code, verdicts = examined("--offline")
    assert (code, of(verdicts, "database")[0][0]) == (0, "warn")
    assert "coderai db migrate" in of(verdicts, "database")[0][1]
    assert examined("--offline")[1] == verdicts


def test_a_lost_key_is_said(data, examined):
    write(
        data,
        "INSERT INTO ai_providers (id, name, created_at, updated_at, settings, settings_key_id) VALUES (?,?,0,0,?,?)",
        *("p", "mine", "sealed", "abcd"),
    )
    code, verdicts = examined("--offline")
    assert code == 1
    assert "encrypted with the key abcd" in of(verdicts, "database")[-1][1]


def test_what_should_be_gone_or_closed_is_said(data, examined):
    write(
        data,
        "INSERT INTO aibridge_interceptions (id, initiator_id, session_id, started_at) VALUES (?,?,?,?)",
        *("i", "u", "s", 1),
    )
    _, verdicts = examined("--offline")
    assert "coderai retention run" in of(verdicts, "retention")[0][1]
    assert of(verdicts, "records")[0][1].startswith("1 exchanges were left open")


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def provider(monkeypatch):
    """Configure one."""

    def configure(url: str, key: str = "sk-0123456789", **more: str) -> None:
        given = {"TYPE": "openai", "NAME": "mine", "BASE_URL": url, "KEY": key}
        for name, value in given.items():
            monkeypatch.setenv(f"CODER_AIBRIDGE_PROVIDER_0_{name}", value)
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in more.items():
            monkeypatch.setenv(name, value)

    return configure


def test_a_provider_that_answers(data, api, examined, provider):
    provider(api.url + "/v1")
    code, verdicts = examined()
    assert (code, of(verdicts, "mine")) == (0, [("ok", f"{api.url[7:]} answers, without TLS")])
    assert api.asked == []


def test_a_provider_that_does_not(data, examined, provider):
    port = closed_port()
    provider(f"http://127.0.0.1:{port}/v1")
    code, verdicts = examined()
    assert (code, of(verdicts, "mine")) == (1, [("fail", f"127.0.0.1:{port} cannot be reached: Connection refused")])


def test_a_provider_without_tls_where_some_is_expected(data, api, examined, provider):
    provider(api.url.replace("http:", "https:"))
    code, verdicts = examined()
    assert (code, of(verdicts, "mine")[0][1].partition(": ")[2][:19]) == (1, "its TLS certificate")


def test_a_provider_behind_a_proxy_is_not_tried(data, examined, provider):
    provider("https://ai.example.com/v1", HTTPS_PROXY="http://127.0.0.1:1")
    assert "through a proxy" in of(examined()[1], "mine")[0][1]


def test_a_provider_that_nobody_can_use(data, api, examined, provider):
    provider(api.url, key="", CODER_AIBRIDGE_ALLOW_BYOK="false")
    code, verdicts = examined()
    assert (code, of(verdicts, "mine")[0]) == (1, ("fail", "it has no key, and users may not bring their own"))


def test_the_address_is_tried(data, api, examined):
    api.put("GET /readyz", b"OK")
    assert of(examined("--", f"--access-url={api.url}")[1], "address") == [("ok", f"{api.url}/readyz answers 200")]
    api.put("GET /readyz", b"no", 503)
    code, verdicts = examined("--", f"--access-url={api.url}")
    assert (code, of(verdicts, "address")) == (1, [("fail", f"{api.url}/readyz answers 503")])


@pytest.fixture
def authority(alone, tmp_path, capfd, monkeypatch):
    """A proxy with a CA, as `coderai proxy ca create` makes one."""

    def make(*arguments: str) -> Path:
        assert run(["proxy", "ca", "create", *arguments]) == 0
        monkeypatch.setenv("CODER_AIBRIDGE_ENABLED", "true")
        monkeypatch.setenv("CODER_AIBRIDGE_PROXY_ENABLED", "true")
        capfd.readouterr()
        return tmp_path / "data"

    return make


def test_a_proxy_without_an_authority(data, examined, monkeypatch):
    monkeypatch.setenv("CODER_AIBRIDGE_ENABLED", "true")
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_ENABLED", "true")
    code, verdicts = examined("--offline")
    assert code == 1
    assert "`coderai proxy ca create` makes" in of(verdicts, "proxy")[0][1]


def test_the_certificates_of_the_proxy(authority, examined, monkeypatch):
    data = authority("--host", "proxy.example.com")
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_TLS_CERT_FILE", str(data / "proxy-listener.pem"))
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_TLS_KEY_FILE", str(data / "proxy-listener.key"))
    seen = of(examined("--offline")[1], "proxy")
    assert [state for state, _ in seen] == ["ok", "ok"]
    assert "the certificate of its listener is valid until" in seen[1][1]
    (data / "proxy-listener.key").write_text("rubbish")
    assert "are no certificate and its key" in of(examined("--offline")[1], "proxy")[1][1]


def test_the_end_of_the_authority(authority, examined):
    authority("--life", "20d")
    assert of(examined("--offline")[1], "proxy")[0][0] == "warn"


def test_a_provider_that_the_authority_may_not_speak_for(authority, examined, provider):
    authority("--only", "api.openai.com")
    provider("https://api.anthropic.com")
    seen = of(examined("--offline")[1], "proxy")
    assert ("fail", "api.anthropic.com of provider mine") in [(state, text[-34:]) for state, text in seen]


def test_a_proxy_where_nobody_listens(authority, examined, monkeypatch):
    authority()
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_LISTEN_ADDR", f"127.0.0.1:{closed_port()}")
    assert of(examined()[1], "proxy")[-1][1].endswith("Connection refused")


def test_as_a_client_the_proxy_of_the_environment_is_tried(alone, examined, monkeypatch):
    port = closed_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://coder:secret@127.0.0.1:{port}")
    assert examined("--client") == (
        1,
        [("fail", "client", f"the proxy 127.0.0.1:{port} cannot be reached: Connection refused")],
    )


def test_as_a_client_without_a_proxy(alone, examined, monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    code, ((_, _, text),) = examined("--client")
    assert (code, text[:22]) == (1, "HTTPS_PROXY is not set")


def test_what_belongs_to_a_client(alone, capfd):
    assert run(["doctor", "--proxy", "http://x:1"]) == 2
    assert "belong to --client" in capfd.readouterr().err


def tls(cert_file: str, key_file: str) -> list[str]:
    return ["--offline", "--", "--tls-enable", f"--tls-cert-file={cert_file}", f"--tls-key-file={key_file}"]


def test_a_certificate_is_good_until_its_end(data, tmp_path, examined):
    authority = Authority(tmp_path)
    good, ending = authority.issue("good"), authority.issue("ending", end=3 * DAY)
    [(state, text)] = of(examined(*tls(*good))[1], "tls")
    assert (state, text.startswith(f"{good[0]} is good until 20")) == ("ok", True)
    [(state, _)] = of(examined(*tls(*ending))[1], "tls")
    assert state == "warn"


def test_a_certificate_that_cannot_be_used_is_a_failure(data, examined):
    code, verdicts = examined(*tls("no.crt", "no.key"))
    assert code == 1
    assert of(verdicts, "tls") == [
        ("fail", "--tls-cert-file no.crt: it cannot be read: No such file or directory"),
    ]
