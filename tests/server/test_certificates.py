"""Certificates of the TLS listener: what is wrong with them is said before anybody connects; new ones are taken up."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coderai.server.certificates import Certificates
from coderai.settings import Settings
from tests.server.authority import DAY, Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(*pairs: tuple[str, str], **more: Any) -> Settings:
    certificates, keys = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return Settings(tls_enable=True, tls_cert_file=certificates, tls_key_file=keys, **more)


def problems(*pairs: tuple[str, str], **more: Any) -> list[str]:
    """Return what is said of them."""
    with pytest.raises(ExceptionGroup) as caught:
        Certificates(settings(*pairs, **more))
    return [str(each) for each in caught.value.exceptions]


def test_files_that_are_not_there_are_named_all(authority: Authority, tmp_path: Path):
    good = authority.issue("good")
    missing = (str(tmp_path / "no.crt"), str(tmp_path / "no.key"))
    assert problems(good, missing, (good[0], missing[1])) == [
        f"--tls-cert-file {missing[0]}: it cannot be read: No such file or directory",
        f"--tls-key-file {missing[1]}: it cannot be read: No such file or directory",
    ]


def test_an_expired_certificate_says_since_when(authority: Authority):
    pair = authority.issue("old", start=-2 * DAY, end=-timedelta(hours=1))
    [text] = problems(pair)
    assert text.startswith(f"--tls-cert-file {pair[0]}: it expired on 20")


def test_a_certificate_of_tomorrow_says_from_when(authority: Authority):
    pair = authority.issue("young", start=DAY)
    [text] = problems(pair)
    assert "it is not valid before 20" in text


def test_a_key_of_another_certificate_is_refused(authority: Authority):
    one, other = authority.issue("one"), authority.issue("other")
    [text] = problems((one[0], other[1]))
    assert text.startswith(f"--tls-key-file {other[1]}: it does not belong to the first certificate of")


def test_a_chain_in_the_wrong_order_is_refused(authority: Authority):
    cert_file, key_file = authority.issue("chain")
    leaf, _, rest = Path(cert_file).read_text().partition("-----END CERTIFICATE-----\n")
    Path(cert_file).write_text(rest + leaf + "-----END CERTIFICATE-----\n")
    [text] = problems((cert_file, key_file))
    assert "the certificate of the key comes first, the rest of its chain behind it" in text


@pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate_is_refused(authority: Authority, content: str):
    cert_file, key_file = authority.issue("empty")
    Path(cert_file).write_text(content)
    assert problems((cert_file, key_file)) == [f"--tls-cert-file {cert_file}: it holds no certificate in PEM form"]


def test_a_file_without_a_key_is_refused(authority: Authority):
    cert_file, _ = authority.issue("keyless")
    assert problems((cert_file, cert_file)) == [f"--tls-key-file {cert_file}: it holds no private key in PEM form"]


def test_a_key_with_a_passphrase_is_refused(authority: Authority):
    pair = authority.issue("locked", passphrase=b"secret")
    [text] = problems(pair)
    assert "it is protected by a passphrase" in text


@pytest.mark.parametrize(("content", "said"), [(None, "it cannot be read"), ("no PEM", "no certificate in PEM form")])
def test_an_authority_of_clients_that_cannot_be_used_is_named(
    authority: Authority, tmp_path: Path, content: str | None, said: str
):
    path = tmp_path / "clients.pem"
    if content is not None:
        path.write_text(content)
    [text] = problems(authority.issue("good"), tls_client_auth="require-and-verify", tls_client_ca_file=str(path))
    assert text.startswith(f"--tls-client-ca-file {path}: ")
    assert said in text


def test_a_key_that_everybody_can_read_is_complained_about(authority: Authority, caplog: pytest.LogCaptureFixture):
    pair = authority.issue("open")
    Path(pair[1]).chmod(0o644)
    Certificates(settings(pair))
    assert "everybody on this machine can read a TLS key" in caplog.text


def test_a_certificate_that_ends_soon_is_complained_about(authority: Authority, caplog: pytest.LogCaptureFixture):
    Certificates(settings(authority.issue("ending", end=3 * DAY)))
    assert "a TLS certificate expires soon" in caplog.text


@asynccontextmanager
async def serving(certificates: Certificates) -> AsyncIterator[int]:
    """Echo what is said over TLS; give the port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(100):
                writer.write(piece)
                await writer.drain()
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=certificates.context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Client:
    """Connects over TLS."""

    def __init__(self, authority: Authority, mine: tuple[str, str] | None = None) -> None:
        self._context = ssl.create_default_context(cafile=authority.path)
        if mine is not None:
            self._context.load_cert_chain(*mine)

    @asynccontextmanager
    async def connected(self, port: int, name: str = "localhost") -> AsyncIterator["Connected"]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=self._context, server_hostname=name)
        try:
            yield Connected(reader, writer)
        finally:
            writer.close()


class Connected:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def shown(self) -> str:
        """The common name of the certificate that the server showed."""
        subject = self._writer.get_extra_info("peercert")["subject"]
        return str(subject[0][0][1])

    async def echoes(self) -> bool:
        """Whether it works."""
        self._writer.write(b"hello")
        async with asyncio.timeout(5):
            return await self._reader.readexactly(5) == b"hello"


