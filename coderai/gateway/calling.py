"""From a request that may go upstream to an answer: may it go at all, with which key, how often is it tried.

Everything here happens before a byte of an answer went to the client. In this order: circuit breaker, keys, retries.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol

from coderai.access.redaction import Redaction
from coderai.errors import BrokenOff, KeysExhausted, Unreachable
from coderai.gateway.credentials import Credential, central
from coderai.gateway.headers import Headers
from coderai.gateway.observing import timed
from coderai.gateway.translated import translated
from coderai.gateway.upstream import Answer, Call, Upstream
from coderai.gateway.watch import Flight
from coderai.observe import logs
from coderai.observe.timeline import current
from coderai.providers.breaker import Breakers, Name, Permit, State, judge
from coderai.providers.dialect import Outgoing
from coderai.providers.family import Route
from coderai.providers.keys import REFUSALS, KeyPool
from coderai.providers.registry import Instance
from coderai.providers.retries import NO_RETRIES, Retries, asked_wait, worth_another_try
from coderai.records import Ask, Ending, ErrorType
from coderai.wire.apis import WIRES

log = logs.get("gateway")

LAST_WORDS_BYTES: Final = 1 << 16
LAST_WORDS_SECONDS: Final = 2.0
"""Of an answer that nobody will see this much is read, for at most this long, so that its connection can be used again;
otherwise it is closed."""


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
    said: str = ""
    """Set here: what the provider said when it refused the last key; kept for the record, not shown to the client."""
    ending: Ending | None = None
    """Set by the caller before the answer is left: how it ended. The circuit breaker learns from it."""
    error_type: ErrorType | None = None
    """The same: what was wrong with it."""
    redaction: Redaction = field(default_factory=Redaction)
    """Knows the secrets of this call, for what is written down about it."""


class Dumping(Protocol):
    """Sends a call as ``Upstream`` does, and writes down what goes and what comes; see ``dump.Dumps``."""

    def send(self, call: Call, limit: asyncio.Timeout, job: Job) -> AbstractAsyncContextManager[Answer]: ...


class Calling:
    """Gets answers from providers. Without *retries* and *breakers* every call goes out, once per key."""

    def __init__(
        self,
        upstream: Upstream,
        retries: Retries = NO_RETRIES,
        breakers: Breakers | None = None,
        now: Callable[[], float] = time.time,
        dumps: Dumping | None = None,
    ) -> None:
        self.upstream = upstream
        self.retries = retries
        self.breakers = breakers
        self.now = now
        self.dumps = dumps

    def answered(self, job: Job, flight: Flight) -> AbstractAsyncContextManager[Answer]:
        """Give the provider's answer to *job*; leaving the context early closes the connection.

        Entering raises UpstreamError (Unreachable, CircuitOpen, KeysExhausted) or TimeoutError.
        """
        return _Answering(self, job, flight)


class _Answering:
    """One job on its way. A class, because a generator for each request is felt on the hot path."""

    __slots__ = ("_calling", "_flight", "_job", "_made", "_permit", "_sending", "_since", "_status")

    def __init__(self, calling: Calling, job: Job, flight: Flight) -> None:
        self._calling = calling
        self._job = job
        self._flight = flight
        self._sending: AbstractAsyncContextManager[Answer] | None = None
        self._permit: Permit | None = None
        self._made = 0
        self._since = 0.0
        self._status = 0

    async def __aenter__(self) -> Answer:
        job, breakers = self._job, self._calling.breakers
        if breakers is None or job.ask is None:
            answer = await self._tried()
        else:
            dialect = job.instance.dialect
            model = job.ask.model if dialect is None else dialect.model(job.ask.model)
            self._permit = breakers.enter(job.instance.name, job.route.pattern, model)
            answer = await self._judged(self._permit)
        job.body = b""
        self._status = answer.status
        return answer

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        permit, job = self._permit, self._job
        if permit is not None and job.ending is None:  # nobody knows how it ended
            permit.give_back()
        elif permit is not None and job.ending is not None:
            own_key = job.credential.kind == "byok"
            judge(permit, job.ending, self._status, job.error_type, own_key=own_key)
        await self._hang_up()

    async def _judged(self, permit: Permit) -> Answer:
        """Get the answer; what fails before there is one is judged here."""
        answer = None
        try:
            answer = await self._tried()
        except Unreachable:
            if not self._flight.client_gone:
                permit.failed()
            raise
        except TimeoutError:
            if self._flight.ending is Ending.TIMEOUT:
                permit.failed()
            raise
        except KeysExhausted as error:
            if error.status == 429 and self._status:  # the provider has just said so itself
                permit.failed()
            raise
        finally:
            if answer is None:
                permit.give_back()
        return answer

    async def _tried(self) -> Answer:
        """Return the answer to the first key that is not refused."""
        job = self._job
        pool = job.instance.keys
        if job.credential.kind == "byok" or not len(pool):
            return await self._tried_with(job.credential.as_sent())
        for key in pool.walk(job.session):
            job.hint = key.hint
            if (timeline := current()) is not None:
                timeline.keys += 1
            answer = await self._tried_with(central(job.instance, key))
            if answer.status not in REFUSALS:
                pool.worked(key, job.session)
                return answer
            self._status = answer.status
            asked = asked_wait(answer.headers, self._calling.now())
            pool.failed(key, answer.status, asked)
            log.warning(
                "provider key refused",
                provider=job.instance.name,
                key=key.hint,
                status=answer.status,
                retry_after=asked,
            )
            if _shown(pool, answer.status) or self._flight.client_gone:
                return answer
            job.said = await self._last_words(answer)
        raise pool.exhausted()

    async def _tried_with(self, credential: Headers) -> Answer:
        """Return an answer that no further try is likely to better, or that no time is left to better."""
        while True:
            try:
                answer = await self._sent(credential)
            except Unreachable as error:
                pause = self._pause(None)
                if pause is None:
                    raise
                self._tell(pause, reason=str(error))
            else:
                if answer.status < 400 or not worth_another_try(answer.status, answer.headers):
                    return answer
                pause = self._pause(asked_wait(answer.headers, self._calling.now()))
                if pause is None:
                    return answer
                self._tell(pause, status=answer.status)
                await self._last_words(answer)
            await self._flight.pause(pause)
            self._made += 1

    async def _sent(self, credential: Headers) -> Answer:
        """Send once. For an instance with a dialect each try is translated and signed anew."""
        job = self._job
        instance, dialect = job.instance, job.instance.dialect
        url = instance.url(job.route.path, job.query)
        headers = [*job.headers, *credential]
        if dialect is None:
            call = Call(job.method, url, headers, job.body)
        else:
            outgoing = Outgoing(job.method, url, headers, job.body)
            outgoing = await dialect.translate(outgoing, job.route, job.ask or Ask())
            job.hint = outgoing.hint
            job.redaction.learn(*outgoing.secrets)
            call = Call(outgoing.method, outgoing.url, outgoing.headers, outgoing.body)
        if not self._since:
            self._since = asyncio.get_running_loop().time()
        self._flight.turns += 1  # each try has the whole patience
        limit, dumps = self._flight.limit(), self._calling.dumps
        sending = self._calling.upstream.send(call, limit) if dumps is None else dumps.send(call, limit, job)
        timeline = current()
        answer = await (sending.__aenter__() if timeline is None else timed(timeline, sending, job.hint))
        self._sending = sending
        return answer if dialect is None else translated(answer, dialect)

    def _pause(self, asked: float | None) -> float | None:
        """Return how long to wait before the next try, None when there is none: nobody waits for it, or it might do
        twice what should be done once (making a conversation; a model's answer is as good as another)."""
        if self._flight.client_gone or (self._job.ask is None and self._job.method not in ("GET", "HEAD")):
            return None
        elapsed = asyncio.get_running_loop().time() - self._since
        return self._calling.retries.pause(self._made, elapsed, asked)

    def _tell(self, pause: float, **why: object) -> None:
        name = self._job.instance.name
        log.info("call to provider is tried again", provider=name, retry=self._made + 1, pause=round(pause, 3), **why)

    async def _last_words(self, answer: Answer) -> str:
        """Read an answer that nobody will see, give its connection back, and return the error that it tells of."""
        body = b""
        try:
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                while len(body) < LAST_WORDS_BYTES and (chunk := await answer.read()):
                    body += chunk
        except (BrokenOff, TimeoutError):
            pass
        finally:
            await self._hang_up()
        api = self._job.route.api
        return f"{answer.status} {WIRES[api].read_error(answer.status, body)[1]}" if api is not None else ""

    async def _hang_up(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            await sending.__aexit__(None, None, None)


def _shown(pool: KeyPool, status: int) -> bool:
    """Tell whether a refusal of a key goes to the client as it is: its only key was asked too often. A key that does
    not work is nothing that the client could mend, and tools take a 401 for the end of their own session."""
    return len(pool) == 1 and status != 401


def told(name: Name, before: State, after: State) -> None:
    """Log a change of a circuit's state."""
    log.warning(
        "circuit breaker state change",
        provider=name.instance,
        endpoint=name.route,
        model=name.model,
        **{"from": str(before), "to": str(after)},
    )
