"""Requests with a timeline, for those who count and trace. Without observers nothing here is on a request's way."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager

from aiohttp import web

from coderai.errors import Unreachable
from coderai.gateway.upstream import Answer
from coderai.observe import logs
from coderai.observe.timeline import Observer, Timeline, Try, clock, current, following

log = logs.get("gateway")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextmanager
def observed(observers: Sequence[Observer], method: str, traceparent: str = "") -> Iterator[Timeline]:
    """Give the timeline of what happens inside the context, and tell *observers* of it afterwards."""
    timeline = Timeline(method, traceparent)
    try:
        with following(timeline):
            yield timeline
    finally:
        timeline.over = clock()
        for observer in observers:
            try:
                observer.over(timeline)
            except Exception as error:  # noqa: BLE001 - a fault in counting must not become one of the answer
                log.error("a request could not be observed", exception=error)


def observing(handle: Handler, observers: Sequence[Observer]) -> Handler:
    """Return *handle* with observers, itself when there are none."""

    async def handled(request: web.BaseRequest) -> web.StreamResponse:
        with observed(observers, request.method, request.headers.get("traceparent", "")) as timeline:
            response = await handle(request)
            timeline.status = response.status
            return response

    return handled if observers else handle


async def timed(timeline: Timeline, sending: AbstractAsyncContextManager[Answer], hint: str) -> Answer:
    """Enter *sending* and take down when it began, when the head of the answer came, and how it failed."""
    one = Try(clock(), hint=hint)
    timeline.tries.append(one)
    try:
        answer = await sending.__aenter__()
        one.status = answer.status
    except Unreachable as error:
        one.error = str(error)
        raise
    except TimeoutError:
        one.error = "no answer in time"
        raise
    finally:
        one.answered = clock()
    return answer


def asked(hint: str) -> None:
    """A request goes upstream on a WebSocket."""
    timeline = current()
    if timeline is not None:
        timeline.tries.append(Try(clock(), hint=hint))


def concluded(status: int | None, *, answered: bool) -> None:
    """What was asked on a WebSocket has come to its end; *status* is what the client would have got over HTTP."""
    timeline = current()
    if timeline is None or timeline.status:
        return
    timeline.status = status or 0
    for one in timeline.tries:
        one.answered = clock()
        one.status = timeline.status if answered else 0
        one.error = "" if answered else "no answer"
