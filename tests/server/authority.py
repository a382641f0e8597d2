"""A certificate authority for one test."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
DAY = timedelta(days=1)


class Authority:
    """Signs certificates; its own is at ``path``."""

    def __init__(self, directory: Path, name: str = "Authority of a test") -> None:
        self._directory = directory
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        self._own = self._signed(self._name, self._key.public_key(), (), now - DAY, now + DAY)
        self.path = directory / f"{name}.pem"
        self.path.write_bytes(self._own.public_bytes(PEM))

    def issue(
        self,
        name: str,
        names: Sequence[str] = ("localhost",),
        *,
        start: timedelta = -DAY,
        end: timedelta = 30 * DAY,
        passphrase: bytes = b"",
    ) -> tuple[str, str]:
        """Write the files of a certificate called *name* for DNS *names*; return the paths of certificate and key."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        signed = self._signed(subject, key.public_key(), names, now + start, now + end)
        cert_file, key_file = self._directory / f"{name}.crt", self._directory / f"{name}.key"
        cert_file.write_bytes(signed.public_bytes(PEM) + self._own.public_bytes(PEM))
        locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        key_file.write_bytes(key.private_bytes(PEM, PKCS8, locked))
        key_file.chmod(0o600)
        return str(cert_file), str(key_file)

    def _signed(
        self, subject: x509.Name, key: EllipticCurvePublicKey, names: Sequence[str], start: datetime, end: datetime
    ) -> x509.Certificate:
        constraints = x509.BasicConstraints(ca=not names, path_length=None)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), start, end)
        builder = builder.add_extension(constraints, critical=True)
        if names:
            found = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(found, critical=False)
        return builder.sign(self._key, hashes.SHA256())