async def test_new_files_are_taken_up_and_open_connections_stay(authority: Authority, tmp_path: Path):
    pair, successor = authority.issue("first"), authority.issue("second")
    certificates, client = Certificates(settings(pair)), Client(authority)
    async with serving(certificates) as port, client.connected(port) as before:
        replace(pair, successor)
        certificates.renew()
        async with client.connected(port) as after:
            assert (before.shown, after.shown) == ("first", "second")
            assert await before.echoes()
            assert await after.echoes()


async def test_files_that_do_not_fit_change_nothing(authority: Authority, caplog: pytest.LogCaptureFixture):
    pair, other = authority.issue("first"), authority.issue("second")
    certificates, client = Certificates(settings(pair)), Client(authority)
    async with serving(certificates) as port:
        shutil.copy(other[0], pair[0])  # half of a renewal: the key has not come yet
        certificates.renew()
        async with client.connected(port) as one:
            assert one.shown == "first"
        assert "the TLS certificates stay the old ones" in caplog.text
        shutil.copy(other[1], pair[1])
        certificates.renew()
        async with client.connected(port) as one:
            assert one.shown == "second"


async def test_files_are_read_when_told_and_when_they_changed(authority: Authority):
    pair, told = authority.issue("first"), asyncio.Event()
    certificates, client = Certificates(settings(pair)), Client(authority)
    async with serving(certificates) as port, asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(certificates.keep(told, look_seconds=0.01))
        for name in ("second", "third"):
            replace(pair, authority.issue(name))
            if name == "third":
                told.set()
            shown = ""
            while shown != name:
                async with client.connected(port) as one:
                    shown = one.shown
        keeping.cancel()


def replace(pair: tuple[str, str], by: tuple[str, str]) -> None:
    """Put other files in the place of *pair*."""
    for old, new in zip(pair, by, strict=True):
        os.replace(new, old)


NAMES = [
    ("one.example.com", "first"),
    ("two.example.com", "second"),
    ("TWO.example.com", "second"),
    ("any.team.example.com", "third"),
]


@pytest.mark.parametrize(("asked", "shown"), NAMES)
async def test_the_certificate_of_the_name_that_was_asked_for_is_shown(authority: Authority, asked: str, shown: str):
    certificates = Certificates(
        settings(
            authority.issue("first", ["one.example.com"]),
            authority.issue("second", ["two.example.com"]),
            authority.issue("third", ["*.team.example.com"]),
        )
    )
    async with serving(certificates) as port, Client(authority).connected(port, asked) as one:
        assert one.shown == shown


@pytest.mark.parametrize("asked", ["a.b.team.example.com", "three.example.com"])
async def test_the_first_certificate_is_shown_to_who_asks_for_another_name(authority: Authority, asked: str):
    pairs = authority.issue("first", ["one.example.com"]), authority.issue("third", ["*.team.example.com"])
    async with serving(Certificates(settings(*pairs))) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
            async with Client(authority).connected(port, asked):
                pass


async def test_tls_1_2_is_not_spoken_where_1_3_is_asked_for(authority: Authority):
    certificates = Certificates(settings(authority.issue("one"), tls_min_version="tls13"))
    context = ssl.create_default_context(cafile=authority.path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(certificates) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")


@pytest.mark.parametrize(
    ("auth", "whose", "let_in"),
    [
        ("none", None, True),
        ("verify-if-given", None, True),
        ("verify-if-given", "ours", True),
        ("verify-if-given", "theirs", False),
        ("require-and-verify", None, False),
        ("require-and-verify", "ours", True),
        ("require-and-verify", "theirs", False),
    ],
)
async def test_clients_show_certificates_as_far_as_wanted(
    authority: Authority, tmp_path: Path, auth: str, whose: str | None, let_in: bool
):
    authorities = {"ours": authority, "theirs": Authority(tmp_path, "Another authority")}
    mine = None if whose is None else authorities[whose].issue("client")
    certificates = Certificates(
        settings(authority.issue("one"), tls_client_auth=auth, tls_client_ca_file=str(authority.path))
    )
    async with serving(certificates) as port:
        assert await comes_in(Client(authority, mine), port) == let_in


async def test_an_authority_of_clients_is_taken_up_and_the_old_one_forgotten(authority: Authority, tmp_path: Path):
    other, known = Authority(tmp_path, "Another authority"), tmp_path / "clients.pem"
    shutil.copy(authority.path, known)
    ours, theirs = Client(authority, authority.issue("ours")), Client(authority, other.issue("theirs"))
    certificates = Certificates(
        settings(authority.issue("one"), tls_client_auth="require-and-verify", tls_client_ca_file=str(known))
    )
    async with serving(certificates) as port:
        assert (await comes_in(ours, port), await comes_in(theirs, port)) == (True, False)
        shutil.copy(other.path, known)
        certificates.renew()
        assert (await comes_in(ours, port), await comes_in(theirs, port)) == (False, True)


async def comes_in(client: Client, port: int) -> bool:
    """Whether the server talks to it; with TLS 1.3 a refusal may come after the handshake."""
    try:
        async with client.connected(port) as one:
            return await one.echoes()
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return False
