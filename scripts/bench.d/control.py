"""The control of the benchmark: the least that an aiohttp relay can do. No token, no parsing, no records.

python control.py PORT UPSTREAM
"""

import sys

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

UPSTREAM = web.AppKey("upstream", ClientSession)
NOT_PASSED_ON = {"host", "content-length", "transfer-encoding", "connection", "keep-alive"}


async def relay(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON}
    async with request.app[UPSTREAM].post(sys.argv[2] + request.path_qs, data=body, headers=headers) as answer:
        passed = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_ON}
        response = web.StreamResponse(status=answer.status, headers=passed)
        response.content_length = answer.content_length
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    return response


async def application() -> web.Application:
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("POST", "/{path:.*}", relay)
    app[UPSTREAM] = ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=90),
        timeout=ClientTimeout(total=None),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
    )
    app.on_cleanup.append(lambda app: app[UPSTREAM].close())
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
