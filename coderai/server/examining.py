"""What `coderai doctor` looks at. It changes nothing but modes of files, and those only when told to."""

import http.client
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from coderai.control.vault import Vault
from coderai.durations import shortest
from coderai.errors import CoderaiError
from coderai.gateway.proxied import proxy_rule
from coderai.settings import Settings
from coderai.store.engine import open_store, revision_of
from coderai.store.locations import locate, without_secrets
from coderai.store.migrations import HEAD
from coderai.store.signs import Signs, signs

State = Literal["ok", "warn", "fail"]
_SECONDS: Final = 5.0
_SKEW: Final = timedelta(seconds=30)
_SECRET: Final = ("secret.key", "proxy-ca.key", "proxy-listener.key")
_OURS: Final = ("coderai.db", "coderai.db-wal", "coderai.db-shm", "server.json", *_SECRET)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line."""

    state: State
    what: str
    text: str


def examine_files(data_dir: Path, *, fix: bool) -> Iterator[Verdict]:
    """Look at who can read and write the data directory; with *fix* take away what others may."""
    if not data_dir.exists():
        yield Verdict("warn", "data", f"{data_dir} is not there yet; `coderai server` makes it")
        return
    if not data_dir.is_dir():
        yield Verdict("fail", "data", f"{data_dir} is no directory")
        return
    if not os.access(data_dir, os.W_OK | os.X_OK):
        yield Verdict("fail", "data", f"{data_dir} cannot be written by this user")
    open_to_others = []
    for path in (data_dir, *(data_dir / name for name in _OURS)):
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            wanted = mode & 0o700
            if fix:
                path.chmod(wanted)
            open_to_others.append(path)
            state: State = "ok" if fix else "fail" if path.name in _SECRET else "warn"
            done = f"is {wanted:04o} now" if fix else f"chmod {wanted:o} {path}, or --fix"
            yield Verdict(state, "data", f"others had access to {path} (mode {mode:04o}): {done}")
    if not open_to_others:
        yield Verdict("ok", "data", f"{data_dir}, for its owner only")


async def examine_database(settings: Settings, now: datetime) -> tuple[Sequence[Verdict], Signs | None]:
    """Look at the database; give what was seen, if it could be opened."""
    url, name = settings.database, without_secrets(settings.database)
    try:
        path = locate(url).path
        if path is not None and not path.exists():
            return [Verdict("warn", "database", f"{path} is not there yet; `coderai server` makes it")], None
        schema = await revision_of(url)
        if schema != HEAD:
            text = f"{name} has schema {schema or 'of nobody'}, this program {HEAD}: coderai db migrate"
            return [Verdict("warn" if schema else "fail", "database", text)], None
        async with open_store(url, create=False, jobs=False) as store:
            seen = await signs(store)
            verdicts = [Verdict("ok", "database", f"{name}, schema {schema}, {seen.size / 1_000_000:.1f} MB")]
            verdicts += _judged(seen, settings, now)
            given = settings.external_token_encryption_keys.get_secret_value()
            await Vault.load(settings.data_dir, given).check(store)
            verdicts.append(Verdict("ok", "secrets", "all of them can be read with the keys here"))
            return verdicts, seen
    except CoderaiError as error:
        return [Verdict("fail", "database", str(error))], None


def _judged(seen: Signs, settings: Settings, now: datetime) -> Iterator[Verdict]:
    if seen.journal not in ("", "wal"):
        yield Verdict("warn", "database", f"its journal mode is {seen.journal}, not wal: readers and writers wait")
    if abs(seen.clock - now) > _SKEW:
        yield Verdict("warn", "clock", f"the database server's clock differs by {_apart(seen.clock, now)} s from here")
    servers = f"{seen.alive} server{'' if seen.alive == 1 else 's'} on this database"
    yield Verdict("ok" if seen.alive else "warn", "servers", servers if seen.alive else "none runs on this database")
    if seen.orphans:
        text = f"{seen.orphans} exchanges were left open by a process that is gone; a running server closes them"
        yield Verdict("warn", "records", text)
    kept = settings.aibridge_retention
    if seen.oldest is None:
        yield Verdict("ok", "records", "none yet")
    elif kept and now - seen.oldest > kept + timedelta(hours=1):
        text = f"the oldest is of {seen.oldest:%Y-%m-%d}, older than the {shortest(kept)} that they are kept"
        yield Verdict("warn", "retention", f"{text}: coderai retention run")
    else:
        yield Verdict("ok", "retention", f"oldest record of {seen.oldest:%Y-%m-%d}, kept {shortest(kept)}")


def examine_providers(
    settings: Settings, made: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> Iterator[Verdict]:
    """See whether each provider has what it takes, and its host answers. No credential is sent."""
    configured = [(each.name, each.base_url) for each in settings.providers]
    if not configured and not made:
        yield Verdict("warn", "providers", "there is none: coderai providers add, or the configuration")
    for each in settings.providers:
        if not each.keys and each.bedrock is None and not settings.aibridge_allow_byok:
            yield Verdict("fail", each.name, "it has no key, and users may not bring their own")
    proxy_for = proxy_rule(environ)
    for name, url in (*configured, *made):
        parts = urlsplit(url)
        if proxy_for is not None and proxy_for(parts.scheme, parts.hostname or ""):
            yield Verdict("ok", name, f"{parts.hostname} is reached through a proxy, which is not tried here")
        elif url:
            yield _connected(name, url)


def _connected(name: str, url: str) -> Verdict:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), _SECONDS) as plain:
            if parts.scheme != "https":
                return Verdict("ok", name, f"{host}:{port} answers, without TLS")
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
                return Verdict("ok", name, f"{host}:{port} answers, {secured.version()}")
    except OSError as error:
        return Verdict("fail", name, f"{host}:{port} cannot be reached: {_reason(error)}")


def examine_certificates(settings: Settings, now: datetime) -> Iterator[Verdict]:
    """See whether the TLS listener could be opened with its files, and for how long."""
    if not settings.tls_enable:
        return
    from coderai.server.certificates import SOON, Certificates  # X.509 takes a while to import

    try:
        certificates = Certificates(settings)
    except ExceptionGroup as group:
        yield from (Verdict("fail", "tls", str(error)) for error in group.exceptions)
        return
    for file, ends in certificates.ends:
        yield Verdict("ok" if ends > now + SOON else "warn", "tls", f"{file} is good until {ends:%Y-%m-%d}")


def examine_address(settings: Settings, now: datetime) -> Iterator[Verdict]:
    """See whether the access URL leads to a gateway whose clock is right."""
    url = settings.access_url
    if not url:
        yield Verdict("ok", "address", "no --access-url: links carry the address that a request came to")
        return
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", parts.path.rstrip("/") + "/readyz")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        yield Verdict("fail", "address", f"{url} cannot be reached: {_reason(error)}")
        return
    finally:
        connection.close()
    well = answer.status == 200
    yield Verdict("ok" if well else "fail", "address", f"{url}/readyz answers {answer.status}")
    try:
        told = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return
    if abs(told - now) > _SKEW:
        yield Verdict("warn", "clock", f"the clock at {url} differs by {_apart(told, now)} s from here")


def _apart(one: datetime, other: datetime) -> int:
    return int(abs(one - other).total_seconds())


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"its TLS certificate or handshake is not accepted ({error.reason or error})"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
