"""Requests that are relayed but not recorded: model lists, token counts and other reading routes of the allow-list."""

import time
from collections import Counter
from typing import Final

from aiohttp import web

from coderai.errors import BrokenOff
from coderai.gateway.bodies import read_body
from coderai.gateway.calling import Calling, Job
from coderai.gateway.headers import to_client, to_upstream
from coderai.gateway.ledger import Admitted, last_words
from coderai.gateway.relay import cut_off, streamed
from coderai.gateway.upstream import Answer
from coderai.gateway.watch import Flight, Watch
from coderai.gateway.whole import Whole, read_whole
from coderai.observe import logs
from coderai.observe.timeline import current
from coderai.records import Ending

log = logs.get("requests")

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Passthrough:
    """Carries unrecorded requests: method, query and body as they came, the credential replaced."""

    def __init__(self, calling: Calling, watch: Watch, max_bytes: int) -> None:
        self._calling = calling
        self._watch = watch
        self._max_bytes = max_bytes
        self.carried: Counter[tuple[str, str, str]] = Counter()
        """Requests by instance, route pattern and method; all three are bounded."""

    async def handle(self, admitted: Admitted) -> web.StreamResponse:
        """Serve one request. Raises UpstreamError when no answer came, TimeoutError when it took too long."""
        if not log.debugging:
            return await self._carried(admitted)
        began = time.monotonic()
        response = await self._carried(admitted)
        log.debug(
            "request passed through",
            initiator_id=admitted.caller.user_id,
            initiator=admitted.caller.username,
            api_key_id=admitted.caller.token_id,
            provider_name=admitted.instance.name,
            method=admitted.request.method,
            route=admitted.route.pattern,
            http_status=response.status,
            credential_kind=admitted.credential.kind,
            duration_ms=round((time.monotonic() - began) * 1000),
        )
        return response

    async def _carried(self, admitted: Admitted) -> web.StreamResponse:
        request, instance, route = admitted.request, admitted.instance, admitted.route
        self.carried[instance.name, route.pattern, request.method if request.method in _METHODS else "other"] += 1
        if (timeline := current()) is not None:
            timeline.passes(instance.name, route.pattern, admitted.redaction.text(instance.url(route.path, "")))
        body = await read_body(request, self._max_bytes, self._watch.patience)
        defaults = instance.family.headers if instance.family else {}
        headers = to_upstream(request.raw_headers, defaults, admitted.actor, admitted.token)
        job = Job(instance, route, request.method, admitted.query, headers, body, admitted.credential)
        job.redaction = admitted.redaction
        del body  # not held for as long as the answer lasts
        with self._watch.flight(request) as flight:
            async with self._calling.answered(job, flight) as answer:
                if answer.status >= 400:
                    return await _error(answer, admitted, flight)
                client = streamed(request, answer.status, to_client(answer.headers, admitted.redaction))
                try:
                    await client.prepare(request)
                    async with flight.limit():
                        while chunk := await answer.read():
                            flight.turns += 1
                            await client.write(chunk)
                    flight.landed()
                    await client.write_eof()
                except ConnectionResetError:
                    pass  # nobody is there any more
                except (BrokenOff, TimeoutError):
                    cut_off(request)  # never a clean end for half an answer
                return client


async def _error(answer: Answer, admitted: Admitted, flight: Flight) -> web.StreamResponse:
    """Return the provider's error, without the secrets of the call: some providers repeat a key that they refuse."""
    client = Whole(admitted.request, answer.status, to_client(answer.headers, admitted.redaction))
    cut = await read_whole(answer, client, flight)
    flight.landed()
    if cut is not None:
        text = last_words(admitted.instance.name, cut)
        raise BrokenOff(text) if cut is Ending.BROKEN_OFF else TimeoutError(text)
    client.redact(admitted.redaction)
    return await client.finish()
