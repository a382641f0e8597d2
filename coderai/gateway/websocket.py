"""Responses over WebSocket (``GET /responses`` with Upgrade): the provider is asked first, then the client accepted."""

from collections import Counter
from typing import Final

from aiohttp import web

from coderai import clients
from coderai.errors import NotSwitched
from coderai.gateway.ledger import Admitted
from coderai.gateway.refusals import refuse
from coderai.gateway.websocket_means import Means
from coderai.gateway.websocket_side import GOING_AWAY, Side
from coderai.gateway.websocket_talk import STOPPING, Admit, Talk
from coderai.gateway.websocket_upstream import SocketUpstream, Switched
from coderai.observe import logs
from coderai.records import Api, Ask
from coderai.wire import responses

log = logs.get("gateway")

PER_TOKEN: Final = 256
"""Sockets of one token that may be open: idle ones take no place of the limit for requests, but two connections."""
NO_WEBSOCKET: Final = "WebSocket transport is not supported here, use HTTP"
_SUB_PROTOCOLS: Final = "Sec-WebSocket-Protocol"


class Sockets:
    """Relays the WebSockets of this process."""

    def __init__(self, upstream: SocketUpstream, means: Means, max_bytes: int, *, per_token: int = PER_TOKEN) -> None:
        self._upstream = upstream
        self._means = means
        self._max_bytes = max_bytes
        self._per_token = per_token
        self._talks: set[Talk] = set()
        self._open: Counter[str] = Counter()
        """By token."""
        self._stopping = False

    def __len__(self) -> int:
        return len(self._talks)

    async def handle(self, admitted: Admitted, admit: Admit) -> web.StreamResponse:
        """Serve one socket for as long as it lasts. What the provider does not take is a 426: tools then use HTTP at
        once, where they get the true error."""
        request = admitted.request
        if admitted.route.api is not Api.RESPONSES or admitted.instance.dialect is not None:
            return self._refused(admitted, NO_WEBSOCKET)
        if _SUB_PROTOCOLS in request.headers:  # nobody needs one here, and some put credentials there
            return self._refused(admitted, "WebSocket sub-protocols are not supported here, use HTTP")
        socket = web.WebSocketResponse(
            autoclose=False, autoping=False, max_msg_size=self._max_bytes + 1, decode_text=False
        )
        if not socket.can_prepare(request):
            return self._refused(admitted, "this is no WebSocket handshake of RFC 6455, version 13; use HTTP")
        token_id = admitted.caller.token_id
        if self._open[token_id] >= self._per_token:
            return self._refused(admitted, f"{self._per_token} WebSockets are open with this token, use HTTP")
        self._open[token_id] += 1
        try:
            return await self._switched(socket, admitted, admit)
        finally:
            self._open[token_id] -= 1
            if not self._open[token_id]:
                del self._open[token_id]

    async def _switched(
        self, socket: web.WebSocketResponse[bool], admitted: Admitted, admit: Admit
    ) -> web.StreamResponse:
        request = admitted.request
        session = clients.identify(request.headers, Ask()).session_id
        deflate = "permessage-deflate" in request.headers.get("Sec-WebSocket-Extensions", "")
        try:
            seconds = self._means.pace.handshake
            async with self._upstream.connected(admitted, session, deflate=deflate, seconds=seconds) as switched:
                return await self._relayed(socket, switched, admitted, admit)
        except NotSwitched as error:
            return self._refused(admitted, str(error))

    async def _relayed(
        self, socket: web.WebSocketResponse[bool], switched: Switched, admitted: Admitted, admit: Admit
    ) -> web.StreamResponse:
        request = admitted.request
        socket.headers.update(switched.headers)
        transport = request.transport
        try:
            await socket.prepare(request)
        except ConnectionResetError:
            transport = None
        if transport is None:
            return socket  # it did not wait for the provider
        talk = Talk(self._means, admitted, admit, Side(socket, transport), switched.side, switched.hint)
        self._talks.add(talk)
        if self._stopping:
            talk.leave(GOING_AWAY, STOPPING)
        try:
            await talk.run()
        finally:
            self._talks.discard(talk)
        return socket

    def leave(self) -> None:
        """The server stops: sockets on which nothing runs are closed now, others after the answer under way."""
        self._stopping = True
        for talk in self._talks:
            talk.leave(GOING_AWAY, STOPPING)

    def _refused(self, admitted: Admitted, text: str) -> web.Response:
        log.info("websocket refused", provider=admitted.instance.name, reason=text)
        return refuse(responses.error_body, 426, text)
