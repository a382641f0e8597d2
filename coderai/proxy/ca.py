"""The certificate authority that clients of the proxy trust, and what it signs for every intercepted host."""

import asyncio
import ssl
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from coderai.errors import BadSettings, CoderaiError
from coderai.proxy.constraints import general_name, may_speak_for

SOON: Final = timedelta(days=30)
"""Before its end a certificate is complained about."""
_LEAF_LIFE: Final = timedelta(days=5)
_LEAF_START: Final = timedelta(hours=12)
"""So long before now a leaf begins to be valid: clients' clocks are slow."""
_RENEWAL: Final = 2 / 3
"""Of what is left of a leaf's life when it is made, after which another one is made."""
_RSA_BITS: Final = 2048
_LONGEST_NAME: Final = 64
"""Of a common name, in the X.509 standard."""

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of the running program."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a TLS server shows for one host."""

    chain_pem: bytes
    """Its certificate, and the authority's behind it."""
    key_pem: bytes
    not_after: datetime
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that may sign others, with its key."""

    certificate: x509.Certificate
    key: SigningKey
    certificate_pem: bytes
    """What clients are to trust; never a key."""

    @classmethod
    def load(cls, cert_file: Path, key_file: Path, *, now: datetime) -> "Authority":
        """Read the first certificate of *cert_file* and its key. Raises BadSettings, one clear line."""
        certificate = _certificate(cert_file)
        key = _key(key_file)
        if trouble := _unfit(certificate, now):
            raise BadSettings(f"the interception CA in {cert_file} {trouble}")
        if certificate.public_key() != key.public_key():
            raise BadSettings(
                f"the interception CA's certificate {cert_file} and key {key_file} do not belong together"
            )
        return cls(certificate, key, certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def not_after(self) -> datetime:
        """When it ends."""
        return self.certificate.not_valid_after_utc

    def ends_soon(self, now: datetime) -> bool:
        """Whether somebody has to do something about it."""
        return self.not_after - now < SOON

    def leaf(self, host: str, now: datetime) -> Leaf:
        """Return a certificate for *host*, a name or an address, for a few days. Raises CoderaiError: of no use."""
        if not may_speak_for(self.certificate, host):
            raise CoderaiError(f"the interception CA is limited to other hosts: nobody would believe it about {host}")
        return self.issue([host], now, _LEAF_LIFE)

    def issue(self, hosts: list[str], now: datetime, life: timedelta) -> Leaf:
        """Return a certificate for all of *hosts*; it ends with the authority at the latest. Raises CoderaiError."""
        if self.not_after <= now:
            raise CoderaiError(f"the interception CA expired on {self.not_after:%Y-%m-%d}")
        key = ec.generate_private_key(ec.SECP256R1())
        start = max(now - _LEAF_START, self.certificate.not_valid_before_utc)
        end = min(now + life, self.not_after)
        signed = self._builder(hosts, key).not_valid_before(start).not_valid_after(end).sign(self.key, digest(self.key))
        chain = signed.public_bytes(serialization.Encoding.PEM) + self.certificate_pem
        return Leaf(chain, pem_of(key), end, now + (end - now) * _RENEWAL)

    def _builder(self, hosts: list[str], key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(_subject(hosts[0]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(self._identifier(), critical=False)
        )

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        """Must be what the authority calls itself, which need not follow from its key."""
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key())  # type: ignore[arg-type] # load() has seen that the key is one that signs
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


class Contexts:
    """What the TLS server needs for each host: made on first use, kept, renewed before it ends.

    At most *size* are kept; those that were not used for longest go first.
    """

    def __init__(self, authority: Authority, *, size: int = 1024, clock: Clock = utc_now) -> None:
        self._authority = authority
        self._size = size
        self._clock = clock
        self._kept: dict[str, tuple[ssl.SSLContext, datetime]] = {}
        self._making: dict[str, asyncio.Future[tuple[ssl.SSLContext, datetime]]] = {}
        self.made = 0
        """How many were made so far."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def authority(self) -> Authority:
        """The one in force."""
        return self._authority

    def replace(self, authority: Authority) -> None:
        """Sign with another authority from now on."""
        self._authority = authority
        self._kept.clear()
        self._making.clear()  # who waits for one still gets it; it is not kept

    async def context(self, host: str) -> ssl.SSLContext:
        """Return the context for *host*. Raises CoderaiError when the authority has expired."""
        host = host.lower()
        kept = self._kept.pop(host, None)
        if kept is not None and self._clock() < kept[1]:
            self._kept[host] = kept  # the last one used is the last one to go
            return kept[0]
        making = self._making.get(host)
        if making is None:
            making = asyncio.get_running_loop().run_in_executor(None, _context, self._authority, host, self._clock())
            self._making[host] = making
            making.add_done_callback(lambda made: self._keep(host, made))
        context, _ = await asyncio.shield(making)  # one who leaves does not take it from the others
        return context

    def _keep(self, host: str, made: "asyncio.Future[tuple[ssl.SSLContext, datetime]]") -> None:
        failed = made.cancelled() or made.exception() is not None
        if self._making.get(host) is not made:
            return
        del self._making[host]
        if failed:
            return
        self.made += 1
        self._kept[host] = made.result()
        while len(self._kept) > self._size:
            del self._kept[next(iter(self._kept))]


