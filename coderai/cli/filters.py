"""The filters that the lists of sessions and interceptions have in common."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from coderai.cli.errors import WrongUse

Initiator = Annotated[str | None, typer.Option("--initiator", help="Whose: a username, an id, or me.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Rows of a page.")]
Everything = Annotated[bool, typer.Option("--all", help="Of all times.")]

DAY = timedelta(hours=24)
MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class What:
    """Which records, whenever they were made. A command that has one of these as parameter has all its options."""

    client: Annotated[str | None, typer.Option("--client", help='Tool, for example "Coder Agents".')] = None
    initiator: Initiator = None
    on_behalf_of: Annotated[str | None, typer.Option("--on-behalf-of", help="For whom a service account acted.")] = None
    provider: Annotated[str | None, typer.Option("--provider", help="Type: openai, anthropic, copilot.")] = None
    provider_name: Annotated[str | None, typer.Option("--provider-name", help="Name of the configured provider.")] = (
        None
    )
    model: Annotated[str | None, typer.Option("--model")] = None
    q: Annotated[str | None, typer.Option("-q", "--query", help='Raw query, for example: client:"Codex" model:m')] = (
        None
    )

    def asked(self) -> dict[str, str | None]:
        """Return the parameters of the API."""
        return {name: getattr(self, name) for name in (each.name for each in fields(What))}


@dataclass(frozen=True, slots=True)
class Filters(What):
    """The same, of some time."""

    session_id: Annotated[str | None, typer.Option("--session-id")] = None
    since: Annotated[str | None, typer.Option("--since", help="A duration ago (24h, 7d) or a date.")] = None
    started_after: Annotated[
        str | None, typer.Option("--started-after", help="RFC 3339, a date, or a duration ago.")
    ] = None
    started_before: Annotated[
        str | None, typer.Option("--started-before", help="RFC 3339, a date, or a duration ago.")
    ] = None

    @property
    def any_time(self) -> bool:
        """Whether no time was asked for."""
        return not (self.since or self.started_after or self.started_before or "started_" in (self.q or "").lower())

    def parameters(self, now: datetime, default_window: timedelta | None = None) -> dict[str, str | None]:
        """Return the parameters of the API. Raises WrongUse, and Invalid for a date that cannot be read."""
        if self.since and self.started_after:
            raise WrongUse("--since and --started-after say the same: give either")
        after = _moment(self.since or self.started_after, now)
        if self.any_time and default_window is not None:
            after = _written(now - default_window)
        return self.asked() | {
            "session_id": self.session_id,
            "started_after": after,
            "started_before": _moment(self.started_before, now),
        }


def _moment(text: str | None, now: datetime) -> str | None:
    if text is None:
        return None
    from coderai.durations import parse_moment

    return _written(parse_moment(text, now))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
