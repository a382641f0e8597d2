"""``coderai proxy``: a certificate authority is made once and shown, and what clients have to set is printed."""

import json
import ssl
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from coderai.cli.main import run
from coderai.proxy.issuing import new_authority
from coderai.setups.shells import SHELLS, usual_shell
from tests.cli.conftest import Coderai, FakeApi, Said

CERTIFICATE = new_authority("CA of a test", datetime.now(UTC)).certificate_pem
SETUP, PEM = "GET /api/v2/aibridge/clients/setup", "GET /api/v2/aibridge/proxy/ca-cert.pem"


@pytest.fixture
def here(alone, tmp_path, capfd):
    """Run a command on this machine, without a server."""

    def call(*arguments: str) -> Said:
        code = run(arguments)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_an_authority_is_made_for_its_owner_only(here, data):
    said = here("proxy", "ca", "create")
    assert said.code == 0
    assert f"certificate  {data}/proxy-ca.pem" in said.out
    assert "Next: coderai server --aibridge-enabled --aibridge-proxy-enabled\n" in said.err
    assert {path.name: path.stat().st_mode & 0o777 for path in data.iterdir()} == {
        "proxy-ca.pem": 0o644,
        "proxy-ca.key": 0o600,
    }
    assert b"KEY" not in (data / "proxy-ca.pem").read_bytes()


def test_a_listener_gets_a_certificate_for_all_its_names(here, data):
    said = here("proxy", "ca", "create", "--host", "proxy.example.com", "--host", "10.0.0.5", "-o", "json")
    made = said.json["listener"]
    assert made["names"] == ["proxy.example.com", "10.0.0.5"]
    assert made["key_file"] == str(data / "proxy-listener.key")
    assert f"--aibridge-proxy-tls-key-file={data}/proxy-listener.key" not in said.out
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made["certificate_file"], made["key_file"])


def test_the_options_it_needs_are_said(here, data):
    said = here("proxy", "ca", "create", "--host", "proxy.example.com")
    cert, key = data / "proxy-listener.pem", data / "proxy-listener.key"
    assert f"--aibridge-proxy-tls-cert-file={cert} --aibridge-proxy-tls-key-file={key}" in said.err


def test_a_further_listener_comes_from_the_authority_that_is_there(here, data):
    assert here("proxy", "ca", "create").code == 0
    before = (data / "proxy-ca.pem").read_bytes()
    said = here("proxy", "ca", "create", "--host", "proxy.example.com", "-o", "json")
    assert list(said.json) == ["listener"]
    assert (data / "proxy-ca.pem").read_bytes() == before
    assert before in (data / "proxy-listener.pem").read_bytes()


def test_nothing_is_ever_replaced(here, data):
    assert here("proxy", "ca", "create", "--host", "proxy.example.com").code == 0
    before = {path: path.read_bytes() for path in data.iterdir()}
    for more in ([], ["--host", "other.example.com"], ["--only", "api.openai.com"]):
        said = here("proxy", "ca", "create", *more)
        assert (said.code, said.out) == (5, "")
        assert "exists and is left alone" in said.err
    assert {path: path.read_bytes() for path in data.iterdir()} == before


def test_a_limited_authority_includes_the_proxy_itself(here):
    said = here("proxy", "ca", "create", "--only", "api.openai.com", "--host", "proxy.example.com", "-o", "json")
    assert said.json["ca"]["constrained_to"] == ["api.openai.com", "proxy.example.com"]


def test_a_limited_authority_signs_nothing_that_nobody_would_believe(here, data):
    assert here("proxy", "ca", "create", "--only", "api.openai.com").code == 0
    said = here("proxy", "ca", "create", "--host", "proxy.example.com")
    assert (said.code, said.out) == (2, "")
    assert "nobody would believe it about proxy.example.com" in said.err
    assert not (data / "proxy-listener.pem").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--host", "https://proxy.example.com"], 1, "'https://proxy.example.com' is no name of a host"),
        (["--only", "*.openai.com"], 1, "'*.openai.com' is no name of a host"),
        (["--life", "0"], 2, "--life 0: write more than nothing"),
        (["--life", "1000y"], 2, "100y at most"),
        (["--name", ""], 2, "--name: write 1 to 64"),
        (["--name", "x" * 65], 2, "--name: write 1 to 64"),
        (["--life", "soon"], 1, '"soon" is no duration'),
    ],
)
def test_what_cannot_be_made_leaves_nothing(here, data, arguments, code, reason):
    said = here("proxy", "ca", "create", *arguments)
    assert (said.code, said.out) == (code, "")
    assert reason in said.err
    assert not data.exists()


