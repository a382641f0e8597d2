"""From a request that may go upstream to an answer: with which key, and how often it is tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from coderai.gateway.credentials import Credential, central
from coderai.gateway.headers import Headers
from coderai.gateway.translated import translated
from coderai.gateway.upstream import Answer, Call, Upstream
from coderai.gateway.watch import Flight
from coderai.providers.dialect import Outgoing
from coderai.providers.family import Route
from coderai.providers.keys import Key
from coderai.providers.registry import Instance
from coderai.records import Ask


@dataclass(slots=True)
class Job:
    """One request to a provider, before it is decided with which key it goes."""

    instance: Instance
    route: Route
    method: str
    query: str
    """Raw, as the client sent it."""
    headers: Headers = field(repr=False)
    """Without any credential."""
    body: bytes = field(repr=False)
    """Let go of once the provider has answered."""
    credential: Credential
    ask: Ask | None = None
    """None for what is passed through unrecorded."""
    session: str | None = None
    """The client's session: its calls stay with one key while that works."""
    id: str = ""
    """Of the interception."""
    hint: str = ""
    """Set here: the masked central key that was used last."""


class Calling:
    """Gets answers from providers."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    @asynccontextmanager
    async def answered(self, job: Job, flight: Flight) -> AsyncIterator[Answer]:
        """Give the provider's answer to *job*; leaving the context early closes the connection.

        Entering raises UpstreamError (Unreachable, CircuitOpen, KeysExhausted) or TimeoutError.
        """
        call = await self._call(job)
        job.body = b""
        async with self._upstream.send(call, flight.limit()) as answer:
            yield answer if job.instance.dialect is None else translated(answer, job.instance.dialect)

    async def _call(self, job: Job) -> Call:
        """Return one try of *job*, with its credential; for an instance with a dialect, translated and signed."""
        instance = job.instance
        url = instance.url(job.route.path, job.query)
        if instance.dialect is not None:
            outgoing = Outgoing(job.method, url, job.headers, job.body)
            outgoing = await instance.dialect.translate(outgoing, job.route, job.ask or Ask())
            return Call(outgoing.method, outgoing.url, outgoing.headers, outgoing.body)
        credential = job.credential.as_sent() if job.credential.kind == "byok" else self._key(job)
        return Call(job.method, url, [*job.headers, *credential], job.body)

    def _key(self, job: Job) -> Headers:
        key: Key | None = next(job.instance.keys.walk(job.session), None)
        if key is None:
            raise job.instance.keys.exhausted()
        job.hint = key.hint
        return central(job.instance, key)
