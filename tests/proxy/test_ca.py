"""The certificate authority: what it accepts, what it signs, what clients say to that."""

import asyncio
import gc
import ssl
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from coderai.errors import BadSettings, CoderaiError, Conflict, Invalid
from coderai.proxy.ca import Authority, Contexts, Leaf, digest, key_usage, pem_of
from coderai.proxy.constraints import constrained_to, may_speak_for
from coderai.proxy.files import Pair, write_new
from coderai.proxy.issuing import new_authority
from tests.proxy.showing import showing

NOW = datetime.now(UTC)
PEM = serialization.Encoding.PEM
KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def certificate(key, *, ca=True, usage=True, start=NOW, end=NOW + timedelta(days=90), issuer=None, identified=True):
    """Return what is signed for *key* by itself, or by *issuer*, an authority."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("An authority"))
        .issuer_name(issuer.certificate.subject if issuer else name("An authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usage is not None:
        builder = builder.add_extension(key_usage(signs_certificates=usage, digital_signature=not usage), critical=True)
    if identified:
        builder = builder.add_extension(x509.SubjectKeyIdentifier(b"as it likes"), critical=False)
    if issuer:
        builder = builder.add_extension(issuer._identifier(), critical=False)
    signer = issuer.key if issuer else key
    return builder.sign(signer, digest(signer))


@pytest.fixture
def files(tmp_path) -> Pair:
    return Pair(tmp_path / "ca.pem", tmp_path / "ca.key")


def written(files: Pair, signed: x509.Certificate, key) -> Pair:
    files.cert.write_bytes(signed.public_bytes(PEM))
    files.key.write_bytes(pem_of(key))
    files.key.chmod(0o600)
    return files


def load(files: Pair) -> Authority:
    return Authority.load(files.cert, files.key, now=NOW)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> ssl.SSLObject:
    """Let the two meet in memory; return the client's side."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(back, there, server_hostname=host), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return sides[0]


