"""A new certificate authority, on request for some hosts only."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from coderai.proxy.ca import Authority, digest, key_usage
from coderai.proxy.constraints import constraints

LIFE: Final = timedelta(days=3650)
LISTENER_LIFE: Final = timedelta(days=825)
"""Some systems refuse server certificates that live longer."""
_START: Final = timedelta(days=1)
"""So long before now it begins to be valid: clients' clocks are slow."""


def new_authority(name: str, now: datetime, life: timedelta = LIFE, only: Sequence[str] = ()) -> Authority:
    """Return an authority that signs servers' certificates and no further authorities (path length 0).

    Clients believe it only what it says about the hosts in *only*, and about names below them, unless that is empty.
    Raises Invalid: not a host.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _START)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    if only:
        builder = builder.add_extension(constraints(only), critical=True)
    certificate = builder.sign(key, digest(key))
    return Authority(certificate, key, certificate.public_bytes(serialization.Encoding.PEM))
