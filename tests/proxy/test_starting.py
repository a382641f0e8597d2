"""The proxy as a part of the server: what its options mean, and what is said about wrong ones before anything opens."""

import asyncio
import os
import shutil
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from coderai.errors import BadSettings
from coderai.proxy.ca import pem_of
from coderai.proxy.dialing import onward
from coderai.proxy.head import Connect
from coderai.proxy.issuing import new_authority
from coderai.proxy.refusals import Refusal
from coderai.server.intercepting import Shown, prepared
from tests.proxy.world import AUTHORITY
from tests.settings.loading import loaded

LISTED = ("--aibridge-proxy-tunnels=allowlist", "--aibridge-proxy-tunnel-allowlist=*.x.example")
LOCAL = ("--aibridge-proxy-allowed-private-cidrs=127.0.0.0/8", "--aibridge-proxy-tunnel-ports=1")


@pytest.fixture
def data(tmp_path):
    """A data directory with an authority, and a certificate for the listener beside it."""
    leaf = AUTHORITY.leaf("localhost", datetime.now(UTC))
    for name, content in (
        ("proxy-ca.pem", AUTHORITY.certificate_pem),
        ("proxy-ca.key", pem_of(AUTHORITY.key)),
        ("listener.pem", leaf.chain_pem),
        ("listener.key", leaf.key_pem),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    return tmp_path


def ready(data, *flags):
    options = ("--aibridge-enabled", "--aibridge-proxy-enabled", f"--data-dir={data}")
    return prepared(loaded(*options, *flags).settings)


def told(data, *flags):
    with pytest.raises(ExceptionGroup) as caught:
        ready(data, *flags)
    return [str(error) for error in caught.value.exceptions]


def test_everything_that_is_wrong_is_said_at_once(tmp_path):
    said = told(
        tmp_path,
        "--aibridge-proxy-tls-cert-file=/nowhere.pem",
        "--aibridge-proxy-tls-key-file=/nowhere.key",
        "--aibridge-proxy-upstream=ftp://proxy:21",
    )
    assert len(said) == 3
    assert "coderai proxy ca create" in said[0]
    assert "/nowhere.pem" in said[1]
    assert "--aibridge-proxy-upstream must be http:// or https://" in said[2]


def test_a_listener_certificate_without_its_key_is_refused(data):
    shutil.copy(data / "proxy-ca.key", data / "other.key")
    [said] = told(
        data,
        f"--aibridge-proxy-tls-cert-file={data}/listener.pem",
        f"--aibridge-proxy-tls-key-file={data}/other.key",
    )
    assert "cannot be used together" in said


def test_a_listener_certificate_that_has_expired_is_refused(data):
    long_ago = datetime.now(UTC) - timedelta(days=20)
    old = new_authority("Old", long_ago).leaf("localhost", long_ago)
    (data / "listener.pem").write_bytes(old.chain_pem)
    (data / "listener.key").write_bytes(old.key_pem)
    [said] = told(
        data,
        f"--aibridge-proxy-tls-cert-file={data}/listener.pem",
        f"--aibridge-proxy-tls-key-file={data}/listener.key",
    )
    assert "listener.key: it expired on 20" in said


@pytest.mark.parametrize(
    "url",
    [
        "proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://proxy:x",
        "http://@proxy:1",
        "http://:@proxy",
        "http://p/x",
    ],
)
def test_an_upstream_that_is_none_is_refused_without_being_repeated(url):
    with pytest.raises(BadSettings) as caught:
        onward(url.replace("//", "//user:canary@") if "@" not in url else url, "")
    assert "canary" not in str(caught.value)


def test_an_upstream_without_its_authority_is_refused(data):
    (data / "empty.pem").write_text("nothing")
    for name, reason in (("nowhere.pem", "cannot be read"), ("empty.pem", "holds no certificate")):
        with pytest.raises(BadSettings, match=reason):
            onward("https://proxy:3128", str(data / name))


def test_what_an_upstream_is_called_holds_no_credentials():
    assert onward("http://user:canary@proxy.example:3128", "").shown == "http://proxy.example:3128"
    assert "canary" not in repr(onward("http://user:canary@proxy.example:3128", ""))


@pytest.mark.parametrize(
    ("flags", "target", "status"),
    [
        ((), ("ssh.example", 22), 403),
        (("--aibridge-proxy-tunnel-ports=22",), ("localhost", 22), 403),
        (("--aibridge-proxy-tunnels=deny",), ("localhost", 443), 403),
        (LISTED, ("x.example", 443), 403),
        (LOCAL, ("127.0.0.1", 1), 502),
        (("--access-url=http://127.0.0.1:1",), ("127.0.0.1", 1), 502),
    ],
)
async def test_options_of_tunnels_have_their_effect(data, flags, target, status):
    found = await ready(data, *flags).dialer.dial(Connect(*target, "t", True))
    assert isinstance(found, Refusal)
    assert found.status == status


def test_limits_are_options(data):
    flags = ("--aibridge-proxy-max-tunnels=7", "--aibridge-proxy-max-tunnels-per-token=3")
    limits = ready(data, *flags, "--aibridge-proxy-idle-timeout=1m").limits
    assert (limits.tunnels, limits.per_token, limits.idle_seconds) == (7, 3, 60)
    assert ready(data, "--aibridge-proxy-outside-paths=pass").pass_outside
    assert not ready(data).pass_outside


async def test_a_new_certificate_of_the_listener_is_used_without_a_restart(data):
    flags = (
        f"--aibridge-proxy-tls-cert-file={data}/listener.pem",
        f"--aibridge-proxy-tls-key-file={data}/listener.key",
    )
    found = ready(data, *flags)
    assert found.tls is not None
    assert found.listener is not None
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=found.tls)
    port = server.sockets[0].getsockname()[1]
    trust = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    trust.check_hostname = False

    async def shown() -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        return str(names[0][1])

    files = Shown(found.tls, found.listener)
    files.look()
    assert await shown() == "localhost"
    leaf = AUTHORITY.leaf("proxy.example", datetime.now(UTC))
    (data / "listener.pem").write_bytes(leaf.chain_pem)
    files.look()
    assert await shown() == "localhost"  # half of a change is none
    (data / "listener.key").write_bytes(leaf.key_pem)
    os.utime(data / "listener.key", ns=(1, 1))
    files.look()
    assert await shown() == "proxy.example"
    server.close()
