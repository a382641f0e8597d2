"""The door of the data plane: which provider, which route, who asks; then the exchange or the passthrough."""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web
from multidict import CIMultiDictProxy

from coderai.access.addresses import NOBODY, TrustedProxies
from coderai.access.callers import Caller
from coderai.access.credentials import data_plane_token
from coderai.access.redaction import Redaction
from coderai.access.tokens import resembles, without_tokens
from coderai.errors import CoderaiError, Conflict, Forbidden, NotSignedIn
from coderai.gateway.attribution import NO_ACTOR, ActorHeaders, acting_for
from coderai.gateway.credentials import NOTHING, Credential, brought, choose, query_upstream, saved
from coderai.gateway.exchange import Exchanges
from coderai.gateway.ledger import Admitted
from coderai.gateway.limits import Limits
from coderai.gateway.passthrough import Passthrough
from coderai.gateway.ports import Authority
from coderai.gateway.refusals import Form, advice, form_for, form_of, refuse, status_of
from coderai.gateway.websocket import Sockets
from coderai.observe import logs
from coderai.providers.family import Route
from coderai.providers.keys import KeyPool
from coderai.providers.registry import Instance, Registry
from coderai.wire.apis import WIRES

log = logs.get("gateway")

OUTSIDE: Final = "(outside)"
"""The pattern of all paths outside a base URL: a label in metrics."""
STOPPING: Final = "AI Gateway is shutting down"
_REPEATING: Final = frozenset({"TRACE", "CONNECT"})
"""Methods whose answer is the request, with the provider's key in it."""
BYOK_OFF: Final = "bringing your own key is switched off on this gateway (--aibridge-allow-byok=false)"


