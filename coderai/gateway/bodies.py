"""Reading a client's request body within the limit, without keeping it longer than needed."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web
from aiohttp.web_protocol import RequestPayloadError

from coderai.errors import Invalid, TooLarge
from coderai.gateway.watch import Patience
from coderai.observe.timeline import clock, current


async def read_body(request: web.BaseRequest, limit: int, patience: Patience) -> bytes:
    """Return the body as it came. Raises TooLarge above *limit* bytes, Invalid when it breaks off, or comes slower than
    *patience* bears: nobody keeps a place for hours with next to nothing.

    ``request.read()`` would keep it in memory for as long as the request lasts.
    """
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    timeline = current()
    if timeline is not None:
        timeline.admitted = clock()
    content = request.content
    if content.is_eof() and content.exception() is None:  # came along with its head: there is nothing to wait for
        body = content.read_nowait()
        if len(body) > limit:
            raise too_large(limit)
    else:
        body = await _arriving(request, limit, patience)
    if timeline is not None:
        timeline.read = clock()
    return body


async def _arriving(request: web.BaseRequest, limit: int, patience: Patience) -> bytes:
    content, now = request.content, asyncio.get_running_loop().time
    idle = patience.upload
    pieces: list[bytes] = []
    size, began = 0, now()
    try:
        async with asyncio.timeout(None if content.is_eof() else idle) as silence:
            if not content.is_eof():
                await _ask_for_it(request)
            while piece := await content.readany():
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                pieces.append(piece)
                if not content.is_eof():
                    silence.reschedule(min(now(), began + size / patience.upload_pace) + idle)
    except TimeoutError as error:
        raise Invalid(f"the request body did not come: next to nothing of it for {idle:g} s") from error
    except RequestPayloadError as error:
        raise Invalid("the request body is not what its headers announce") from error
    except ConnectionError as error:
        raise Invalid("the client left before its request was complete") from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _ask_for_it(request: web.BaseRequest) -> None:
    """Tell a client to go on that holds its body back; aiohttp would do so before anybody has looked at the token."""
    headers = request.headers
    if request.content_length is None and headers.get("Transfer-Encoding", "").strip().lower() != "chunked":
        raise Invalid("the request body has a transfer encoding that is not known here; send it chunked only")
    if request.version >= HttpVersion11 and headers.get("Expect", "").strip().lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # no part of the answer


async def holding_back(
    request: web.BaseRequest, handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Serve a request that ``Expect``s to be asked for its body. After a refusal the connection is closed: who was not
    asked may send the body or the next request."""
    response = await handle(request)
    if not request.content.is_eof() and not response.prepared:
        response.force_close()
    return response


def too_large(limit: int) -> TooLarge:
    """Return the refusal of a body over the limit, in the words that the original uses for its own limit."""
    size = f"{limit >> 20}MiB" if limit % (1 << 20) == 0 else f"{limit} bytes"
    return TooLarge(f"Request body too large. The maximum allowed request body size is {size}.")
