"""``coderai clients``: which tools call, and how a tool is pointed here."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Final

import typer

from coderai.cli.connection import Api
from coderai.cli.errors import Refused, WrongUse
from coderai.cli.options import Run, command
from coderai.cli.proxy_env import CERTIFICATE, proxy_address, trusted_here
from coderai.cli.shapes import Door, DoorProvider, read
from coderai.cli.target import checked
from coderai.cli.text import Column, one_line, table
from coderai.errors import CoderaiError
from coderai.setups import CANNOT, SETUPS, Place, Setup, Snippet, find
from coderai.setups.proxied import PROXIED, Through, Way, find_proxied
from coderai.setups.snippets import MAKE_TOKEN, OWN_KEY, TOKEN

_PREFIX: Final = "/api/v2/aibridge"
_ROUTE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    command(app, "list")(list_command)
    command(app, "ls", hidden=True)(list_command)
    command(app, "setup")(setup_command)


def list_command(run: Run) -> None:
    """List the tools that were seen in the records."""
    with run.api() as api:
        body = api.get(f"{_PREFIX}/clients", {"limit": "1000"})
    if run.json:
        run.document(body)
        return
    seen = read(body, list[str])
    if not seen:
        run.note("no tool has called yet")
    run.say(one_line(each) for each in seen)


def setup_command(
    run: Run,
    tool: Annotated[str | None, typer.Argument(help="For example claude-code; without it: the list of tools.")] = None,
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", help="Name of a provider of the gateway, where several fit.")
    ] = None,
    byok: Annotated[bool, typer.Option("--byok", help="With your own key at the provider.")] = False,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Model the tool shall use.")] = None,
) -> None:
    """Print what points a tool at this gateway: variables, or the content of a file. Never a token."""
    if tool is None:
        _list_tools(run)
        return
    if (through := find_proxied(tool)) is not None:
        _through_proxy(run, through)
        return
    setup = known(tool)
    with run.api() as api:
        door = read(api.get(f"{_PREFIX}/clients/setup"), Door)
        root = address(api, door, run) + _PREFIX
    chosen = choose(door, setup, provider, byok=byok)
    place = Place(root, chosen.name, chosen.family, byok or not setup.central, model or "")
    snippet = setup.write(place)
    _show(run, setup.name, chosen.name, snippet, notes(setup, place, snippet))


def _through_proxy(run: Run, through: Through) -> None:
    """Print what leads a tool through the proxy, whose CA is put where the text says."""
    with run.api() as api:
        door = read(api.get(f"{_PREFIX}/clients/setup"), Door)
        root = address(api, door, run)
        if not any(each.state == "enabled" and each.family == through.family for each in door.providers):
            raise CoderaiError(f"no provider fits {through.label}: the gateway needs one of type {through.family}")
        if not door.byok:
            raise CoderaiError("bringing your own key is switched off on this gateway (--aibridge-allow-byok=false)")
        scheme, _, place = proxy_address(api, door, None).partition("://")
        trust = trusted_here(run, api.get(CERTIFICATE), None)
    snippet = through.write(Way(scheme, place, str(trust.ca)))
    told = f"The CA's certificate is in {trust.ca}; others get it at {root}{CERTIFICATE}"
    _show(run, through.name, "", snippet, [*_proxied_notes(through, snippet, scheme), told])


def _proxied_notes(through: Through, snippet: Snippet, scheme: str) -> Iterator[str]:
    if snippet.file:
        yield f"This belongs into {snippet.file} (add it to what is there)."
    yield f"A gateway token: export CODER_TOKEN=$({MAKE_TOKEN})"
    if snippet.form != "sh":
        yield f"Put the real value for {TOKEN}."
    yield snippet.then
    if scheme == "https" and not through.takes_tls:
        yield f"note: this proxy speaks TLS only, which {through.label} may not be able to use"
    yield f"Tried with version {through.tried}." if through.tried else "Not tried with the real tool."


def _show(run: Run, tool: str, provider: str, snippet: Snippet, notes: Iterable[str]) -> None:
    remarks = [one_line(text) for text in notes]
    if run.json:
        shown = {"tool": tool, "provider": provider, "form": snippet.form, "file": snippet.file}
        run.document(json.dumps({**shown, "text": snippet.text, "notes": remarks}).encode())
        return
    run.say(snippet.text.splitlines())
    for remark in remarks:
        run.note(remark)


def known(tool: str) -> Setup:
    """Return the row for *tool*. Raises WrongUse naming what is meant, CoderaiError for a tool that cannot."""
    if (setup := find(tool)) is not None:
        return setup
    if tool.lower() in CANNOT:
        raise CoderaiError(f"{CANNOT[tool.lower()]}: it cannot be pointed at the gateway")
    names = [name for row in (*SETUPS, *PROXIED) for name in (row.name, *row.others)]
    near = difflib.get_close_matches(tool.lower(), names, 1)
    meant = f"; did you mean {near[0]}?" if near else "."
    raise WrongUse(f"no tool {tool!r}{meant} There are: {', '.join(row.name for row in (*SETUPS, *PROXIED))}")


def address(api: Api, door: Door, run: Run) -> str:
    """Return where tools reach the gateway: its configured address, else the one that was used here."""
    if not api.address:
        raise CoderaiError("no server is running here: start one with `coderai server`, or name one with --url")
    if not door.enabled:
        raise CoderaiError("this server does not run the gateway: start it with --aibridge-enabled")
    if door.access_url and checked(door.access_url) != api.address:
        run.note(f"The address is the server's access URL; you asked at {one_line(api.address)}.")
    return checked(door.access_url or api.address)


def choose(door: Door, setup: Setup, wanted: str | None, *, byok: bool) -> DoorProvider:
    """Return the provider the tool shall use. Raises an error that says what would be right."""
    byok = byok or not setup.central
    if byok and not setup.byok:
        raise WrongUse(f"{setup.label} cannot send a gateway token beside a key of your own: leave --byok out")
    if byok and not door.byok:
        raise CoderaiError("bringing your own key is switched off on this gateway (--aibridge-allow-byok=false)")
    if wanted is not None:
        return _wanted(door, setup, wanted, byok)
    for family in setup.families:
        fitting = [each for each in _usable(door, byok) if each.family == family]
        if setup.provider:  # a sign-in belongs to one provider only: no other may get it by a guess
            fitting = [each for each in fitting if each.name == setup.provider]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise WrongUse(f"several providers fit {setup.label}: {_names(fitting)}; name one with --provider")
    raise CoderaiError(_lacking(door, setup, byok))


def notes(setup: Setup, place: Place, snippet: Snippet) -> Iterator[str]:
    """Yield what the person has to know besides, one line each."""
    if snippet.file:
        yield f"This belongs into {snippet.file} (add it to what is there)."
    names = [name for name in (TOKEN, OWN_KEY) if name in snippet.text]
    if snippet.file and names and not snippet.expanded:
        yield f"Put the real values for {' and '.join(names)}; `envsubst` does that with exported variables."
    yield f"A gateway token: export CODER_TOKEN=$({MAKE_TOKEN})"
    if place.byok and setup.central:
        yield "Your own key at the provider goes through unchanged; the gateway keeps only a masked hint of it."
    if snippet.then:
        yield snippet.then
    yield f"Tried with version {setup.tried}." if setup.tried else "Not tried with the real tool."


def _list_tools(run: Run) -> None:
    if run.json:
        run.document(json.dumps([*map(_as_json, SETUPS), *map(_proxied_as_json, PROXIED)]).encode())
        return
    columns = [Column("TOOL"), Column("SPEAKS TO"), Column("OWN KEY"), Column("TRIED WITH"), Column("NAME", 60)]
    rows = [[row.name, ", ".join(row.families), _yes(row.byok), row.tried or "not tried", row.label] for row in SETUPS]
    rows += [[row.name, f"{row.family} (proxy)", "always", row.tried or "not tried", row.label] for row in PROXIED]
    run.say(table(columns, rows, run.look))
    run.note("Go on with: coderai clients setup TOOL [--provider NAME] [--byok]")


def _as_json(row: Setup) -> dict[str, object]:
    return {"tool": row.name, "label": row.label, "families": row.families, "byok": row.byok, "tried": row.tried}


def _proxied_as_json(row: Through) -> dict[str, object]:
    return {"tool": row.name, "label": row.label, "families": [row.family], "byok": True, "tried": row.tried}


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _usable(door: Door, byok: bool) -> Sequence[DoorProvider]:
    return [
        each
        for each in door.providers
        if each.state == "enabled" and _ROUTE.fullmatch(each.name) and (byok or each.central_key)
    ]


def _wanted(door: Door, setup: Setup, wanted: str, byok: bool) -> DoorProvider:
    found = next((each for each in door.providers if each.name == wanted), None)
    if found is None or not _ROUTE.fullmatch(wanted):
        raise Refused(404, f"no provider {wanted!r}", f"There are: {_names(door.providers) or 'none'}")
    if found.state != "enabled":
        raise CoderaiError(f"provider {wanted} cannot be used: its state is {one_line(found.state)}")
    if found.family not in setup.families:
        spoken = " or ".join(setup.families)
        raise CoderaiError(f"{setup.label} speaks to providers of the family {spoken}; {wanted} is {found.family}")
    if not byok and not found.central_key:
        raise CoderaiError(f"provider {wanted} has no central key: say --byok")
    return found


def _lacking(door: Door, setup: Setup, byok: bool) -> str:
    without = [each for each in _usable(door, byok=True) if each.family in setup.families]
    if without and not byok and setup.byok and door.byok:
        return f"no provider with a central key fits {setup.label}; with your own key (--byok): {_names(without)}"
    kinds = " or ".join(setup.families)
    if setup.provider:
        return f"no provider {setup.provider!r} for {setup.label}: where it has another name, say --provider"
    return f"no provider fits {setup.label}: the gateway needs one of type {kinds} or of one that speaks alike"


def _names(providers: Sequence[DoorProvider]) -> str:
    return ", ".join(one_line(each.name) for each in providers)