class DataPlane:
    """Serves everything below ``/api/v2/aibridge/<provider>/`` and its twin prefix."""

    def __init__(
        self,
        authority: Authority,
        registry: Registry,
        exchanges: Exchanges,
        passthrough: Passthrough,
        sockets: Sockets,
        *,
        allow_byok: bool,
        actors: ActorHeaders = NO_ACTOR,
        limits: Limits | None = None,
        proxies: TrustedProxies = NOBODY,
    ) -> None:
        self._authority = authority
        self._registry = registry
        self._exchanges = exchanges
        self._passthrough = passthrough
        self._sockets = sockets
        self._allow_byok = allow_byok
        self._actors = actors
        self.limits = limits or Limits()
        self._proxies = proxies
        self.stopping = False
        """Set when the server is about to leave: new requests on kept-alive connections are refused."""

    def stop(self) -> None:
        """Take nothing new; WebSockets on which nothing runs are closed."""
        self.stopping = True
        self._sockets.leave()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request; every refusal has the error form of the requested route."""
        target, _, query = request.raw_path.partition("?")
        path = target.split("/", 4)[4] if target.count("/") >= 4 else ""
        name, _, rest = path.partition("/")
        instance = self._registry.find(name)
        form = form_of(instance.family.name, "/" + rest) if instance and instance.family else form_for(path)
        return await self._guarded(self._serve(request, instance, "/" + rest, query, form), request, name, form)

    async def handle_outside(self, request: web.BaseRequest, name: str, origin: str) -> web.StreamResponse:
        """Pass on what came through the intercepting proxy for a path of a provider's host outside its base URL.

        Unrecorded, with the caller's own credential or none; *origin* is scheme, host and port. The path is as the
        client sent it, and known to be clean.
        """
        instance = self._registry.find(name)
        path = request.raw_path.partition("?")[0]
        form = form_of(instance.family.name, path) if instance and instance.family else form_for(path)
        return await self._guarded(self._passed_by(request, instance, origin, form), request, name, form)

    async def _guarded(
        self, serving: Awaitable[web.StreamResponse], request: web.BaseRequest, name: str, form: Form
    ) -> web.StreamResponse:
        """Return the answer, or the refusal that an error of our tree stands for."""
        try:
            return await serving
        except CoderaiError as error:
            status = status_of(error)
            log.info("request refused", method=request.method, path=_shown(request), status=status, reason=str(error))
            return refuse(form, status, str(error), advice(error))
        except TimeoutError:
            text = f"{name}: no answer in time"
            log.info("request refused", method=request.method, path=_shown(request), status=504, reason=text)
            return refuse(form, 504, text)

    async def _serve(
        self, request: web.BaseRequest, instance: Instance | None, path: str, query: str, form: Form
    ) -> web.StreamResponse:
        if request.method == "HEAD" and instance is not None:
            return web.Response()  # pre-connect probes of Claude Code, without a token
        if self.stopping:
            return refuse(form, 503, STOPPING)
        if _wants_websocket(request):
            with self.limits.place():  # each request on the socket will take one: an idle socket has none
                admitted = await self._admitted(request, instance, path, query, form)
            return await self._socket(admitted, path, query, form) if isinstance(admitted, Admitted) else admitted
        with self.limits.place():  # a stream has it until it ends
            admitted = await self._admitted(request, instance, path, query, form)
            return await self._answered(admitted, form) if isinstance(admitted, Admitted) else admitted

    async def _admitted(
        self, request: web.BaseRequest, instance: Instance | None, path: str, query: str, form: Form
    ) -> Admitted | web.Response:
        """Return who asks whom, with which credential, or the refusal. Raises other refusals."""
        token, byok = data_plane_token(request.headers)
        caller = await self._identified(request, token)
        if byok and not self._allow_byok:
            raise Forbidden(BYOK_OFF)
        if instance is None or instance.state == "error" or instance.family is None:
            return self._unknown(request, instance, path, form)
        if instance.state == "disabled":
            return _turned_away(request, form, 503, f'provider_disabled: AI provider "{instance.name}" is disabled')
        route = instance.family.route(path)
        if route is None or token in path:
            return self._unknown(request, instance, path, form)
        recorded = route.api is not None
        own = await self._own(instance, request.headers, token) if byok else None
        on_behalf_of = await acting_for(self._authority, caller, request.headers) if caller.delegate else None
        if own is None and self._allow_byok and instance.takes_own:
            own = await self._saved(instance, on_behalf_of or caller.user_id)
        credential = choose(instance, own, allow_byok=self._allow_byok, recorded=recorded)
        query = query_upstream(query, token)
        redaction = Redaction((token, credential.secret, *instance.keys.secrets))
        actor = self._actors.of(caller)
        return Admitted(request, caller, instance, route, credential, query, redaction, on_behalf_of, token, actor)

    async def _passed_by(
        self, request: web.BaseRequest, instance: Instance | None, origin: str, form: Form
    ) -> web.StreamResponse:
        if self.stopping:
            return refuse(form, 503, STOPPING)
        with self.limits.place():
            token, byok = data_plane_token(request.headers)
            caller = await self._identified(request, token)
            if byok and not self._allow_byok:
                raise Forbidden(BYOK_OFF)
            path, _, query = request.raw_path.partition("?")
            if instance is None or instance.state != "enabled" or request.method in _REPEATING or token in path:
                return self._unknown(request, instance, path, form)
            own = await self._own(instance, request.headers, token) if byok else None
            there = replace(instance, base_url=origin, query="", keys=KeyPool(), dialect=None)
            route, query = Route(path, OUTSIDE, None), query_upstream(query, token)
            credential = own or NOTHING
            redaction = Redaction((token, credential.secret, *instance.keys.secrets))
            return await self._passthrough.handle(
                Admitted(request, caller, there, route, credential, query, redaction, None, token)
            )

    async def _own(self, instance: Instance, headers: CIMultiDictProxy[str], token: str) -> Credential | None:
        """Return what the caller brings. Another gateway token, of a tool that has one of its own, is none: none leaves
        this place. Raises Forbidden, StoreUnavailable."""
        own = brought(instance, headers, token)
        if own is None or not resembles(own.secret):
            return own
        try:
            await self._authority.identify(own.secret)
        except Forbidden:
            return None
        except NotSignedIn:  # nobody's here; of another gateway, perhaps
            return own
        return None

    async def _saved(self, instance: Instance, user_id: str) -> Credential | None:
        """Return the key that is saved for whom the call is: of a service account that acts for somebody, for them."""
        key = await self._authority.personal_key(user_id, instance.name)
        return None if key is None else saved(instance, key)

    async def _answered(self, admitted: Admitted, form: Form) -> web.StreamResponse:
        request, route = admitted.request, admitted.route
        if route.api is None and request.method in _REPEATING:
            return _turned_away(request, form, 405, f"{request.method} is not allowed here")
        if route.api is None:
            return await self._passthrough.handle(admitted)
        if request.method != "POST":
            return _turned_away(
                request, form, 405, f"{request.method} is not allowed here, use POST", {"Allow": "POST"}
            )
        return await self._exchanges.handle(admitted, WIRES[route.api])

    async def _socket(self, admitted: Admitted, path: str, query: str, form: Form) -> web.StreamResponse:
        async def again() -> Admitted:
            instance = self._registry.find(admitted.instance.name)
            now = await self._admitted(admitted.request, instance, path, query, form)
            if isinstance(now, Admitted) and _same_way(now, admitted):
                return now
            raise Conflict(f"provider {admitted.instance.name} or its key was changed meanwhile: connect again")

        return await self._sockets.handle(admitted, again)

    async def _identified(self, request: web.BaseRequest, token: str) -> Caller:
        """Return who asks, within the rate that is allowed: of a token that works, or of an address without one."""
        try:
            if not token:
                raise NotSignedIn("no authentication key provided")
            caller = await self._authority.identify(token)
        except (NotSignedIn, Forbidden):
            self.limits.count(self._proxies.client(request.remote or "", request.headers))
            raise
        self.limits.count(caller.token_id)
        return caller

    def _unknown(self, request: web.BaseRequest, instance: Instance | None, path: str, form: Form) -> web.Response:
        whole = _shown(request).split("/", 4)
        text = f"route not supported: {request.method} /{whole[4] if len(whole) > 4 else ''}"
        if instance is not None and instance.state == "error":
            text += f" (provider {instance.name} cannot be used: {instance.reason})"
        elif instance is not None and instance.family is not None:
            text += f"; the base URL for this provider ends in /{instance.name}{instance.family.prefix}"
            text += f"; {instance.family.remark}" if instance.family.remark else ""
        elif instance is None and (name := whole[4].partition("/")[0] if len(whole) > 4 else ""):
            text += f'; there is no provider "{name}"'
        return _turned_away(request, form, 404, text)


def _turned_away(
    request: web.BaseRequest, form: Form, status: int, text: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Refuse, and leave a line in the log: some tools hide our text, and a wrong base URL is the usual mistake."""
    log.info("request refused", method=request.method, path=_shown(request), status=status, reason=text)
    return refuse(form, status, text, headers, final=True)


def _same_way(one: Admitted, other: Admitted) -> bool:
    """Whether two requests go to the same place with the same credential."""
    same_keys = one.instance.keys.secrets == other.instance.keys.secrets
    same_place = replace(one.instance, keys=other.instance.keys) == other.instance
    return same_keys and same_place and one.credential == other.credential


def _shown(request: web.BaseRequest) -> str:
    """Return the path as it may be logged and repeated: somebody may have put a token into it."""
    return without_tokens(request.raw_path.partition("?")[0])


def _wants_websocket(request: web.BaseRequest) -> bool:
    return request.method == "GET" and request.headers.get("Upgrade", "").strip().lower() == "websocket"
