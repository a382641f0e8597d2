"""How a page asks the API: as its reader, by the documented routes, and in no other way."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from coderai.access.callers import Origin
from coderai.errors import CoderaiError

Query = Mapping[str, str]
NO_QUERY: Final[Query] = {}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who looks at the page: his token ('' for nobody), where he is, and by which name he called us."""

    token: str
    origin: Origin
    host: str

    @classmethod
    def by(cls, token: str, origin: Origin, host: str) -> "Sender":
        """Return who has *token*; nobody, when no header could carry it."""
        return cls(token if token.isascii() and token.isprintable() else "", origin, host)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the API said, whatever it was."""

    status: int
    body: bytes
    cookies: tuple[str, ...] = ()
    """``Set-Cookie`` headers."""

    def document(self) -> Any:
        """Return the JSON document; None for an empty body."""
        return json.loads(self.body) if self.body else None


class Streamed(Protocol):
    """An answer that is read while it comes."""

    @property
    def status(self) -> int: ...

    def chunks(self) -> AsyncIterator[bytes]: ...


class Calls(Protocol):
    """The API of this process. Raises ServerUnreachable when it does not answer (it is leaving)."""

    async def call(self, sender: Sender, method: str, path: str, query: Query, document: Any) -> Reply: ...

    def stream(self, sender: Sender, path: str, query: Query) -> AbstractAsyncContextManager[Streamed]: ...


class Refused(CoderaiError):
    """The API did not do it."""

    def __init__(self, status: int, message: str, detail: str = "", validations: Sequence[tuple[str, str]] = ()):
        super().__init__(message)
        self.status = status
        self.message = message
        self.detail = detail
        self.validations = tuple(validations)
        """Pairs of (field of the document, what is wrong with it)."""

    @classmethod
    def of(cls, reply: Reply) -> "Refused":
        """Return the refusal that *reply* is."""
        try:
            said = reply.document() or {}
            wrong = [(each["field"], each["detail"]) for each in said.get("validations") or ()]
            return cls(reply.status, said["message"], said.get("detail") or "", wrong)
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(reply.status, f"the API answered {reply.status}")

    def field(self, name: str) -> str:
        """Return what is wrong with one field; '' for nothing."""
        return "; ".join(detail for field, detail in self.validations if field == name)

    def others(self, *shown: str) -> list[str]:
        """Return what is wrong with fields that the page does not show, each with its name."""
        return [f"{field}: {detail}" for field, detail in self.validations if field not in shown]
