"""The command line's HTTP client: one connection to the API, over TCP, a unix socket, or a pair of sockets."""

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from coderai import __version__
from coderai.cli.errors import Refused
from coderai.cli.shapes import ErrorBody, read
from coderai.cli.target import Remote
from coderai.errors import CoderaiError, ServerUnreachable

T = TypeVar("T")
Query = Mapping[str, str | None]


class Api:
    """Calls the API of one server."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        where: str,
        *,
        prefix: str = "",
        token: str | None = None,
        address: str = "",
    ) -> None:
        self.address = address
        """Where tools reach the same server; empty when it listens nowhere."""
        self._connection = connection
        self.where = where
        """The same for people; also of a server that does not listen."""
        self._prefix = prefix
        self._headers = {"Accept": "application/json", "User-Agent": f"coderai/{__version__}"}
        if token:
            self._headers["Coder-Session-Token"] = token
        self.has_token = bool(token)
        """False for the local owner, and for nobody."""

    def get(self, path: str, query: Query | None = None) -> bytes:
        """Return the body of a GET; members of *query* that are None are left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self.call("GET", f"{path}?{urlencode(given)}" if given else path)

    def read(self, path: str, shape: type[T], query: Query | None = None) -> T:
        """Return the document of a GET."""
        return read(self.get(path, query), shape)

    def call(self, method: str, path: str, document: Any = None) -> bytes:
        """Return the body of an answer.

        Raises Refused for an error status, ServerUnreachable when there was no answer.
        """
        status, location, content = self._exchange(method, path, document, self._headers)
        if status < 300:
            return content
        raise self._refused(status, location, content, signing_in=path.endswith("/users/login"))

    def ask_as_tool(self, path: str, document: Any, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Call a model as a tool would, and return status and body whatever they are. Raises ServerUnreachable."""
        token = self._headers.get("Coder-Session-Token", "")
        own = {"User-Agent": self._headers["User-Agent"], "Authorization": f"Bearer {token}"}
        status, _, content = self._exchange("POST", path, document, own | dict(headers))
        return status, content

    def _exchange(
        self, method: str, path: str, document: Any, headers: Mapping[str, str]
    ) -> tuple[int, str | None, bytes]:
        body = None if document is None else json.dumps(document).encode()
        sent = {**headers, "Content-Type": "application/json"} if body is not None else {**headers}
        try:
            self._connection.request(method, self._prefix + path, body, sent)
            answer = self._connection.getresponse()
            return answer.status, answer.getheader("Location"), answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnreachable(f"no answer from {self.where}: {_reason(error)}") from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _refused(self, status: int, location: str | None, content: bytes, *, signing_in: bool) -> Refused:
        if location and status < 400:
            return Refused(status, f"{self.where} sends elsewhere: use --url with the address in {location}")
        try:
            body = read(content, ErrorBody)
        except CoderaiError:
            body = ErrorBody()
        message = body.message or f"{self.where} answered with status {status}"
        detail = body.detail
        if status == 401 and signing_in:
            message, detail = detail or message, ""
        elif status == 401 and not self.has_token:
            detail = "No token was given: sign in with `coderai login`, use --token, or set CODERAI_TOKEN."
        return Refused(status, message, detail, tuple((wrong.field, wrong.detail) for wrong in body.validations))


def segment(value: str) -> str:
    """Return *value* as one segment of a path. Raises CoderaiError for what no path can hold."""
    if value in ("", ".", ".."):
        raise CoderaiError(f"{value!r} is no id and no name")
    return quote(value, safe="")


def to_url(remote: Remote, seconds: float) -> Api:
    """Return the API at an address; nothing is connected before the first call."""
    parts = urlsplit(remote.url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=seconds, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=seconds)
    prefix = parts.path.rstrip("/")
    return Api(connection, remote.url, prefix=prefix, token=remote.token, address=remote.url)


def over(connected: socket.socket, where: str, seconds: float, *, address: str = "") -> Api:
    """Return the API at the other end of a connected socket, where every request is the local owner's.

    *address* is where the same server listens for tools.
    """
    connected.settimeout(seconds)
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connected
    connection.auto_open = 0
    return Api(connection, where, address=address)


def _reason(error: Exception) -> str:
    match error:
        case ssl.SSLError():
            return f"its TLS certificate or handshake was not accepted ({error.reason or 'unknown reason'})"
        case TimeoutError():
            return "it took too long (see --timeout)"
        case socket.gaierror():
            return "its name cannot be resolved"
        case OSError() if error.strerror:
            return error.strerror
        case http.client.RemoteDisconnected():
            return "the connection was closed without an answer"
        case _:
            return type(error).__name__
