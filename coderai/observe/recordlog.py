"""Log lines about exchanges: the structured log has one line per record, the operational one a line per exchange."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from coderai.observe import logs
from coderai.records import Begun, Ended, Link, Stamped, Thought, ToolCall, Usage

MESSAGE: Final = "interception log"
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


class Sink(Protocol):
    """What is told about exchanges, after they are durably recorded."""

    def begun(self, item: Begun, link: Link) -> None: ...

    def ended(self, item: Ended) -> None: ...


def record_logs(*, structured: bool) -> Sequence[Sink]:
    """Return the sinks for the logs that are wanted."""
    return (RecordLog(), RequestLog()) if structured else (RequestLog(),)


class RecordLog:
    """One line per record, with the prompt and all other content: for a log system that keeps the audit trail."""

    def __init__(self) -> None:
        self._log = logs.get("interceptions")

    def begun(self, item: Begun, link: Link) -> None:
        """Write ``interception_start``, and ``prompt_usage`` when a human wrote something."""
        one = item.interception
        self._log.info(
            MESSAGE,
            record_type="interception_start",
            interception_id=one.id,
            initiator_id=one.initiator_id,
            initiator_name=one.initiator_name,
            on_behalf_of=one.on_behalf_of or "",
            api_key_id=one.api_key_id,
            provider=one.provider,
            provider_name=one.provider_name,
            api=one.api.value,
            model=one.model,
            stream=one.stream,
            client=one.client,
            client_session_id=one.client_session_id or "",
            credential_kind=one.credential_kind,
            credential_hint=one.credential_hint,
            started_at=_moment(one.started_at),
            metadata={**one.metadata, "request_user_agent": one.user_agent},
            correlating_tool_call_id=one.tool_result_id or "",
            thread_parent_id=link.parent_id or NOBODY,
            thread_root_id=link.root_id or NOBODY,
        )
        if one.prompt is not None:
            self._log.info(
                MESSAGE,
                record_type="prompt_usage",
                interception_id=one.id,
                msg_id="",  # the provider has not answered yet
                prompt=one.prompt,
                created_at=_moment(one.started_at),
                metadata={},
            )

    def ended(self, item: Ended) -> None:
        """Write a line for every fact, then ``interception_end``."""
        one, end = item.interception, item.end
        for stamped in item.facts:
            self._fact(one.id, stamped)
        self._log.info(
            MESSAGE,
            record_type="interception_end",
            interception_id=one.id,
            initiator_id=one.initiator_id,
            initiator_name=one.initiator_name,
            provider=one.provider,
            provider_name=one.provider_name,
            model=one.model,
            ended_at=_moment(item.ended_at),
            **_outcome(item),
            error_message=end.error_message,
        )

    def _fact(self, interception_id: str, stamped: Stamped) -> None:
        record_type, fields = _described(stamped)
        self._log.info(
            MESSAGE,
            record_type=record_type,
            interception_id=interception_id,
            **fields,
            created_at=_moment(stamped.created_at),
        )


def _described(stamped: Stamped) -> tuple[str, dict[str, object]]:
    match stamped.fact:
        case Usage() as usage:
            return "token_usage", {
                "msg_id": usage.response_id,
                "input_tokens": usage.input,
                "output_tokens": usage.output,
                "cache_read_input_tokens": usage.cache_read,
                "cache_write_input_tokens": usage.cache_write,
                "metadata": dict(usage.extra),
            }
        case ToolCall() as call:
            return "tool_usage", {
                "msg_id": call.response_id,
                "tool_call_id": call.call_id,
                "tool": call.tool,
                "input": call.input,
                "server_url": "",
                "injected": False,
                "invocation_error": "",
                "metadata": {"kind": call.kind, **({"item_id": call.item_id} if call.item_id else {})},
            }
        case Thought() as thought:
            return "model_thought", {"content": thought.text, "metadata": {"source": thought.source}}


class RequestLog:
    """One debug line per exchange, with every id and without content."""

    def __init__(self) -> None:
        self._log = logs.get("requests")

    def begun(self, item: Begun, link: Link) -> None:
        """Nothing: the line is written when the outcome is known."""

    def ended(self, item: Ended) -> None:
        """Write who asked whom, and what came of it."""
        if not self._log.debugging:
            return
        one = item.interception
        self._log.debug(
            "exchange ended",
            interception_id=one.id,
            initiator_id=one.initiator_id,
            initiator=one.initiator_name,
            on_behalf_of=one.on_behalf_of or "",
            api_key_id=one.api_key_id,
            client=one.client,
            client_session_id=one.client_session_id or "",
            provider_name=one.provider_name,
            api=one.api.value,
            model=one.model,
            stream=one.stream,
            msg_id=item.end.answer.response_id,
            **_outcome(item),
        )


def _outcome(item: Ended) -> dict[str, object]:
    """How it ended, how long it took, and with which credential it went in the end."""
    one, end = item.interception, item.end
    first = end.first_byte_at
    return {
        "ending": end.ending.value,
        "http_status": end.http_status,
        "error_type": end.error_type.value if end.error_type else "",
        "credential_kind": one.credential_kind,
        "credential_hint": end.credential_hint or one.credential_hint,
        "first_byte_ms": _milliseconds(first - one.started_at) if first is not None else None,
        "duration_ms": _milliseconds(item.ended_at - one.started_at),
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
