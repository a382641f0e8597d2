"""Asks a provider something cheap, to see whether address and key are right. Not recorded: nobody's prompt is in it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from coderai.access.redaction import Redaction
from coderai.errors import CoderaiError
from coderai.gateway.credentials import central
from coderai.gateway.translated import translated
from coderai.gateway.upstream import Call, Upstream
from coderai.providers.dialect import Outgoing
from coderai.providers.family import Route
from coderai.providers.registry import Instance
from coderai.records import Api
from coderai.wire.apis import WIRES

_SECONDS: Final = 20.0
_PING: Final = b'{"model":"claude-haiku-4-5","max_tokens":1,"messages":[{"role":"user","content":"ping"}]}'


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of it."""

    ok: bool
    status: int | None
    """Of the provider's answer; None when there was none."""
    message: str
    milliseconds: int


async def probe(upstream: Upstream, instance: Instance) -> Probed:
    """Ask for the list of models with the first central key; Bedrock, which has none, for an answer of one token."""
    if instance.state == "error" or instance.family is None:
        return Probed(False, None, f"it cannot be used: {instance.reason}", 0)
    began = time.monotonic()
    try:
        call = await _call(instance)
        async with upstream.send(call, asyncio.timeout(_SECONDS)) as plain, asyncio.timeout(_SECONDS):
            answer = plain if instance.dialect is None else translated(plain, instance.dialect)
            body = b""
            while len(body) < 1 << 20 and (chunk := await answer.read()):
                body += chunk
            status = answer.status
    except TimeoutError:
        return Probed(False, None, f"no answer within {_SECONDS:.0f} s", _since(began))
    except CoderaiError as error:
        return Probed(False, None, str(error), _since(began))
    return Probed(status < 300, status, _words(instance, status, body), _since(began))


async def _call(instance: Instance) -> Call:
    assert instance.family is not None
    if instance.dialect is not None:
        [path] = instance.family.recorded
        route = Route(path, path, instance.family.recorded[path])
        asked = WIRES[Api.MESSAGES].read_request(_PING)
        headers = [(b"Content-Type", b"application/json")]
        outgoing = await instance.dialect.translate(
            Outgoing("POST", instance.url(path, ""), headers, _PING), route, asked
        )
        return Call(outgoing.method, outgoing.url, outgoing.headers, outgoing.body)
    path = next(path for path in instance.family.passed if path.endswith("/models"))
    headers = [(b"Accept-Encoding", b"identity"), (b"User-Agent", b"coderai")]
    headers += [(name.encode(), value.encode()) for name, value in instance.family.headers.items()]
    key = next(iter(instance.keys.walk(None)), None)
    if key is not None:
        headers += central(instance, key)
    return Call("GET", instance.url(path, ""), headers)


def _words(instance: Instance, status: int, body: bytes) -> str:
    if status < 300:
        return "the provider answered"
    if status in (401, 403) and not len(instance.keys) and instance.dialect is None:
        return f"the provider can be reached; it wants a key (status {status}), which users bring themselves"
    _, said = (
        WIRES[next(iter(instance.family.recorded.values()))].read_error(status, body) if instance.family else ("", "")
    )
    return Redaction(instance.keys.secrets).text(f"status {status}: {said}")


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
