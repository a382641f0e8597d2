"""THE main flow: one recorded request, from the caller's bytes to the last event of the answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from coderai import clients
from coderai.access.callers import Caller
from coderai.errors import StoreUnavailable, UpstreamError
from coderai.gateway.bodies import read_body
from coderai.gateway.credentials import Credential
from coderai.gateway.headers import to_client, to_upstream
from coderai.gateway.ports import Recorder
from coderai.gateway.refusals import refuse
from coderai.gateway.relay import break_off, cut_off, finish, relay, says_nothing, streamed
from coderai.gateway.upstream import Answer as UpstreamAnswer
from coderai.gateway.upstream import Call, Upstream
from coderai.gateway.watch import Flight, Watch
from coderai.gateway.whole import Whole, read_whole
from coderai.ids import new_id
from coderai.providers.family import Route
from coderai.providers.registry import Instance
from coderai.records import Answer, Ask, End, Ending, ErrorType, Interception
from coderai.wire.apis import WIRES, StreamReader, Wire
from coderai.wire.body import decoded

NOT_STORED = "the audit records of this answer cannot be stored; try again later"
BACKGROUND = "background requests are currently not supported by AI Gateway"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: who asks whom, with which credential."""

    request: web.BaseRequest
    caller: Caller
    instance: Instance
    route: Route
    credential: Credential
    query: str


class Exchanges:
    """Carries recorded requests. Everything it needs is an argument; it keeps no state between requests."""

    def __init__(self, recorder: Recorder, upstream: Upstream, watch: Watch, max_bytes: int) -> None:
        self._recorder = recorder
        self._upstream = upstream
        self._watch = watch
        self._max_bytes = max_bytes

    async def handle(self, admitted: Admitted, wire: Wire) -> web.StreamResponse:
        """Serve one request. Raises errors of our tree for what is refused before anything was recorded."""
        request = admitted.request
        body = await read_body(request, self._max_bytes)
        encoding = request.headers.get("Content-Encoding", "")
        plain = decoded(body, encoding, self._max_bytes) if encoding else body
        ask = wire.read_request(plain)
        interception = _interception(admitted, ask, wire)
        await self._recorder.begin(interception)  # no record, no call

        with self._watch.flight(request) as flight:
            try:
                if ask.background:
                    return await self._refused(interception, wire, 501, BACKGROUND)
                call = _call(admitted, body, plain, wire.upstream_body(plain, ask))
                del body, plain  # not held for as long as a stream lasts
                async with self._upstream.send(call, flight.limit()) as answer:
                    if answer.status < 300 and _is_stream(answer.headers):
                        return await self._stream(interception, answer, wire.StreamReader(ask), flight, request)
                    return await self._whole(interception, answer, ask, flight, request)
            except UpstreamError as error:
                return await self._no_answer(interception, flight, Ending.UNREACHABLE, str(error))
            except TimeoutError:
                text = f"{admitted.instance.name}: no answer in time"
                return await self._no_answer(interception, flight, flight.ending, text)
            except Exception as error:  # a fault of ours; aiohttp logs it and breaks off, but the record has to end
                flight.landed()
                text = f"the gateway failed: {type(error).__name__}"
                await self._store(interception, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None, None, text)
                raise
            except asyncio.CancelledError:  # the server leaves by force; what was queued before is not changed by this
                flight.landed()
                await self._store(interception, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None, None)
                raise

    async def _stream(
        self,
        interception: Interception,
        answer: UpstreamAnswer,
        reader: StreamReader,
        flight: Flight,
        request: web.BaseRequest,
    ) -> web.StreamResponse:
        wire = WIRES[interception.api]
        if await says_nothing(answer, flight):  # nothing was sent to the client yet, so it can still be told properly
            text = f"{interception.provider_name}: the provider ended the answer without a single event"
            return await self._no_answer(interception, flight, Ending.BROKEN_OFF, text)
        first_byte_at = datetime.now(UTC)
        client = streamed(request, answer.status, to_client(answer.headers))
        client.headers.setdefault("Cache-Control", "no-cache")
        client.headers["X-Accel-Buffering"] = "no"
        try:
            await client.prepare(request)
        except ConnectionResetError:
            flight.left = True  # the provider is read on all the same
        flight.streaming(client, reader, wire.KEEP_ALIVE)

        def saw_call(call_id: str) -> None:
            self._recorder.saw_call(interception, call_id)

        cut = await relay(answer, client, request, reader, flight, saw_call)
        flight.landed()
        learned = reader.close()
        ending = _ending(cut, learned, flight)
        stored = await self._store(interception, learned, ending, answer.status, first_byte_at)
        if not stored:
            await break_off(request, client, wire.error_event(NOT_STORED, reader.seam))
        elif ending is Ending.CLIENT_LEFT:
            cut_off(request)  # or it is there but takes nothing
        elif cut is not None or ending is Ending.BROKEN_OFF:
            text = _last_words(interception.provider_name, ending)
            await break_off(request, client, wire.error_event(text, reader.seam))
        else:
            await finish(answer, client, reader, flight)
        return client

    async def _whole(
        self,
        interception: Interception,
        answer: UpstreamAnswer,
        ask: Ask,
        flight: Flight,
        request: web.BaseRequest,
    ) -> web.StreamResponse:
        wire = WIRES[interception.api]
        first_byte_at = datetime.now(UTC)
        client = Whole(request, answer.status, to_client(answer.headers))
        cut = await read_whole(answer, client, flight)
        flight.landed()
        learned = _learned(wire, answer.status, client.body, ask, cut)
        if cut is None and learned.trouble and _is_half(answer.headers):
            cut = Ending.BROKEN_OFF
        ending = _ending(cut, learned, flight)
        stored = await self._store(interception, learned, ending, answer.status, first_byte_at)
        if not stored:
            return client.abandon() or refuse(wire.error_body, 503, NOT_STORED)
        if cut is not None:
            text = _last_words(interception.provider_name, ending)
            return client.abandon() or refuse(wire.error_body, 504 if ending is Ending.TIMEOUT else 502, text)
        return await client.finish()

    async def _no_answer(
        self, interception: Interception, flight: Flight, ending: Ending, text: str
    ) -> web.StreamResponse:
        flight.landed()
        status = 503 if ending is Ending.CANCELLED else 504 if ending is Ending.TIMEOUT else 502
        if flight.client_gone:
            ending = Ending.CLIENT_LEFT
        return await self._refused(interception, WIRES[interception.api], status, text, ending)

    async def _refused(
        self, interception: Interception, wire: Wire, status: int, text: str, ending: Ending = Ending.REFUSED
    ) -> web.StreamResponse:
        stored = await self._store(interception, Answer(ending=ending), ending, status, None, text)
        return refuse(wire.error_body, status, text) if stored else refuse(wire.error_body, 503, NOT_STORED)

    async def _store(
        self,
        interception: Interception,
        learned: Answer,
        ending: Ending,
        status: int | None,
        first_byte_at: datetime | None,
        text: str = "",
    ) -> bool:
        """Return whether the records are durable; if not, the recorder keeps trying, but the client sees no end."""
        end = End(
            answer=learned,
            ending=ending,
            http_status=status,
            error_type=learned.error_type or _ERROR_TYPES.get(ending),
            error_message=learned.error_message or text or _WORDS.get(ending, ""),
            first_byte_at=first_byte_at,
        )
        try:
            await self._recorder.end(interception, end)
        except StoreUnavailable:
            return False
        return True


