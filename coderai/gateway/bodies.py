"""Reading a client's request body within the limit, without keeping it longer than needed."""

import asyncio

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from coderai.errors import Invalid, TooLarge
from coderai.observe.timeline import clock, current


async def read_body(request: web.BaseRequest, limit: int, idle: float) -> bytes:
    """Return the body as it came. Raises TooLarge above *limit* bytes, Invalid when it breaks off, or nothing of it
    comes for *idle* seconds: who vanished without a word must not keep a place for hours.

    ``request.read()`` would keep it in memory for as long as the request lasts.
    """
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    timeline = current()
    if timeline is not None:
        timeline.admitted = clock()
    content, now = request.content, asyncio.get_running_loop().time
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(None if content.is_eof() else idle) as silence:
            while piece := await content.readany():
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                pieces.append(piece)
                if not content.is_eof():
                    silence.reschedule(now() + idle)
    except TimeoutError as error:
        raise Invalid(f"the request body did not come: nothing more of it for {idle:g} s") from error
    except RequestPayloadError as error:
        raise Invalid("the request body is not what its headers announce") from error
    except ConnectionError as error:
        raise Invalid("the client left before its request was complete") from error
    if timeline is not None:
        timeline.read = clock()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def too_large(limit: int) -> TooLarge:
    """Return the refusal of a body over the limit, in the words that the original uses for its own limit."""
    size = f"{limit >> 20}MiB" if limit % (1 << 20) == 0 else f"{limit} bytes"
    return TooLarge(f"Request body too large. The maximum allowed request body size is {size}.")