def strict(*trusted: bytes) -> ssl.SSLContext:
    """Return a client that is as strict as Python can be and believes only *trusted*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for pem in trusted:
        context.load_verify_locations(cadata=pem.decode())
    return context


def alternative_names(leaf: Leaf) -> list[str]:
    extensions = x509.load_pem_x509_certificates(leaf.chain_pem)[0].extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in names]


@pytest.mark.parametrize("kind", KEYS)
async def test_a_strict_client_believes_every_kind_of_authority(files, kind):
    authority = load(written(files, certificate(KEYS[kind]), KEYS[kind]))
    context = await Contexts(authority).context("api.example.com")
    met = handshake(context, strict(authority.certificate_pem), "api.example.com")
    assert met.getpeercert()["subjectAltName"] == (("DNS", "api.example.com"),)


async def test_an_intermediate_authority_is_believed_by_who_trusts_its_root(files):
    root = Authority(certificate(KEYS["RSA"]), KEYS["RSA"], certificate(KEYS["RSA"]).public_bytes(PEM))
    authority = load(written(files, certificate(KEYS["P-256"], issuer=root), KEYS["P-256"]))
    context = await Contexts(authority).context("api.example.com")
    assert handshake(context, strict(root.certificate_pem), "api.example.com").version() == "TLSv1.3"


async def test_an_authority_without_an_identifier_of_its_own(files):
    authority = load(written(files, certificate(KEYS["P-256"], identified=False), KEYS["P-256"]))
    context = await Contexts(authority).context("api.example.com")
    client = strict(authority.certificate_pem)
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT
    assert handshake(context, client, "api.example.com").version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("host", "kind"), [("127.0.0.1", "IP Address"), ("::1", "IP Address"), ("a" * 63 + ".b", "DNS")]
)
async def test_addresses_and_long_names(host, kind):
    authority = new_authority("CA", NOW)
    context = await Contexts(authority).context(host)
    ((found, _),) = handshake(context, strict(authority.certificate_pem), host).getpeercert()["subjectAltName"]
    assert found == kind


async def test_http_1_and_nothing_older_than_tls_1_2():
    authority = new_authority("CA", NOW)
    context = await Contexts(authority).context("api.example.com")
    client = strict(authority.certificate_pem)
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert handshake(context, client, "api.example.com").selected_alpn_protocol() == "http/1.1"
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_leaf_lives_for_days_and_began_hours_ago():
    leaf = new_authority("CA", NOW).leaf("api.example.com", NOW)
    signed = x509.load_pem_x509_certificates(leaf.chain_pem)[0]
    assert timedelta(days=2) < signed.not_valid_after_utc - NOW < timedelta(days=7)
    assert timedelta(hours=2) < NOW - signed.not_valid_before_utc < timedelta(days=1)
    assert NOW < leaf.renew_at < leaf.not_after
    usage = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]


def test_a_leaf_lives_within_its_authority(files):
    end = (NOW + timedelta(hours=3)).replace(microsecond=0)
    leaf = load(written(files, certificate(KEYS["P-256"], end=end), KEYS["P-256"])).leaf("api.example.com", NOW)
    signed = x509.load_pem_x509_certificates(leaf.chain_pem)[0]
    assert signed.not_valid_after_utc == end
    assert signed.not_valid_before_utc == NOW.replace(microsecond=0)


def test_names_are_written_as_certificates_write_them():
    authority = new_authority("CA", NOW)
    assert alternative_names(authority.leaf("API.Example.com.", NOW)) == ["api.example.com"]
    assert alternative_names(authority.leaf("bücher.example", NOW)) == ["xn--bcher-kva.example"]
    assert alternative_names(authority.leaf("[::1]", NOW)) == ["::1"]


@pytest.mark.parametrize(
    "host", ["", ".", "a b", "a/b", "*.example.com", "a..b", "x\nDNS:y", "a" * 64 + "ü", "x" * 254]
)
def test_what_is_no_host_gets_no_certificate(host):
    with pytest.raises(Invalid, match="is no name of a host"):
        new_authority("CA", NOW).leaf(host, NOW)


def test_an_expired_authority_signs_nothing():
    authority = new_authority("CA", NOW, timedelta(days=1))
    with pytest.raises(CoderaiError, match="the interception CA expired on 20"):
        authority.leaf("api.example.com", NOW + timedelta(days=2))


def test_only_the_first_certificate_is_shown_and_never_a_key(files):
    written(files, certificate(KEYS["P-256"]), KEYS["P-256"])
    own = files.cert.read_bytes()
    other = certificate(KEYS["RSA"]).public_bytes(PEM)
    files.cert.write_bytes(files.key.read_bytes() + own + other)
    authority = load(files)
    assert authority.certificate_pem == own
    assert authority.leaf("x", NOW).chain_pem.count(b"BEGIN") == 2
    assert b"KEY" not in authority.leaf("x", NOW).chain_pem


EXPIRED = certificate(KEYS["P-256"], start=NOW - timedelta(days=9), end=NOW - timedelta(days=1))
FUTURE = certificate(KEYS["P-256"], start=NOW + timedelta(days=1))
LOCKED = KEYS["P-256"].private_bytes(
    PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
)
WEAK = rsa.generate_private_key(65537, 1024)
ODD = dsa.generate_private_key(1024)
GOOD = certificate(KEYS["P-256"]).public_bytes(PEM)


@pytest.mark.parametrize(
    ("cert", "key", "reason"),
    [
        (None, pem_of(KEYS["P-256"]), "certificate {cert} cannot be read: No such file"),
        (GOOD, None, "key {key} cannot be read: No such file"),
        (b"", pem_of(KEYS["P-256"]), "{cert} holds no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"", "{cert} holds no certificate"),
        (GOOD, b"rubbish", "{key} holds no private key in PEM form"),
        (GOOD, LOCKED, "{key} is encrypted"),
        (GOOD, pem_of(WEAK), "{key} has 1024 bits"),
        (GOOD, pem_of(ODD), "{key} is of a kind that cannot be used"),
        (GOOD, pem_of(KEYS["RSA"]), "{cert} and key {key} do not belong together"),
        (GOOD, pem_of(ec.generate_private_key(ec.SECP256R1())), "do not belong together"),
        (EXPIRED.public_bytes(PEM), pem_of(KEYS["P-256"]), "{cert} expired on 20"),
        (FUTURE.public_bytes(PEM), pem_of(KEYS["P-256"]), "{cert} is valid only from 20"),
        (certificate(KEYS["P-256"], ca=False).public_bytes(PEM), pem_of(KEYS["P-256"]), "it is no CA certificate"),
        (certificate(KEYS["P-256"], ca=None).public_bytes(PEM), pem_of(KEYS["P-256"]), "it is no CA certificate"),
        (certificate(KEYS["P-256"], usage=False).public_bytes(PEM), pem_of(KEYS["P-256"]), "lacks keyCertSign"),
    ],
)
def test_what_is_wrong_with_the_files_is_one_clear_line(files, cert, key, reason):
    for path, content in ((files.cert, cert), (files.key, key)):
        if content is not None:
            path.write_bytes(content)
            path.chmod(0o600)
    with pytest.raises(BadSettings) as refused:
        load(files)
    text = str(refused.value)
    assert reason.format(cert=files.cert, key=files.key) in text
    assert "\n" not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o606, 0o644, 0o777])
def test_a_key_that_everybody_can_read_is_refused(files, mode):
    written(files, certificate(KEYS["P-256"]), KEYS["P-256"]).key.chmod(mode)
    with pytest.raises(BadSettings, match="can be read or written by everybody: chmod 600"):
        load(files)


def test_a_key_that_a_group_can_read_is_accepted(files):
    """So are secrets handed to containers."""
    written(files, certificate(KEYS["P-256"]), KEYS["P-256"]).key.chmod(0o640)
    assert load(files).not_after > NOW


def test_a_new_authority_may_sign_servers_only():
    extensions = new_authority("Corp", NOW).certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


NAME, V4, V6 = "api.openai.com", "192.0.2.1", "2001:db8::1"


@pytest.mark.parametrize(
    ("only", "host"),
    [([NAME], NAME), ([NAME], f"eu.{NAME}"), ([V4], V4), ([V4, NAME], V4), ([V4, NAME], NAME), ([V6], V6)],
)
async def test_a_constrained_authority_is_believed_about_its_hosts(only, host):
    authority = new_authority("CA", NOW, only=only)
    context = await Contexts(authority).context(host)
    assert handshake(context, strict(authority.certificate_pem), host).version() == "TLSv1.3"


@pytest.mark.parametrize(
    ("only", "host"),
    [
        ([NAME], "openai.com"),
        ([NAME], "bank.example.com"),
        ([NAME], V4),
        ([NAME], V6),
        ([V4], "192.0.2.2"),
        ([V4], V6),
        ([V4], NAME),
        ([V6], V4),
    ],
)
async def test_a_constrained_authority_is_believed_about_nothing_else(only, host):
    authority = new_authority("CA", NOW, only=only)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        handshake(showing(authority, host), strict(authority.certificate_pem), host)


async def test_a_constrained_authority_signs_nothing_that_nobody_would_believe():
    with pytest.raises(CoderaiError, match="nobody would believe it about"):
        await Contexts(new_authority("CA", NOW, only=[NAME])).context("openai.com")


@pytest.mark.parametrize("only", [[], [NAME], [V4], [V6], [NAME, V4]])
@pytest.mark.parametrize("host", [NAME, f"eu.{NAME}", "openai.com", f"not{NAME}", V4, "192.0.2.2", V6])
async def test_what_clients_will_believe_is_known_beforehand(only, host):
    authority = new_authority("CA", NOW, only=only)
    context = showing(authority, host)
    with nullcontext() if may_speak_for(authority.certificate, host) else pytest.raises(ssl.SSLCertVerificationError):
        handshake(context, strict(authority.certificate_pem), host)


def test_what_an_authority_is_constrained_to_can_be_read():
    assert constrained_to(new_authority("CA", NOW, only=[NAME, V4]).certificate) == [NAME, f"{V4}/32"]
    assert constrained_to(new_authority("CA", NOW).certificate) == []


def test_a_written_authority_is_as_it_was(tmp_path):
    files = Pair(tmp_path / "new" / "ca.pem", tmp_path / "new" / "ca.key")
    made = new_authority("CA", NOW)
    write_new(files, made.certificate_pem, pem_of(made.key))
    assert load(files).certificate_pem == made.certificate_pem
    assert [path.stat().st_mode & 0o777 for path in (files.cert, files.key)] == [0o644, 0o600]


@pytest.mark.parametrize("there", ["cert", "key"])
def test_a_file_that_is_there_is_left_alone(files, there):
    getattr(files, there).write_bytes(b"precious")
    with pytest.raises(Conflict, match="exists and is left alone"):
        write_new(files, b"another", b"another")
    assert [path.read_bytes() for path in files.there()] == [b"precious"]


class Moving:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


async def test_a_crowd_shares_one_generation():
    contexts = Contexts(new_authority("CA", NOW))
    found = await asyncio.gather(*(contexts.context(host) for host in ("api.example.com", "API.example.com") * 20))
    assert len(set(map(id, found))) == 1
    assert contexts.made == 1


async def test_one_who_leaves_does_not_take_it_from_the_others():
    contexts = Contexts(new_authority("CA", NOW))
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(contexts.context("api.example.com"))
        second = tasks.create_task(contexts.context("api.example.com"))
        await asyncio.sleep(0)
        first.cancel()
    assert isinstance(second.result(), ssl.SSLContext)


async def test_the_least_recently_used_goes_first():
    contexts = Contexts(new_authority("CA", NOW), size=2)
    one, _ = [await contexts.context(host) for host in ("one", "two")]
    assert await contexts.context("one") is one
    await contexts.context("three")
    assert await contexts.context("one") is one
    assert (len(contexts), contexts.made) == (2, 3)
    await contexts.context("two")
    assert contexts.made == 4


async def test_another_is_made_before_the_end():
    clock = Moving()
    contexts = Contexts(new_authority("CA", NOW), clock=clock)
    first = await contexts.context("api.example.com")
    clock.now += timedelta(days=2)
    assert await contexts.context("api.example.com") is first
    clock.now += timedelta(days=2)
    assert await contexts.context("api.example.com") is not first


async def test_in_the_last_days_of_an_authority_a_leaf_is_still_kept():
    clock = Moving()
    contexts = Contexts(new_authority("CA", NOW, timedelta(hours=2)), clock=clock)
    first = await contexts.context("api.example.com")
    clock.now += timedelta(hours=1)
    assert await contexts.context("api.example.com") is first


async def test_what_failed_is_not_kept():
    clock = Moving()
    contexts = Contexts(new_authority("CA", NOW, timedelta(days=1)), clock=clock)
    clock.now += timedelta(days=2)
    for _ in range(2):
        with pytest.raises(CoderaiError, match="expired on"):
            await contexts.context("api.example.com")
    assert (len(contexts), contexts.made) == (0, 0)
    contexts.replace(new_authority("CA", clock.now))
    assert isinstance(await contexts.context("api.example.com"), ssl.SSLContext)


async def test_with_another_authority_everything_is_signed_anew():
    old, new = new_authority("Old", NOW), new_authority("New", NOW)
    contexts = Contexts(old)
    first, waiting = await contexts.context("kept"), asyncio.ensure_future(contexts.context("under.way"))  # noqa: TID251 - to be in the middle of it
    await asyncio.sleep(0)
    contexts.replace(new)
    assert await waiting is not await contexts.context("under.way")
    second = await contexts.context("kept")
    assert first is not second
    assert handshake(second, strict(new.certificate_pem), "kept").version() == "TLSv1.3"
    gc.collect()  # nothing complains that nobody looked at it


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(Contexts(new_authority("CA", NOW)).context("api.example.com"))
    assert list(Path(tmp_path).iterdir()) == []
