"""One relayed WebSocket: messages in both directions, each answer recorded like that of an HTTP request."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from coderai.errors import CoderaiError, Conflict, Invalid
from coderai.gateway.ledger import NOT_STORED, Admitted, last_words
from coderai.gateway.observing import asked, concluded, observed
from coderai.gateway.refusals import status_of
from coderai.gateway.watch import Flight
from coderai.gateway.websocket_means import Means
from coderai.gateway.websocket_side import (
    BAD_TEXT,
    FAILED,
    GOING_AWAY,
    NORMAL,
    NOT_ALLOWED,
    RESTARTED,
    Closed,
    Frame,
    Side,
)
from coderai.gateway.websocket_turns import Turn
from coderai.observe import logs
from coderai.providers.breaker import judge
from coderai.records import Answer, Ask, Ending
from coderai.wire import responses
from coderai.wire.response_frames import (
    Kind,
    Message,
    created_model,
    error_message,
    lane_of,
    read_message,
    steer_refused,
)

log = logs.get("gateway")

LANES: Final = 16
"""Answers that may be under way on one socket; a request beyond waits, as one does whose lane is taken."""

_LARGE_BYTES: Final = 1 << 20
"""A message above is read in a thread: what is no request is read by a slow but exact parser."""

STOPPING: Final = "AI Gateway is shutting down"
BACKGROUND: Final = "background requests are currently not supported by AI Gateway"
NO_STEERING: Final = "answers cannot be steered through AI Gateway: send the input as a request of its own"
UNRECORDED: Final = "AI Gateway cannot record input in a message of this type: send it with response.create"


Admit = Callable[[], Awaitable[Admitted]]
"""Looks at token, rate, provider and credential anew, as for each request over HTTP. Raises what refuses it, and
Conflict when it would not go the way any more that the socket leads."""


class Talk:
    """Carries messages until one side has left, or has to. *hint* is the central key in use, masked."""

    def __init__(self, means: Means, admitted: Admitted, admit: Admit, client: Side, upstream: Side, hint: str) -> None:
        self._means = means
        self._admitted = admitted
        self._admit = admit
        self._client = client
        self._upstream = upstream
        self._hint = hint
        self._turns: dict[str, Turn] = {}
        """By lane: answers under way."""
        self._changed = asyncio.Event()
        self._leaving = asyncio.Event()
        self._farewell = Closed()
        self._prompt: str | None = None
        """Of the last warm-up: its words are not repeated in the request that follows."""
        self._active_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Return when everything is recorded and both sides are closed."""
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(self._hear_client(tasks), name="websocket client"),
                tasks.create_task(self._hear_upstream(tasks), name="websocket upstream"),
                tasks.create_task(self._keep_alive(), name="websocket keep-alive"),
            ]
            await self._leaving.wait()
            while self._turns:
                await self._change()
            for loop in loops:
                loop.cancel()
        async with asyncio.TaskGroup() as tasks:
            for side in (self._client, self._upstream):
                tasks.create_task(side.close(self._farewell.code, self._farewell.reason), name="websocket close")

    def leave(self, code: int = NORMAL, reason: str = "") -> None:
        """Close both sides with that code as soon as nothing is under way; the first word counts."""
        if not self._leaving.is_set():
            self._farewell = Closed(code, reason)
            self._leaving.set()

    # --- the client

    async def _hear_client(self, tasks: asyncio.TaskGroup) -> None:
        while isinstance(heard := await self._client.receive(), Frame):
            await self._take(heard, tasks)
            del heard  # not held until the next one comes
        for turn in self._turns.values():
            turn.flight.left = True  # the provider is read on for the usage
        await self._client.close(heard.code, heard.reason)  # before the provider has come to an end
        self.leave(GOING_AWAY if heard.lost else heard.code, heard.reason)

    async def _take(self, frame: Frame, tasks: asyncio.TaskGroup) -> None:
        """Pass a message on; a request waits until its lane is free, and what comes after it waits with it."""
        try:
            large = len(frame.data) > _LARGE_BYTES
            message = await asyncio.to_thread(_read, frame) if large else _read(frame)
        except UnicodeDecodeError:
            self.leave(BAD_TEXT, "a text message is not UTF-8")
            return
        except Invalid as error:
            await self._say(error_message(400, str(error)))
            return
        match message.kind:
            case Kind.CALL | Kind.WARM_UP:
                while message.lane in self._turns or len(self._turns) >= LANES:
                    await self._change()
                if not self._client_gone():
                    await self._begin_turn(message, frame, tasks).sent.wait()
            case Kind.STEER:
                await self._say(steer_refused(frame.data, NO_STEERING))
            case Kind.OTHER if message.ask.prompt is not None:
                await self._say(error_message(400, UNRECORDED, message.lane))
            case Kind.OTHER:
                for turn in self._turns.values():
                    turn.reader.disturbed = True
                await self._upstream.send(frame)

    def _client_gone(self) -> bool:
        transport = self._admitted.request.transport
        return self._client.closed or transport is None or transport.is_closing()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    # --- one answer

    def _begin_turn(self, message: Message, frame: Frame | None, tasks: asyncio.TaskGroup) -> Turn:
        now = self._active_at = asyncio.get_running_loop().time()
        turn = Turn(message, frame, Flight(self._admitted.request, now))
        self._turns[message.lane] = turn
        tasks.create_task(self._carry(turn), name="websocket answer")
        return turn

    async def _carry(self, turn: Turn) -> None:
        """See one request through: start recorded, sent, answered, end recorded, end released."""
        with ExitStack() as held:
            held.callback(self._let_go, turn)
            if self._means.observers:
                traceparent = self._admitted.request.headers.get("traceparent", "")
                held.enter_context(observed(self._means.observers, "GET", traceparent))
            turn.flight = held.enter_context(self._means.watch.flight(self._admitted.request))
            turn.flight.left = self._client.closed
            try:
                if await self._begun(turn, held):
                    await self._answered(turn)
                    await self._end(turn)
            except Exception as error:  # a fault of ours; the record has to end all the same
                text = f"the gateway failed: {type(error).__name__}"
                await self._store(turn, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None, text)
                raise
            except asyncio.CancelledError:  # the server leaves by force
                await self._store(turn, Answer(ending=Ending.CANCELLED), Ending.CANCELLED, None)
                raise

    def _let_go(self, turn: Turn) -> None:
        del self._turns[turn.message.lane]
        self._active_at = asyncio.get_running_loop().time()
        for event in (turn.begun, turn.sent, turn.gone):
            event.set()
        self._changed.set()

    async def _begun(self, turn: Turn, held: ExitStack) -> bool:
        """Record the start, or refuse; the socket stays usable, unless the token is no longer good."""
        if self._leaving.is_set():
            await self._say(error_message(503, STOPPING, turn.message.lane))
            return False
        try:
            await self._admitted_again(turn, held)
        except CoderaiError as error:
            status = 503 if isinstance(error, Conflict) else status_of(error)
            await self._refuse(turn, status, str(error))
            if isinstance(error, Conflict):
                self.leave(RESTARTED, "the provider was changed")
            elif status in (401, 403):
                self.leave(NOT_ALLOWED, "not allowed any more")
            elif turn.frame is None:  # an answer that nobody recorded must not go on
                self.leave(FAILED, "the audit records cannot be stored")
            return False
        if turn.message.ask.background:
            await self._refuse(turn, 501, BACKGROUND)
            return False
        return True

    async def _admitted_again(self, turn: Turn, held: ExitStack) -> None:
        """Do what HTTP does for each request. Raises what refuses it."""
        means, admitted, message = self._means, self._admitted, turn.message
        if turn.frame is not None:
            held.enter_context(means.limits.place())
            admitted = await self._admit()
        ask = self._asked(message)
        if message.kind is Kind.WARM_UP:
            return
        turn.session = means.sessions.of(admitted.caller.user_id, message.previous)
        session = turn.session if ask.tool_result_id is None else None  # else it joins the thread of that call
        turn.entry = await means.ledger.begin(admitted, ask, responses, session)  # no record, no call
        turn.flight.interception = turn.entry.interception
        if means.breakers is not None:
            turn.permit = means.breakers.enter(admitted.instance.name, admitted.route.pattern, ask.model)
            held.callback(turn.permit.give_back)
        if means.dumps is not None and turn.frame is not None:
            turn.dump = means.dumps.message(admitted, ask, turn.entry.interception.id, turn.frame.data)
            held.callback(turn.dump.close)

    def _asked(self, message: Message) -> Ask:
        """The words of a warm-up belong to the request that follows it, which brings only what is new."""
        ask = message.ask
        if message.kind is Kind.WARM_UP:
            self._prompt = ask.prompt
            return ask
        prompt, self._prompt = self._prompt, None
        return replace(ask, prompt=prompt) if prompt and message.previous and ask.prompt is None else ask

    async def _refuse(self, turn: Turn, status: int, text: str) -> None:
        log.info("websocket request refused", provider=self._admitted.instance.name, status=status, reason=text)
        await self._store(turn, Answer(ending=Ending.REFUSED), Ending.REFUSED, status, text)
        await self._say(error_message(status, text, turn.message.lane))

    async def _answered(self, turn: Turn) -> None:
        """Send the request and wait until the answer has come to an end, or the watch puts one to it."""
        flight = turn.flight
        try:
            async with flight.limit():
                asked(self._hint)
                turn.begun.set()  # some answers come before the last byte of the request is written
                if turn.frame is not None and not await self._upstream.send(turn.frame):
                    turn.cut_off(Ending.BROKEN_OFF)
                turn.frame = None  # not held for as long as the answer lasts
                turn.sent.set()
                await turn.over.wait()
        except TimeoutError:
            turn.cut_off(flight.ending)
        flight.landed()

    async def _end(self, turn: Turn) -> None:
        learned, provider, lane = turn.reader.close(), self._admitted.instance.name, turn.message.lane
        ending = turn.ending(learned, client_gone=turn.flight.client_gone or self._client.closed)
        status = turn.status()
        if turn.permit is not None:
            own_key = self._admitted.credential.kind == "byok"
            judge(turn.permit, ending, status, learned.error_type, own_key=own_key)
        if turn.entry is not None:
            self._means.sessions.keep(turn.entry.interception, turn.session, learned.response_id)
        if not await self._store(turn, learned, ending, status):
            await self._say(error_message(503, NOT_STORED, lane))
            self.leave(FAILED, "the audit records cannot be stored")
        elif ending is Ending.CLIENT_LEFT:
            self.leave(NORMAL)
            if turn.cut is Ending.CLIENT_LEFT:
                self._client.abort()  # it is there but takes nothing, or the time for draining is over
        elif turn.last is not None:
            await self._client.send(self._shown(turn.last) if ending is Ending.UPSTREAM_ERROR else turn.last)
        else:
            text = last_words(provider, ending)
            await self._say(error_message(turn.status() if not turn.reader.begun else 502, text, lane))
            self.leave(GOING_AWAY if ending is Ending.CANCELLED else FAILED, text)

    async def _store(self, turn: Turn, learned: Answer, ending: Ending, status: int | None, text: str = "") -> bool:
        """Return whether it is recorded; a second call does nothing."""
        turn.flight.landed()
        concluded(status, answered=turn.first_byte_at is not None)
        entry, turn.entry = turn.entry, None
        return entry is None or await entry.end(learned, ending, status, turn.first_byte_at, text=text, hint=self._hint)

    async def _say(self, data: bytes) -> None:
        await self._client.send(Frame(data))

    def _shown(self, frame: Frame) -> Frame:
        """Errors of a provider may quote a credential."""
        return replace(frame, data=self._admitted.redaction.data(frame.data))

    # --- the provider

    async def _hear_upstream(self, tasks: asyncio.TaskGroup) -> None:
        while isinstance(heard := await self._upstream.receive(), Frame):
            turn = await self._turn_of(heard)
            if turn is None and (model := created_model(heard.data)) is not None:
                turn = await self._unasked(model, lane_of(heard.data), tasks)
                if turn is None:
                    return
            if turn is None:
                await self._client.send(self._shown(heard))
            else:
                await self._pass_on(turn, heard)
            del heard
        for turn in self._turns.values():
            turn.cut_off(Ending.BROKEN_OFF)
        if heard.lost or self._turns:
            self.leave(FAILED, "the provider's connection was lost")
        self.leave(heard.code, heard.reason)

    async def _turn_of(self, frame: Frame) -> Turn | None:
        """Return the answer that a message of the provider belongs to."""
        turns = self._turns
        if not turns:
            return None
        lane = "" if len(turns) == 1 and "" in turns else lane_of(frame.data)
        turn = turns.get(lane)
        if turn is None and not lane and len(turns) == 1:
            turn = next(iter(turns.values()))
        if turn is not None:
            await turn.begun.wait()
        return None if turn is None or turn.gone.is_set() else turn

    async def _pass_on(self, turn: Turn, frame: Frame) -> None:
        """Everything flows at once but the message that ends the answer."""
        flight, reader = turn.flight, turn.reader
        if not reader.begun:
            turn.first_byte_at = self._means.ledger.now()
        seen = len(reader.calls)
        ended = reader.feed(frame.data)
        flight.turns += 1
        flight.received += len(frame.data)
        if turn.dump is not None:
            turn.dump.piece(frame.data + b"\n")
        if turn.entry is not None:
            for call_id in reader.calls[seen:]:
                turn.entry.saw_call(call_id)
        if ended:
            turn.ends_with(frame)
            await turn.gone.wait()
            return
        flight.writing = True
        if not await self._client.send(frame):
            flight.left = True
        flight.writing = False

    async def _unasked(self, model: str, lane: str, tasks: asyncio.TaskGroup) -> Turn | None:
        """Record an answer that the provider begins of its own accord; None when that cannot be."""
        turn = self._begin_turn(Message(Kind.CALL, Ask(model=model, stream=True), lane), None, tasks)
        await turn.begun.wait()
        return None if turn.gone.is_set() else turn

    # --- signs of life

    async def _keep_alive(self) -> None:
        pace = self._means.pace
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(min(pace.ping, pace.idle))
            if not self._turns and now() - self._active_at >= pace.idle:
                self.leave(GOING_AWAY, f"nothing was asked for {pace.idle:.0f} s")
            for side in (self._client, self._upstream):
                if not await side.check():
                    side.abort()


def _read(frame: Frame) -> Message:
    if not frame.binary:
        frame.data.decode()  # RFC 6455, 8.1: text that is not UTF-8 ends the connection
    return read_message(frame.data)
