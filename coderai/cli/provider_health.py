"""``coderai providers health``: errors and times of the last hour, keys, circuits."""

from collections.abc import Iterator

from coderai.cli.options import Run
from coderai.cli.shapes import read
from coderai.cli.text import Column, Look, count, table, when
from coderai.cli.upkeep_shapes import ProviderHealth, ProvidersHealth

PATH = "/api/v2/ai/provider-health"


def health_command(run: Run) -> None:
    """Show how the providers do: errors and times of the last hour, keys, circuits, the last error."""
    with run.api() as api:
        body = api.get(PATH)
    if run.json:
        run.document(body)
        return
    page = read(body, ProvidersHealth)
    if not page.providers:
        run.note("this server serves no providers")
        return
    columns = [
        *(Column("NAME", 40, least=10), Column("STATE", 60, leaves=2), Column("REQUESTS"), Column("ERRORS")),
        *(Column("P50"), Column("P95"), Column("KEYS", 60), Column("LAST ERROR", 80, leaves=1)),
    ]
    run.say(table(columns, [_row(each, run.look) for each in page.providers], run.look))
    if page.capped:
        run.note("there were more requests than were looked at: the numbers are about the latest of them")


def _row(each: ProviderHealth, look: Look) -> list[str]:
    times = each.first_byte_ms
    waits = [f"{times.p50} ms", f"{times.p95} ms"] if times is not None else ["-", "-"]
    return [
        *(each.name, "; ".join(_state(each)), count(each.requests, look), count(each.errors, look), *waits),
        ", ".join(f"{key.number} {key.state}" for key in each.keys) or "none",
        _last(each, look),
    ]


def _state(each: ProviderHealth) -> Iterator[str]:
    yield f"{each.state}: {each.reason}" if each.reason else each.state
    for circuit in each.circuits:
        yield f"circuit of {circuit.model} {circuit.state}"


def _last(each: ProviderHealth, look: Look) -> str:
    error = each.last_error
    if error is None:
        return "none"
    status = f" ({error.http_status})" if error.http_status else ""
    return f"{when(error.at, look)} {error.ending}{status}: {error.message}"
