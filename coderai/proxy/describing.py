"""What people want to know of a certificate."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from coderai.errors import Invalid
from coderai.proxy.ca import SOON
from coderai.proxy.constraints import constrained_to
from coderai.proxy.files import Pair


@dataclass(frozen=True, slots=True)
class Described:
    """One certificate."""

    pem: str
    subject: str
    names: list[str]
    """Hosts it is for; none when it is an authority."""
    only: list[str]
    """Hosts it may speak for; none: all."""
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256, as tools and browsers write it."""
    cert: Path | None
    key: Path | None

    def ends_soon(self, now: datetime) -> bool:
        """Whether somebody has to do something about it."""
        return self.not_after - now < SOON

    def document(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "subject": self.subject,
            "names": self.names,
            "constrained_to": self.only,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "fingerprint_sha256": self.fingerprint,
            "certificate_file": str(self.cert) if self.cert else "",
            "key_file": str(self.key) if self.key else "",
        }


def described(pem: bytes, pair: Pair | None = None) -> Described:
    """Return what is known of the first certificate in *pem*. Raises Invalid."""
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise Invalid("this is no certificate in PEM form") from error
    return Described(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        certificate.subject.rfc4514_string(),
        host_names(certificate),
        constrained_to(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        pair.cert if pair else None,
        pair.key if pair else None,
    )


def host_names(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses that *certificate* is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
