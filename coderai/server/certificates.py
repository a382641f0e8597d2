"""Certificates of the TLS listener: checked before they are used, and read anew when their files change.

Connections that are open keep the certificate that they were made with.
"""

import asyncio
import os
import ssl
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from coderai.errors import BadSettings
from coderai.observe import logs
from coderai.settings import Settings

log = logs.get("server")

LOOK_SECONDS: Final = 30.0
SOON: Final = timedelta(days=14)
_VERSIONS: Final = {"tls12": ssl.TLSVersion.TLSv1_2, "tls13": ssl.TLSVersion.TLSv1_3}
_CLIENT_AUTH: Final = {
    "none": ssl.CERT_NONE,
    "verify-if-given": ssl.CERT_OPTIONAL,
    "require-and-verify": ssl.CERT_REQUIRED,
}
_ENCODING: Final = serialization.Encoding.DER
_PUBLIC: Final = serialization.PublicFormat.SubjectPublicKeyInfo


@dataclass(frozen=True, slots=True)
class _Certificate:
    """One certificate that is in force, with what answers for it."""

    context: ssl.SSLContext
    names: Sequence[str]
    """DNS names, in lower case; ``*.`` stands for one label."""
    file: str
    ends: datetime

    def serves(self, host: str) -> bool:
        _, dot, parent = host.partition(".")
        return host in self.names or (bool(dot) and f"*.{parent}" in self.names)


class Certificates:
    """What the TLS listener shows: the certificate whose name was asked for, else the first one."""

    def __init__(self, settings: Settings) -> None:
        """Raises an ExceptionGroup of BadSettings: all that is wrong with the files."""
        self._settings = settings
        self._looks = self._look()
        self._inforce = self._read()
        self.context = _context(settings)
        """For the listener: it only leads each handshake to the context of a certificate in force."""
        self.context.load_cert_chain(settings.tls_cert_file[0], settings.tls_key_file[0])
        self.context.sni_callback = self._choose

    @property
    def name(self) -> str:
        """A name that the first certificate is good for; empty when it has none but patterns and addresses."""
        return next((each for each in self._inforce[0].names if "*" not in each), "")

    @property
    def ends(self) -> Sequence[tuple[str, datetime]]:
        """Files and when their certificates end."""
        return [(each.file, each.ends) for each in self._inforce]

    async def keep(self, told: asyncio.Event | None, look_seconds: float = LOOK_SECONDS) -> None:
        """Read the files again when *told* to, and when they have changed."""
        told = told or asyncio.Event()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(look_seconds):
                    await told.wait()
            asked = told.is_set()
            told.clear()
            if asked or self._look() != self._looks:
                self.renew()

    def renew(self) -> None:
        """Read the files again; what is wrong with them is logged, and nothing changes."""
        looks = self._look()
        try:
            self._inforce = self._read()
        except ExceptionGroup as group:
            for error in group.exceptions:
                log.error("the TLS certificates stay the old ones", reason=str(error))
        else:
            log.info("TLS certificates read again", certificates=len(self._inforce))
        self._looks = looks

    def _choose(self, connection: ssl.SSLObject, host: str | None, _context: ssl.SSLContext) -> None:
        asked = (host or "").lower()
        connection.context = next((each for each in self._inforce if each.serves(asked)), self._inforce[0]).context

    def _read(self) -> list[_Certificate]:
        settings, problems = self._settings, []
        read: list[_Certificate] = []
        for cert_file, key_file in zip(settings.tls_cert_file, settings.tls_key_file, strict=True):
            try:
                certificate = _checked(cert_file, key_file, datetime.now(UTC))
                context = _context(settings)
                context.load_cert_chain(cert_file, key_file)
                read.append(_Certificate(context, _names(certificate), cert_file, certificate.not_valid_after_utc))
            except BadSettings as error:
                problems.append(error)
            except (ssl.SSLError, OSError) as error:
                text = f"--tls-cert-file {cert_file}: it cannot be used with --tls-key-file {key_file}: {error}"
                problems.append(BadSettings(text))
        problems += _problems_of_clients(settings)
        if problems:
            raise ExceptionGroup("the TLS listener cannot be opened", problems)
        return read

    def _look(self) -> list[tuple[int, int, int] | None]:
        settings = self._settings
        clients = [settings.tls_client_ca_file] if settings.tls_client_ca_file else []
        return [_marks(path) for path in (*settings.tls_cert_file, *settings.tls_key_file, *clients)]


def _marks(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS.get(settings.tls_min_version, ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = _CLIENT_AUTH.get(settings.tls_client_auth, ssl.CERT_REQUIRED)
    if context.verify_mode is not ssl.CERT_NONE:
        context.num_tickets = 0  # a resumed session would not be asked for its certificate again
        with suppress(OSError, ssl.SSLError):  # what is wrong with the file is said elsewhere
            context.load_verify_locations(settings.tls_client_ca_file)
    return context


def _problems_of_clients(settings: Settings) -> Iterator[BadSettings]:
    """Yield what is wrong with the authority of the clients' certificates."""
    if settings.tls_client_auth == "none":
        return
    path = settings.tls_client_ca_file
    try:
        if not x509.load_pem_x509_certificates(_bytes("--tls-client-ca-file", path)):
            yield BadSettings(f"--tls-client-ca-file {path}: it holds no certificate")
    except BadSettings as error:
        yield error
    except ValueError:
        yield BadSettings(f"--tls-client-ca-file {path}: it holds no certificate in PEM form")


def _checked(cert_file: str, key_file: str, now: datetime) -> x509.Certificate:
    """Return a certificate that can be used. Raises BadSettings."""
    certificate, key = _first_certificate(cert_file), _public_key(key_file)
    if certificate.not_valid_after_utc < now:
        raise BadSettings(f"--tls-cert-file {cert_file}: it expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > now:
        start = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M}"
        raise BadSettings(f"--tls-cert-file {cert_file}: it is not valid before {start} UTC")
    if certificate.public_key().public_bytes(_ENCODING, _PUBLIC) != key:
        rule = "the certificate of the key comes first, the rest of its chain behind it"
        text = f"it does not belong to the first certificate of --tls-cert-file {cert_file}; {rule}"
        raise BadSettings(f"--tls-key-file {key_file}: {text}")
    if (end := certificate.not_valid_after_utc) < now + SOON:
        log.warning("a TLS certificate expires soon", file=cert_file, expires=f"{end:%Y-%m-%d}")
    return certificate


def _first_certificate(path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(_bytes("--tls-cert-file", path))[0]
    except ValueError as error:
        raise BadSettings(f"--tls-cert-file {path}: it holds no certificate in PEM form") from error


def _public_key(path: str) -> bytes:
    """Return the public part of a private key; the rest is forgotten at once."""
    text = _bytes("--tls-key-file", path)
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except TypeError as error:  # how the library says it
        text_of = "it is protected by a passphrase, and nobody is there to type it"
        raise BadSettings(f"--tls-key-file {path}: {text_of}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSettings(f"--tls-key-file {path}: it holds no private key in PEM form") from error
    if stat.S_IMODE(Path(path).stat().st_mode) & stat.S_IROTH:
        # Not refused: where secrets are mounted into containers this is usual, and nobody else is there.
        log.warning("everybody on this machine can read a TLS key", file=path, remedy=f"chmod o-rwx {path}")
    return key.public_key().public_bytes(_ENCODING, _PUBLIC)


def _bytes(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadSettings(f"{flag} {path}: it cannot be read: {error.strerror}") from error


def _names(certificate: x509.Certificate) -> Sequence[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(each.lower() for each in found.get_values_for_type(x509.DNSName))