@pytest.mark.parametrize(
    ("place", "reason"),
    [("/proc/none/ca", "No such file or directory"), ("/etc/passwd/ca", "/etc/passwd is no directory")],
)
def test_where_nothing_can_be_written_it_says_so(here, monkeypatch, place, reason):
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_CERT_FILE", f"{place}.pem")
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_KEY_FILE", f"{place}.key")
    said = here("proxy", "ca", "create")
    assert said.code == 1
    assert f"{place}.key cannot be written: {reason}" in said.err


def test_a_key_without_a_certificate_is_not_left_behind(here, tmp_path, monkeypatch):
    key = tmp_path / "ca.key"
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_CERT_FILE", "/proc/none/ca.pem")
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_KEY_FILE", str(key))
    assert here("proxy", "ca", "create").code == 1
    assert not key.exists()


def test_where_the_options_say(here, tmp_path, monkeypatch):
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_CERT_FILE", str(tmp_path / "my.pem"))
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_KEY_FILE", str(tmp_path / "my.key"))
    assert here("proxy", "ca", "create", "-o", "json").json["ca"]["certificate_file"] == str(tmp_path / "my.pem")


def test_one_option_without_the_other(here, monkeypatch):
    monkeypatch.setenv("CODER_AIBRIDGE_PROXY_TLS_CERT_FILE", "x.pem")
    said = here("proxy", "ca", "create")
    assert said.code == 1
    assert "--aibridge-proxy-tls-cert-file is set without --aibridge-proxy-tls-key-file" in said.err


def test_what_is_there_is_shown(here, data):
    made = here("proxy", "ca", "create", "-o", "json").json
    assert here("proxy", "ca", "show", "-o", "json").json == made
    assert made["ca"]["fingerprint_sha256"] in here("proxy", "ca", "show").out
    assert here("proxy", "ca", "show", "--pem").out == (data / "proxy-ca.pem").read_text()


def test_a_near_end_is_announced(here):
    assert here("proxy", "ca", "create", "--life", "20d").code == 0
    assert "warning: it ends on" in here("proxy", "ca", "show").err


def test_without_an_authority_it_says_how_to_make_one(here):
    said = here("proxy", "ca", "show")
    assert (said.code, said.out) == (1, "")
    assert "`coderai proxy ca create` makes" in said.err


def test_the_authority_of_a_server_is_shown(coderai: Coderai, api: FakeApi):
    api.put(PEM, CERTIFICATE)
    assert coderai("proxy", "ca", "show", "--pem").out == CERTIFICATE.decode()
    assert coderai("proxy", "ca", "show", "-o", "json").json["ca"]["subject"] == "CN=CA of a test"


def test_a_server_without_a_proxy_has_none(coderai: Coderai, api: FakeApi):
    api.put(PEM, {"message": "MITM CA certificate not configured"}, 404)
    said = coderai("proxy", "ca", "show")
    assert (said.code, said.out) == (4, "")
    assert "MITM CA certificate not configured" in said.err