def _context(authority: Authority, host: str, now: datetime) -> tuple[ssl.SSLContext, datetime]:
    leaf = authority.leaf(host, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.NamedTemporaryFile() as file:  # its mode is 0600; the library takes nothing but names of files
        file.write(leaf.key_pem + leaf.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context, leaf.renew_at


def key_usage(*, digital_signature: bool = False, signs_certificates: bool = False) -> x509.KeyUsage:
    """Return what a key may be used for."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def digest(key: SigningKey) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Return what is hashed with before *key* signs; the Edwards curves have their own."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384() if key.key_size <= 384 else hashes.SHA512()
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()


def pem_of(key: SigningKey) -> bytes:
    """Return a private key as its file holds it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(host: str) -> x509.Name:
    """For people: clients look at the alternative names. An address as common name would be judged as a name."""
    parts = [x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "coderai")]
    if isinstance(general_name(host), x509.DNSName) and len(host) <= _LONGEST_NAME:
        parts.append(x509.NameAttribute(x509.NameOID.COMMON_NAME, host))
    return x509.Name(parts)


def _certificate(path: Path) -> x509.Certificate:
    text = _read(path, "certificate")
    try:
        return x509.load_pem_x509_certificates(text)[0]
    except ValueError as error:
        raise BadSettings(f"the interception CA's certificate file {path} holds no certificate in PEM form") from error


def _key(path: Path) -> SigningKey:
    text = _read(path, "key")
    if path.stat().st_mode & stat.S_IRWXO:
        raise BadSettings(f"the interception CA's key {path} can be read or written by everybody: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(text, None)
    except TypeError as error:
        raise BadSettings(f"the interception CA's key {path} is encrypted: give it without a password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSettings(f"the interception CA's key file {path} holds no private key in PEM form") from error
    if not isinstance(key, SigningKey):
        raise BadSettings(f"the interception CA's key {path} is of a kind that cannot be used: take EC, RSA or Ed25519")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _RSA_BITS:
        raise BadSettings(f"the interception CA's key {path} has {key.key_size} bits; clients want {_RSA_BITS} or more")
    return key


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettings(f"the interception CA's {what} {path} cannot be read: {error.strerror}") from error


def _unfit(certificate: x509.Certificate, now: datetime) -> str:
    """Say why *certificate* cannot sign others now; empty when it can."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if end <= now:
        return f"expired on {end:%Y-%m-%d}"
    if start > now:
        return f"is valid only from {start:%Y-%m-%d %H:%M} UTC on"
    try:
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        constraints = None
    if constraints is None or not constraints.ca:
        return "may not sign certificates: it is no CA certificate (basicConstraints CA:TRUE)"
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    return "" if usage.key_cert_sign else "may not sign certificates: its key usage lacks keyCertSign"
