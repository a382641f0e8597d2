"""THE main flow: one recorded request, from the caller's bytes to the last event of the answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web

from coderai.errors import CircuitOpen, Invalid, KeysExhausted, UpstreamError
from coderai.gateway.bodies import read_body
from coderai.gateway.calling import Calling, Job
from coderai.gateway.headers import to_client, to_upstream
from coderai.gateway.ledger import NOT_STORED, Admitted, Entry, Ledger, last_words
from coderai.gateway.refusals import advice, refuse, status_of
from coderai.gateway.relay import break_off, cut_off, finish, relay, says_nothing, streamed
from coderai.gateway.upstream import Answer as UpstreamAnswer
from coderai.gateway.watch import Flight, Watch
from coderai.gateway.whole import Whole, read_whole
from coderai.observe import logs
from coderai.records import Answer, Ask, Ending, ErrorType, Interception
from coderai.wire.apis import StreamReader, Wire
from coderai.wire.body import decoded

log = logs.get("gateway")

BACKGROUND: Final = "background requests are currently not supported by AI Gateway"


@dataclass(frozen=True, slots=True)
class Running:
    """An exchange whose start is recorded."""

    admitted: Admitted
    wire: Wire
    ask: Ask
    entry: Entry
    job: Job
    flight: Flight

    @property
    def provider(self) -> str:
        """The instance's name, for what the client is told."""
        return self.admitted.instance.name


class Exchanges:
    """Carries recorded requests. Everything it needs is an argument; it keeps no state between requests."""

    def __init__(self, ledger: Ledger, calling: Calling, watch: Watch, max_bytes: int) -> None:
        self._ledger = ledger
        self._calling = calling
        self._watch = watch
        self._max_bytes = max_bytes

    async def handle(self, admitted: Admitted, wire: Wire) -> web.StreamResponse:
        """Serve one request. Raises errors of our tree for what is refused before anything was recorded."""
        request = admitted.request
        body = await read_body(request, self._max_bytes, self._watch.patience)
        encoding = request.headers.get("Content-Encoding", "")
        plain = decoded(body, encoding, self._max_bytes) if encoding else body
        ask = wire.read_request(plain)
        edited = wire.upstream_body(plain, ask)
        entry = await self._ledger.begin(admitted, ask, wire)  # no record, no call

        with self._watch.flight(request) as flight:
            flight.interception = entry.interception
            job = _job(admitted, ask, entry.interception, body, plain, edited)
            del body, plain, edited  # not held for as long as a stream lasts
            running = Running(admitted, wire, ask, entry, job, flight)
            try:
                if ask.background:
                    return await self._refused(running, 501, BACKGROUND)
                async with self._calling.answered(job, flight) as answer:
                    if answer.status < 300 and _is_stream(answer.headers):
                        return await self._stream(running, answer)
                    return await self._whole(running, answer)
            except (CircuitOpen, KeysExhausted) as error:
                return await self._not_called(running, error)
            except Invalid as error:  # turns out only when the request is put into the provider's words
                return await self._refused(running, 400, str(error))
            except UpstreamError as error:
                return await self._no_answer(running, Ending.UNREACHABLE, str(error))
            except TimeoutError:
                return await self._no_answer(running, flight.ending, f"{admitted.instance.name}: no answer in time")
            except Exception as error:  # a fault of ours; aiohttp logs it and breaks off, but the record has to end
                flight.landed()
                text = f"the gateway failed: {type(error).__name__}"
                await self._store(running, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None, None, text)
                raise
            except asyncio.CancelledError:  # the server leaves by force; what was queued before is not changed by this
                flight.landed()
                await self._store(running, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None, None)
                raise

    async def _stream(self, running: Running, answer: UpstreamAnswer) -> web.StreamResponse:
        request, wire, flight = running.admitted.request, running.wire, running.flight
        if await says_nothing(answer, flight):  # nothing was sent to the client yet, so it can still be told properly
            text = f"{running.provider}: the provider ended the answer without a single event"
            return await self._no_answer(running, Ending.BROKEN_OFF, text)
        first_byte_at = self._ledger.now()
        client = streamed(request, answer.status, to_client(answer.headers, running.admitted.redaction))
        client.headers.setdefault("Cache-Control", "no-cache")
        client.headers["X-Accel-Buffering"] = "no"
        try:
            await client.prepare(request)
        except ConnectionResetError:
            flight.left = True  # the provider is read on all the same
        reader: StreamReader = wire.StreamReader(running.ask)
        flight.streaming(client, reader, wire.KEEP_ALIVE)
        cut = await relay(answer, client, request, reader, flight, running.entry.saw_call)
        flight.landed()
        learned = reader.close()
        ending = _ending(cut, learned, flight)
        stored = await self._store(running, learned, ending, answer.status, first_byte_at)
        if not stored:
            await break_off(request, client, wire.error_event(NOT_STORED, reader.seam))
        elif ending is Ending.CLIENT_LEFT:
            cut_off(request)  # or it is there but takes nothing
        elif cut is not None or ending is Ending.BROKEN_OFF:
            await break_off(request, client, wire.error_event(last_words(running.provider, ending), reader.seam))
        else:
            failed = ending is Ending.UPSTREAM_ERROR
            held = running.admitted.redaction.data(reader.held) if failed else reader.held
            await finish(answer, client, held, flight)
        return client

    async def _whole(self, running: Running, answer: UpstreamAnswer) -> web.StreamResponse:
        request, wire, flight = running.admitted.request, running.wire, running.flight
        first_byte_at = self._ledger.now()
        client = Whole(request, answer.status, to_client(answer.headers, running.admitted.redaction))
        cut = await read_whole(answer, client, flight)
        if answer.status >= 300:
            client.redact(running.admitted.redaction)
        flight.landed()
        learned = _learned(wire, answer.status, client.body, running.ask, cut)
        if cut is None and learned.trouble and _is_half(answer.headers):
            cut = Ending.BROKEN_OFF
        ending = _ending(cut, learned, flight)
        status = answer.status if cut is None or client.begun else _refusal(ending)
        stored = await self._store(running, learned, ending, status, first_byte_at)
        if not stored:
            return client.abandon() or refuse(wire.error_body, 503, NOT_STORED)
        if cut is not None:
            return client.abandon() or refuse(wire.error_body, status, last_words(running.provider, ending))
        return await client.finish()

    async def _not_called(self, running: Running, error: CircuitOpen | KeysExhausted) -> web.StreamResponse:
        """Nothing, or nothing more, went upstream: the breaker is open or every key is cooling down."""
        status, said = status_of(error), running.job.said
        return await self._refused(
            running,
            status,
            str(error),
            Ending.UPSTREAM_ERROR if said else Ending.REFUSED,
            error_type=_NOT_CALLED[status],
            headers=advice(error),
            noted=f"; the provider said: {said}" if said else "",
        )

    async def _no_answer(self, running: Running, ending: Ending, text: str) -> web.StreamResponse:
        running.flight.landed()
        status = _refusal(ending)
        if running.flight.client_gone:
            ending = Ending.CLIENT_LEFT
        return await self._refused(running, status, text, ending)

    async def _refused(
        self,
        running: Running,
        status: int,
        text: str,
        ending: Ending = Ending.REFUSED,
        *,
        error_type: ErrorType | None = None,
        headers: Mapping[str, str] | None = None,
        noted: str = "",
    ) -> web.StreamResponse:
        """Answer ourselves; *noted* is for the record only."""
        form, entry = running.wire.error_body, running.entry
        log.info(
            "request not answered",
            provider=running.provider,
            interception_id=entry.interception.id,
            status=status,
            reason=running.admitted.redaction.text(text + noted),
        )
        learned = Answer(ending=ending, error_type=error_type)
        stored = await self._store(running, learned, ending, status, None, text + noted)
        return refuse(form, status, text, headers) if stored else refuse(form, 503, NOT_STORED)

    async def _store(
        self,
        running: Running,
        learned: Answer,
        ending: Ending,
        status: int | None,
        first_byte_at: datetime | None,
        text: str = "",
    ) -> bool:
        running.job.ending, running.job.error_type = ending, learned.error_type
        hint = running.job.hint
        return await running.entry.end(learned, ending, status, first_byte_at, text=text, hint=hint)