@pytest.fixture
def env(coderai: Coderai, api: FakeApi, monkeypatch):
    """Ask for the variables at a server with a proxy."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    api.put(PEM, CERTIFICATE)

    def call(*arguments: str, tls: bool = True, host: str = "", **door: object) -> Said:
        proxy = {"host": host, "port": 8888, "tls": tls}
        api.put(SETUP, {"access_url": "https://ai.example.com", "enabled": True, "proxy": proxy, **door})
        return coderai("proxy", "env", *arguments)

    return call


def variables(said: Said) -> dict[str, str]:
    found = said.json["variables"]
    assert isinstance(found, dict)
    return found


def test_the_variables_work_in_a_shell(env, tmp_path):
    said = env("--shell", "sh")
    script = said.out + 'echo "$HTTPS_PROXY|$NODE_EXTRA_CA_CERTS|$SSL_CERT_FILE"'
    shell = subprocess.run(["sh", "-euc", script], env={"CODER_TOKEN": "abc-def"}, capture_output=True, text=True)
    config = tmp_path / "config"
    assert shell.stdout == (
        f"https://coder:abc-def@ai.example.com:8888|{config}/proxy-ca.pem|{config}/proxy-bundle.pem\n"
    )


def test_without_a_token_the_shell_says_so(env):
    shell = subprocess.run(["sh", "-c", env("--shell", "sh").out], env={}, capture_output=True, text=True)
    assert shell.returncode != 0
    assert "coderai tokens create" in shell.stderr


def test_no_token_is_printed(env):
    said = env()
    assert "the-token" not in said.out + said.err


def test_the_certificate_is_put_where_tools_find_it(env, tmp_path, monkeypatch):
    system = tmp_path / "system.pem"
    system.write_bytes(b"what the system trusts\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    assert env().code == 0
    assert (tmp_path / "config" / "proxy-ca.pem").read_bytes() == CERTIFICATE
    assert (tmp_path / "config" / "proxy-bundle.pem").read_bytes() == b"what the system trusts\n" + CERTIFICATE


def test_twice_is_as_once(env, tmp_path, monkeypatch):
    bundle = tmp_path / "config" / "proxy-bundle.pem"
    assert env().code == 0
    before = bundle.read_bytes()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert env().code == 0
    assert bundle.read_bytes() == before


def test_a_further_authority_is_trusted_as_well(env, tmp_path):
    (tmp_path / "corp.pem").write_text("the company's")
    assert env("--cacert", str(tmp_path / "corp.pem")).code == 0
    assert (tmp_path / "config" / "proxy-ca.pem").read_bytes().endswith(b"the company's")
    assert "there is no file" in env("--cacert", str(tmp_path / "missing.pem")).err


@pytest.mark.parametrize(
    ("door", "arguments", "address"),
    [
        ({}, [], "https://coder:$CODER_TOKEN@ai.example.com:8888"),
        ({"tls": False}, [], "http://coder:$CODER_TOKEN@ai.example.com:8888"),
        ({"host": "proxy.example.com"}, [], "https://coder:$CODER_TOKEN@proxy.example.com:8888"),
        ({"host": "2001:db8::1"}, [], "https://coder:$CODER_TOKEN@[2001:db8::1]:8888"),
        ({"proxy": None}, ["--proxy", "http://p:1"], "http://coder:$CODER_TOKEN@p:1"),
    ],
)
def test_where_the_proxy_is(env, door, arguments, address):
    assert variables(env("-o", "json", *arguments, **door))["HTTPS_PROXY"] == address


def test_the_gateway_itself_is_not_asked_through_the_proxy(env, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intra.example.com, localhost")
    assert variables(env("-o", "json"))["NO_PROXY"] == "intra.example.com,localhost,127.0.0.1,::1,ai.example.com"


def test_other_spellings_are_taken_away(env, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://elsewhere")
    assert env("-o", "json").json["unset"] == ["https_proxy"]
    assert "unset https_proxy\n" in env("--shell", "sh").out


def test_a_proxy_without_tls_is_warned_about(env):
    assert "whoever is between can read the token" in env(tls=False).err
    assert "whoever is between" not in env().err


@pytest.mark.parametrize(
    ("arguments", "door", "code", "reason"),
    [
        ([], {"proxy": None}, 1, "start it with --aibridge-proxy-enabled"),
        (["--shell", "tcsh"], {}, 2, "there are sh, fish, powershell"),
        (["--proxy", "proxy:8888"], {}, 2, "write scheme, host and port only"),
        (["--proxy", "http://coder:secret@proxy:8888"], {}, 2, "write scheme, host and port only"),
    ],
)
def test_what_cannot_be_is_said(env, arguments, door, code, reason):
    said = env(*arguments, **door)
    assert (said.code, said.out) == (code, "")
    assert reason in said.err
    assert "secret" not in said.err


ODD = {"A": 'a "b" $HOME `id` \\', "TOKEN": "x:$CODER_TOKEN@y"}


def test_nothing_in_a_value_means_anything_to_a_shell():
    printed = SHELLS["sh"](ODD, []) + 'printf "%s|%s" "$A" "$TOKEN"'
    shell = subprocess.run(["sh", "-euc", printed], env={"CODER_TOKEN": "t"}, capture_output=True, text=True)
    assert shell.stdout == ODD["A"] + "|x:t@y"
    assert SHELLS["fish"](ODD, ["X"]).splitlines()[1:] == [
        "set -e X",
        'set -gx A "a \\"b\\" \\$HOME `id` \\\\"',
        'set -gx TOKEN "x:$CODER_TOKEN@y"',
    ]
    assert SHELLS["powershell"](ODD, ["X"]).splitlines()[1:] == [
        "Remove-Item Env:X -ErrorAction SilentlyContinue",
        '$env:A = "a `"b`" `$HOME ``id`` \\"',
        '$env:TOKEN = "x:$($env:CODER_TOKEN)@y"',
    ]


@pytest.mark.parametrize(
    ("shell", "windows", "usual"),
    [("/bin/bash", False, "sh"), ("/usr/bin/fish", False, "fish"), ("", False, "sh"), ("", True, "powershell")],
)
def test_the_usual_shell(shell, windows, usual):
    assert usual_shell({"SHELL": shell}, windows=windows) == usual


def test_an_authority_that_is_made_lives_as_long_as_wanted(here):
    made = json.loads(here("proxy", "ca", "create", "--life", "30d", "-o", "json").out)["ca"]
    life = datetime.fromisoformat(made["not_after"]) - datetime.now(UTC)
    assert timedelta(days=29) < life < timedelta(days=31)
