"""What becomes of an exchange in the audit trail: its start, its end, and the words for ends that nobody explained."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from coderai import clients
from coderai.access.callers import Caller
from coderai.errors import StoreUnavailable
from coderai.gateway.credentials import Credential
from coderai.gateway.ports import Recorder
from coderai.ids import new_id
from coderai.providers.family import Route
from coderai.providers.registry import Instance
from coderai.records import Answer, Ask, End, Ending, ErrorType, Interception
from coderai.wire.apis import Wire

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


class Ledger:
    """Writes starts and ends. *recorder* makes them durable."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def begin(self, admitted: Admitted, ask: Ask, wire: Wire) -> Interception:
        """Return the interception once its start is durable. Raises StoreUnavailable."""
        interception = _interception(admitted, ask, wire)
        await self._recorder.begin(interception)  # no record, no call
        return interception

    def saw_call(self, interception: Interception, call_id: str) -> None:
        """Tell that a running exchange asked for a tool, so that a follower can be linked before the end."""
        self._recorder.saw_call(interception, call_id)

    async def end(
        self,
        interception: Interception,
        learned: Answer,
        ending: Ending,
        status: int | None,
        first_byte_at: datetime | None,
        *,
        text: str = "",
        error_type: ErrorType | None = None,
        hint: str = "",
    ) -> bool:
        """Return whether the records are durable; if not, the recorder keeps trying, but the client sees no end."""
        end = End(
            answer=learned,
            ending=ending,
            http_status=status,
            error_type=learned.error_type or error_type or _ERROR_TYPES.get(ending),
            error_message=learned.error_message or text or _WORDS.get(ending, ""),
            first_byte_at=first_byte_at,
            credential_hint=hint or None,
        )
        try:
            await self._recorder.end(interception, end)
        except StoreUnavailable:
            return False
        return True


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


def _interception(admitted: Admitted, ask: Ask, wire: Wire) -> Interception:
    request, caller, instance = admitted.request, admitted.caller, admitted.instance
    client = clients.identify(request.headers, ask)
    return Interception(
        id=new_id(),
        started_at=datetime.now(UTC),
        initiator_id=caller.user_id,
        initiator_name=caller.username,
        api_key_id=caller.token_id,
        provider=instance.family.name if instance.family else "",
        provider_name=instance.name,
        model=ask.model if instance.dialect is None else instance.dialect.model(ask.model),
        api=wire.API,
        stream=ask.stream,
        client=client.label,
        user_agent=request.headers.get("User-Agent", ""),
        client_session_id=client.session_id,
        tool_result_id=ask.tool_result_id,
        credential_kind=admitted.credential.kind,
        credential_hint=admitted.credential.hint,
        metadata={"Username": caller.username},
        prompt=ask.prompt,
    )