_NOT_CALLED: Mapping[int, ErrorType] = {
    429: ErrorType.RATE_LIMITED,
    502: ErrorType.UNAUTHORIZED,
    503: ErrorType.SERVER_ERROR,
}


def _ending(cut: Ending | None, learned: Answer, flight: Flight) -> Ending:
    if flight.client_gone and cut is not Ending.CANCELLED:
        return Ending.CLIENT_LEFT
    return learned.ending if cut is None else cut


def _refusal(ending: Ending) -> int:
    """Return the status for a client whose provider gave no answer, or no whole one."""
    return 503 if ending is Ending.CANCELLED else 504 if ending is Ending.TIMEOUT else 502


def _learned(wire: Wire, status: int, body: bytes, ask: Ask, cut: Ending | None) -> Answer:
    if status >= 300:
        kind, message = wire.read_error(status, body)
        return Answer(ending=Ending.UPSTREAM_ERROR, error_type=kind, error_message=message)
    return wire.read_answer(body, ask) if cut is None else Answer(ending=cut)


def _is_half(headers: Mapping[str, str]) -> bool:
    """Whether a body that makes no sense was cut off: without a length, the close was no proof of its end."""
    delimited = "Content-Length" in headers or "Transfer-Encoding" in headers
    return not delimited and "json" in headers.get("Content-Type", "").lower()


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").lstrip().lower().startswith("text/event-stream")


def _job(admitted: Admitted, ask: Ask, interception: Interception, body: bytes, plain: bytes, edited: bytes) -> Job:
    """Return what goes upstream: the client's bytes as they came, or the edited ones without the old encoding."""
    instance = admitted.instance
    defaults = {"Content-Type": "application/json", **(instance.family.headers if instance.family else {})}
    headers = to_upstream(admitted.request.raw_headers, defaults, admitted.actor, admitted.token)
    if edited is not plain or (instance.dialect is not None and plain is not body):
        headers = [header for header in headers if header[0].lower() != b"content-encoding"]
        body = edited
    return Job(
        instance,
        admitted.route,
        "POST",
        admitted.query,
        headers,
        body,
        admitted.credential,
        ask,
        interception.client_session_id,
        interception.id,
        redaction=admitted.redaction,
    )
