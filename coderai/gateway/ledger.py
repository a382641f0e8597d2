"""What becomes of an exchange in the audit trail: its start, its end, and the words for ends that nobody explained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from coderai import clients
from coderai.access.callers import Caller
from coderai.access.redaction import Redaction
from coderai.errors import StoreUnavailable
from coderai.gateway.attribution import agent_firewall
from coderai.gateway.credentials import Credential
from coderai.gateway.headers import Headers
from coderai.gateway.ports import Recorder
from coderai.ids import new_id
from coderai.observe.timeline import clock, current
from coderai.providers.family import Route
from coderai.providers.registry import Instance
from coderai.records import Answer, Ask, End, Ending, ErrorType, Fact, Interception, Thought, ToolCall, Usage
from coderai.wire.apis import Wire

CONNECT_ID: Final = web.RequestKey("connect_id", str)
"""In a request that came through the intercepting proxy: the id of its connection."""
NOT_STORED: Final = "the audit records of this answer cannot be stored; try again later"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: who asks whom, with which credential."""

    request: web.BaseRequest
    caller: Caller
    instance: Instance
    route: Route
    credential: Credential
    query: str
    redaction: Redaction
    """Knows the secrets of this call: the gateway token, the caller's own key, the central keys."""
    on_behalf_of: str | None = None
    """Whom a service account acts for; see ``attribution.acting_for``."""
    token: str = field(repr=False, default="")
    """The caller's gateway token, which must not leave."""
    actor: Headers = field(default_factory=list)
    """What the provider is told about the caller; see ``attribution.ActorHeaders``."""


class Entry:
    """One exchange in the audit trail, begun and not yet ended."""

    __slots__ = ("_recorder", "_redaction", "interception")

    def __init__(self, recorder: Recorder, interception: Interception, redaction: Redaction) -> None:
        self._recorder = recorder
        self._redaction = redaction
        self.interception = interception

    def saw_call(self, call_id: str) -> None:
        """Tell that a running exchange asked for a tool, so that a follower can be linked before the end."""
        self._recorder.saw_call(self.interception, self._redaction.text(call_id))

    async def end(
        self,
        learned: Answer,
        ending: Ending,
        status: int | None,
        first_byte_at: datetime | None,
        *,
        text: str = "",
        hint: str = "",
    ) -> bool:
        """Return whether the records are durable; if not, the recorder keeps trying, but the client sees no end.

        *text* explains an end that the answer itself does not; *hint* is the masked central key that was used last.
        """
        end = End(
            answer=replace(learned, facts=tuple(map(self._clean, learned.facts))) if learned.facts else learned,
            ending=ending,
            http_status=status,
            error_type=learned.error_type or _ERROR_TYPES.get(ending),
            error_message=self._redaction.text(learned.error_message or text or _WORDS.get(ending, "")),
            first_byte_at=first_byte_at and max(first_byte_at, self.interception.started_at),
            credential_hint=hint or None,
        )
        timeline = current()
        if timeline is not None:
            timeline.ends(end)
        try:
            await self._recorder.end(self.interception, end)
        except StoreUnavailable:
            return False
        finally:
            if timeline is not None:
                timeline.ended = clock()
        return True

    def _clean(self, fact: Fact) -> Fact:
        """Return *fact* without the secrets of this call, itself when there are none."""
        clean = self._redaction.text
        match fact:
            case ToolCall(tool=tool, call_id=call_id, input=arguments):
                cleaned = clean(tool), clean(call_id), clean(arguments)
                if cleaned == (tool, call_id, arguments):
                    return fact
                return replace(fact, tool=cleaned[0], call_id=cleaned[1], input=cleaned[2])
            case Thought(text=text):
                return replace(fact, text=clean(text))
            case Usage():
                return fact


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """Opens entries in the audit trail. *recorder* makes them durable; *clock* says when what happened."""

    def __init__(self, recorder: Recorder, clock: Callable[[], datetime] = _now) -> None:
        self._recorder = recorder
        self.now = clock

    async def begin(self, admitted: Admitted, ask: Ask, wire: Wire, session: str | None = None) -> Entry:
        """Return the entry once the start of the exchange is durable. Raises StoreUnavailable.

        *session* is known from elsewhere, for a tool that names none.
        """
        interception = _interception(admitted, ask, wire, session, self.now())
        timeline = current()
        if timeline is not None:
            timeline.begins(interception, admitted.route.pattern)
        await self._recorder.begin(interception)  # no record, no call
        if timeline is not None:
            timeline.begun = clock()
        return Entry(self._recorder, interception, admitted.redaction)


_ERROR_TYPES: Mapping[Ending, ErrorType] = {
    Ending.UPSTREAM_ERROR: ErrorType.UNKNOWN,
    Ending.BROKEN_OFF: ErrorType.UNKNOWN,
    Ending.UNREACHABLE: ErrorType.UNKNOWN,
    Ending.TIMEOUT: ErrorType.TIMEOUT,
    Ending.CLIENT_LEFT: ErrorType.UNKNOWN,
    Ending.CANCELLED: ErrorType.UNKNOWN,
    Ending.REFUSED: ErrorType.BAD_REQUEST,
}

_WORDS: Mapping[Ending, str] = {
    Ending.BROKEN_OFF: "the provider broke off",
    Ending.TIMEOUT: "the provider was silent for too long",
    Ending.CLIENT_LEFT: "the client left before the end",
    Ending.CANCELLED: "the gateway was stopped before the end",
}


def last_words(provider: str, ending: Ending) -> str:
    """Return what a client is told when *provider*'s answer ends like that."""
    return f"{provider}: {_WORDS.get(ending, 'the answer could not be completed')}"


def _interception(admitted: Admitted, ask: Ask, wire: Wire, session: str | None, started_at: datetime) -> Interception:
    request, caller, instance = admitted.request, admitted.caller, admitted.instance
    client = clients.identify(request.headers, ask)
    clean = admitted.redaction.text
    return Interception(
        id=new_id(),
        started_at=started_at,
        initiator_id=caller.user_id,
        initiator_name=caller.username,
        api_key_id=caller.token_id,
        provider=instance.family.name if instance.family else "",
        provider_name=instance.name,
        model=clean(ask.model if instance.dialect is None else instance.dialect.model(ask.model)),
        api=wire.API,
        stream=ask.stream,
        client=client.label,
        user_agent=clean(request.headers.get("User-Agent", "")),
        client_session_id=clean(client.session_id) if client.session_id else session,
        tool_result_id=ask.tool_result_id and clean(ask.tool_result_id),
        credential_kind=admitted.credential.kind,
        credential_hint=admitted.credential.hint,
        metadata={
            "Username": caller.username,
            **({"proxy_connect_id": request[CONNECT_ID]} if CONNECT_ID in request else {}),
            **{name: clean(hint) for name, hint in client.hints.items()},
            **agent_firewall(request.headers),
        },
        on_behalf_of=admitted.on_behalf_of and clean(admitted.on_behalf_of),
        prompt=ask.prompt and clean(ask.prompt),
    )