_ERROR_TYPES: Mapping[Ending, ErrorType] = {
    Ending.UPSTREAM_ERROR: ErrorType.UNKNOWN,
    Ending.BROKEN_OFF: ErrorType.UNKNOWN,
    Ending.UNREACHABLE: ErrorType.UNKNOWN,
    Ending.TIMEOUT: ErrorType.TIMEOUT,
    Ending.CLIENT_LEFT: ErrorType.UNKNOWN,
    Ending.CANCELLED: ErrorType.UNKNOWN,
    Ending.REFUSED: ErrorType.BAD_REQUEST,
}

_WORDS: Mapping[Ending, str] = {
    Ending.BROKEN_OFF: "the provider broke off",
    Ending.TIMEOUT: "the provider was silent for too long",
    Ending.CLIENT_LEFT: "the client left before the end",
    Ending.CANCELLED: "the gateway was stopped before the end",
}


def _last_words(provider: str, ending: Ending) -> str:
    return f"{provider}: {_WORDS.get(ending, 'the answer could not be completed')}"


def _ending(cut: Ending | None, learned: Answer, flight: Flight) -> Ending:
    if flight.client_gone and cut is not Ending.CANCELLED:
        return Ending.CLIENT_LEFT
    return learned.ending if cut is None else cut


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


def _interception(admitted: Admitted, ask: Ask, wire: Wire) -> Interception:
    request, caller, instance = admitted.request, admitted.caller, admitted.instance
    client = clients.identify(request.headers, ask)
    return Interception(
        id=new_id(),
        started_at=datetime.now(UTC),
        initiator_id=caller.user_id,
        initiator_name=caller.username,
        api_key_id=caller.token_id,
        provider=instance.family.name if instance.family else "",
        provider_name=instance.name,
        model=ask.model,
        api=wire.API,
        stream=ask.stream,
        client=client.label,
        user_agent=request.headers.get("User-Agent", ""),
        client_session_id=client.session_id,
        tool_result_id=ask.tool_result_id,
        credential_kind=admitted.credential.kind,
        credential_hint=admitted.credential.hint,
        metadata={"Username": caller.username},
        prompt=ask.prompt,
    )


def _call(admitted: Admitted, body: bytes, plain: bytes, edited: bytes) -> Call:
    """Return what goes upstream: the client's bytes as they came, or the edited ones without the old encoding."""
    instance, credential = admitted.instance, admitted.credential
    defaults = {"Content-Type": "application/json", **(instance.family.headers if instance.family else {})}
    headers = to_upstream(admitted.request.raw_headers, defaults)
    headers.append(credential.as_sent())
    if edited is not plain:
        headers = [header for header in headers if header[0].lower() != b"content-encoding"]
        body = edited
    return Call("POST", instance.url(admitted.route.path, admitted.query), headers, body)
