"""Does this machine come through the proxy, and does it trust what the proxy shows? Asked as a tool would ask."""

import base64
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from coderai.errors import Invalid
from coderai.gateway.proxied import proxy_rule

USUAL_HOSTS: Final = ("api.anthropic.com", "api.openai.com", "api.individual.githubcopilot.com")
HOW: Final = "X-AI-Gateway-Proxy"
"""In the proxy's 200: how the tunnel is handled."""
_SECONDS: Final = 5.0
_INSTEAD: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
"""Variables with a file that is trusted instead of what the system trusts."""
_BESIDES: Final = ("NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE")
_WRONG_HOST: Final = 62
_FORBIDDEN: Final = (47, 48)
"""Name constraints, in OpenSSL's numbers."""

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Trust:
    """What one kind of tools trusts on this machine."""

    name: str
    file: Path | None
    """None: what the system trusts."""
    besides: bool = False
    """Together with what the system trusts."""

    def context(self) -> ssl.SSLContext:
        """Return how such a tool connects. Raises Trouble: the file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.file is None or self.besides:
            context.set_default_verify_paths()
        if self.file is not None:
            try:
                context.load_verify_locations(self.file)
            except OSError as error:
                why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
                raise TrustTrouble(f"{self.name} names {self.file}, which cannot be used: {why}") from error
        return context

    def __str__(self) -> str:
        return f"{self.name}={self.file}" if self.file is not None else self.name


class Trouble(Exception):
    """Why a tool would fail, in one line."""


class ProxyTrouble(Trouble):
    """With every host, whatever is trusted."""


class TrustTrouble(Trouble):
    """With every host, as long as this is trusted."""


class TunnelTrouble(Trouble):
    """With a host that is not intercepted."""


@dataclass(frozen=True, slots=True)
class Way:
    """The proxy, as a client's setting names it."""

    scheme: str
    host: str
    port: int
    credentials: str = field(repr=False)
    """``user:password``, decoded."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def way_to(url: str) -> Way:
    """Read the address of a proxy. Raises Invalid, without repeating what may be a secret."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("the proxy's address is none; it looks like https://coder:TOKEN@proxy.example.com:8888")
    credentials = unquote(parts.username or "") + ":" + unquote(parts.password or "")
    return Way(parts.scheme, parts.hostname, port, "" if credentials == ":" else credentials)


def trusts(environ: Mapping[str, str], cacert: Path | None = None) -> Sequence[Trust]:
    """Return what tools on this machine trust: *cacert* when it is given, else what the variables say."""
    if cacert is not None:
        return [Trust("--cacert", cacert)]
    found = [Trust(name, Path(environ[name])) for name in _INSTEAD if environ.get(name)]
    found += [Trust(name, Path(environ[name]), besides=True) for name in _BESIDES if environ.get(name)]
    return found or [Trust("the system's certificates", None)]


def passed_by(environ: Mapping[str, str], hosts: Sequence[str]) -> Iterator[tuple[State, str]]:
    """Say what in the environment keeps tools from asking the proxy."""
    upper, lower = environ.get("HTTPS_PROXY"), environ.get("https_proxy")
    if upper and lower and upper != lower:
        yield "warn", "HTTPS_PROXY and https_proxy are different: some tools take the one, some the other"
    for name in ("NO_PROXY", "no_proxy"):
        for host in hosts:
            rule = proxy_rule({"HTTPS_PROXY": "http://proxy", "NO_PROXY": environ.get(name, "")})
            if rule is not None and rule("https", host) is None:
                yield "fail", f"{name} holds {host}: tools ask it directly, past the proxy"


def tried(way: Way, trusted: Sequence[Trust], hosts: Sequence[str], *, wanted: bool) -> Iterator[tuple[State, str]]:
    """Try each of *hosts* with each of *trusted*. When they are *wanted*, those not intercepted are wrong."""
    for trust in trusted:
        try:
            context = trust.context()
            for host in hosts:
                yield _seen(way, trust, context, host, wanted=wanted)
        except ProxyTrouble as trouble:
            yield "fail", str(trouble)
            return
        except TrustTrouble as trouble:
            yield "fail", str(trouble)


