"""Where certificates and keys of the proxy lie, and how new ones are written."""

import os
from dataclasses import dataclass
from pathlib import Path

from coderai.errors import BadSettings, Conflict
from coderai.settings import Settings


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    cert: Path
    key: Path

    def there(self) -> list[Path]:
        """Return which of them exist."""
        return [path for path in (self.cert, self.key) if path.exists()]

    def signature(self) -> tuple[int, ...]:
        """Return numbers that change when somebody writes the files. Raises OSError."""
        seen = (self.cert.stat(), self.key.stat())
        return tuple(number for each in seen for number in (each.st_mtime_ns, each.st_size, each.st_ino))


def chosen_authority(settings: Settings) -> Pair:
    """Return where the authority is, or would be: options, else the data directory. Raises BadSettings."""
    return _given(settings.aibridge_proxy_cert_file, settings.aibridge_proxy_key_file, "") or _own_authority(settings)


def authority_files(settings: Settings) -> Pair:
    """Return the authority's files. Raises BadSettings when nobody has made or named one."""
    chosen = chosen_authority(settings)
    if not chosen.there() and not settings.aibridge_proxy_cert_file:
        raise BadSettings(
            f"the proxy needs an interception CA: `coderai proxy ca create` makes {chosen.cert}, "
            "or name one with --aibridge-proxy-cert-file and --aibridge-proxy-key-file"
        )
    return chosen


def chosen_listener(settings: Settings) -> Pair:
    """Return where the listener's certificate is, or would be. Raises BadSettings."""
    own = Pair(settings.data_dir / "proxy-listener.pem", settings.data_dir / "proxy-listener.key")
    return listener_files(settings) or own


def listener_files(settings: Settings) -> Pair | None:
    """Return the files of the proxy's TLS listener; None: it listens without TLS. Raises BadSettings."""
    return _given(settings.aibridge_proxy_tls_cert_file, settings.aibridge_proxy_tls_key_file, "tls-")


def _own_authority(settings: Settings) -> Pair:
    return Pair(settings.data_dir / "proxy-ca.pem", settings.data_dir / "proxy-ca.key")


def _given(cert: str, key: str, which: str) -> Pair | None:
    if bool(cert) != bool(key):
        flag, other = (
            f"--aibridge-proxy-{which}{name}-file" for name in (("cert", "key") if cert else ("key", "cert"))
        )
        raise BadSettings(f"{flag} is set without {other}: set both or neither")
    return Pair(Path(cert), Path(key)) if cert else None


def read_certificate(path: Path) -> bytes:
    """Return the content of *path*. Raises BadSettings."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettings(f"the certificate {path} cannot be read: {error.strerror}") from error


def check_free(pair: Pair) -> None:
    """Raises Conflict when one of the files exists."""
    if there := pair.there():
        raise Conflict(f"{there[0]} exists and is left alone: move it away first")


def write_new(pair: Pair, cert_pem: bytes, key_pem: bytes) -> None:
    """Write both files, the key for its owner only. Raises Conflict when one exists, BadSettings."""
    check_free(pair)
    _write(pair.key, key_pem, 0o600)
    try:
        _write(pair.cert, cert_pem, 0o644)
    except (Conflict, BadSettings):
        pair.key.unlink()
        raise


def _write(path: Path, content: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        if path.exists():
            raise Conflict(f"{path} exists and is left alone: move it away first") from error
        raise BadSettings(f"{path} cannot be written: {path.parent} is no directory") from error
    except OSError as error:
        raise BadSettings(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)  # whatever the umask says
        file.flush()
        os.fsync(file.fileno())
