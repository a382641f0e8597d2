"""Dumps of what goes to the providers and what they answer (``--ai-gateway-dump-dir``), for looking for faults.

A dump is made at the wire: every try of a request as it is sent, with masked credentials, and the answer as it comes
(a compressed one decoded). Without the option nothing of this is in the path of a request.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from multidict import CIMultiDictProxy

from coderai.errors import CoderaiError
from coderai.gateway.calling import Job
from coderai.gateway.dump_files import DumpFiles, DumpWriter
from coderai.gateway.dump_form import Request, folder, passed_stem, secrets_of
from coderai.gateway.headers import Headers, to_upstream
from coderai.gateway.http1 import Sink
from coderai.gateway.ledger import Admitted
from coderai.gateway.upstream import Answer, Call, Upstream
from coderai.records import Ask

_LEAVING_SECONDS: Final = 10.0
"""How long the server waits for dumps to be written when it leaves."""


class Dumps:
    """Sends calls as *upstream* does, and writes them down. Fulfils ``calling.Dumping``; sockets have ``message``."""

    def __init__(self, upstream: Upstream, writer: DumpWriter) -> None:
        self._upstream = upstream
        self._writer = writer

    @asynccontextmanager
    async def send(self, call: Call, limit: asyncio.Timeout, job: Job) -> AsyncIterator[Answer]:
        """See ``Upstream.send``. *job* says what the call belongs to."""
        async with AsyncExitStack() as stack:
            files = self.begin(call, job)
            stack.callback(files.close)
            try:
                answer = await stack.enter_async_context(self._upstream.send(call, limit))
            except (CoderaiError, TimeoutError, asyncio.CancelledError) as error:
                files.failed(_reason(error))
                raise
            files.answer(answer.status, _raw(answer.headers))
            yield _Copied(answer, files)

    def message(self, admitted: Admitted, ask: Ask, interception_id: str, data: bytes) -> DumpFiles:
        """Write a request on a WebSocket down, with the headers of the handshake; return where its answer goes."""
        instance, route = admitted.instance, admitted.route
        defaults = instance.family.headers if instance.family else {}
        headers = to_upstream(admitted.request.raw_headers, defaults, admitted.actor, admitted.token)
        job = Job(instance, route, "GET", admitted.query, headers, data, admitted.credential, ask)
        job.id, job.redaction = interception_id, admitted.redaction
        files = self.begin(Call("GET", instance.url(route.path, admitted.query), headers, data), job)
        files.answer(101, [])
        return files

    def begin(self, call: Call, job: Job) -> DumpFiles:
        """Write one try down and return where its answer goes."""
        secrets = [*job.redaction.secrets, *secrets_of(call.headers)]
        clean = job.redaction.text
        if job.ask is None or not job.id:
            inner = "passthrough"
            stem = f"{time.time_ns() // 1_000_000}-{passed_stem(clean(job.route.path))}-{os.urandom(2).hex()}"
        else:
            inner = folder(clean(job.ask.model))
            stem = f"{_milliseconds(job.id)}-{job.id}"
        files = DumpFiles(self._writer, (folder(job.instance.name), inner), stem, secrets)
        files.request(Request.of(call))
        return files


class _Copied:
    """An answer whose body also goes to a dump, as far as it is read."""

    def __init__(self, answer: Answer, files: DumpFiles) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._files = files
        self.begun = answer.begun
        self.at_end = answer.at_end

    async def read(self) -> bytes:
        chunk = await self._answer.read()
        self._files.piece(chunk)
        return chunk

    async def pour(self, sink: Sink) -> None:
        def both(piece: bytes) -> bool:
            self._files.piece(piece)
            return sink(piece)

        await self._answer.pour(both)


def _milliseconds(interception_id: str) -> int:
    """When it began: the first 48 bits of its id, so that the tries of one exchange have one name."""
    return int(interception_id.replace("-", "")[:12], 16)


def _raw(headers: CIMultiDictProxy[str]) -> Headers:
    return [
        (name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))
        for name, value in headers.items()
    ]


def _reason(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case asyncio.CancelledError():
            return "cancelled before an answer came"
        case _:
            return str(error)


@asynccontextmanager
async def dumping(upstream: Upstream, directory: Path) -> AsyncIterator[Dumps]:
    """Open the dumps in *directory*, which is made for its owner only. Raises BadSettings."""
    writer = DumpWriter(directory)
    writer.start()
    try:
        yield Dumps(upstream, writer)
    finally:
        await asyncio.to_thread(writer.stop, _LEAVING_SECONDS)