def _seen(way: Way, trust: Trust, context: ssl.SSLContext, host: str, *, wanted: bool) -> tuple[State, str]:
    """Say how it goes with one host. Raises ProxyTrouble, TrustTrouble."""
    try:
        how = _connected(way, trust, context, host)
    except TunnelTrouble as trouble:
        return "fail" if wanted else "warn", str(trouble)
    except (ProxyTrouble, TrustTrouble):
        raise
    except Trouble as trouble:
        return "fail", str(trouble)
    if how == "intercepted":
        return "ok", f"{host} is intercepted, and trusted by {trust}"
    if not how:
        return "fail", f"{way} is a proxy, but none of coderai: what goes to {host} is not recorded"
    text = f"{host} is not intercepted, as no provider has this host: it is reached, nothing is recorded"
    return "fail" if wanted else "ok", text


def _connected(way: Way, trust: Trust, context: ssl.SSLContext, host: str) -> str:
    """Return how the proxy treats *host*. Raises Trouble."""
    with _to_proxy(way, trust, context) as connection:
        how = _tunnel(way, connection, host)
        try:
            _shake_hands(connection, context, host)
        except ssl.SSLError as error:
            text = _untrusted(
                error, f"what {'the proxy' if how == 'intercepted' else 'it'} shows for {host}", host, trust
            )
            if how != "intercepted":
                raise TunnelTrouble(f"{host} is not intercepted, as no provider has this host; {text}") from error
            raise Trouble(text) from error
        except OSError as error:
            raise Trouble(f"{host}: the tunnel broke off in the TLS handshake: {_reason(error)}") from error
    return how


def _to_proxy(way: Way, trust: Trust, context: ssl.SSLContext) -> socket.socket:
    try:
        plain = socket.create_connection((way.host, way.port), _SECONDS)
    except OSError as error:
        text = f"the proxy {way.host}:{way.port} cannot be reached: {_reason(error)}"
        raise ProxyTrouble(text) from error
    if way.scheme == "http":
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=way.host)
    except ssl.SSLCertVerificationError as error:
        raise TrustTrouble(_untrusted(error, "the certificate of the proxy itself", way.host, trust)) from error
    except OSError as error:
        text = f"the proxy {way.host}:{way.port} speaks no TLS; write http:// instead of https://"
        raise ProxyTrouble(text) from error


def _tunnel(way: Way, connection: socket.socket, host: str) -> str:
    """Ask for a tunnel. Raises Trouble: there is none."""
    basic = base64.b64encode(way.credentials.encode()).decode()
    credentials = f"Proxy-Authorization: Basic {basic}\r\n" if way.credentials else ""
    target = f"[{host}]:443" if ":" in host else f"{host}:443"
    nothing = ProxyTrouble(f"{way} does not answer as a proxy; with TLS its address begins with https://")
    answer = HTTPResponse(connection, method="CONNECT")
    try:
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n".encode())
        answer.begin()
        if answer.status == 200:
            return answer.getheader(HOW, "")
        body = answer.read(4096).decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        raise nothing from error
    finally:
        answer.close()  # it holds the connection
    said = body.splitlines()[0] if body else answer.reason
    if answer.status == 407:
        which = "the token in its address" if way.credentials else "a request without a token"
        raise ProxyTrouble(f"the proxy refuses {which} (407): {said}")
    raise TunnelTrouble(f"the proxy refuses {host} ({answer.status}): {said}")


def _shake_hands(connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
    """By hand: the library cannot put TLS into TLS. Raises OSError."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = context.wrap_bio(incoming, outgoing, server_hostname=host)
    while True:
        try:
            inner.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            piece = connection.recv(1 << 16)
            if not piece:
                raise ConnectionResetError("the connection was closed") from None
            incoming.write(piece)
            continue
        except ssl.SSLError:
            with suppress(OSError):
                connection.sendall(outgoing.read())  # the other side may learn why
            raise
        connection.sendall(outgoing.read())
        return


def _untrusted(error: ssl.SSLError, what: str, host: str, trust: Trust) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"{host}: the TLS handshake failed: {error.reason or error}"
    if error.verify_code == _WRONG_HOST:
        return f"{what} is for another host than {host}"
    if error.verify_code in _FORBIDDEN:
        return f"{what} is signed by a CA that may not speak for {host}"
    return f"{what} is not trusted by {trust}: {error.verify_message}"


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
