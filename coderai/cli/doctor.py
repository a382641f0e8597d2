"""``coderai doctor``: is everything as it should be on this machine?"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coderai.cli.config import Options, loaded_here
from coderai.cli.errors import FAILED, WrongUse
from coderai.cli.options import Run
from coderai.cli.text import one_line
from coderai.errors import CoderaiError

if TYPE_CHECKING:
    from coderai.server.examining import Verdict


def doctor(
    run: Run,
    options: Options = None,
    fix: Annotated[bool, typer.Option("--fix", help="Take away others' access to our files.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Connect to nobody but the database.")] = False,
    client: Annotated[
        bool, typer.Option("--client", help="Check this machine as a client of the proxy instead.")
    ] = False,
    proxy: Annotated[
        str | None, typer.Option("--proxy", help="With --client: its address, instead of HTTPS_PROXY.")
    ] = None,
    cacert: Annotated[
        Path | None,
        typer.Option("--cacert", help="With --client: what is trusted, instead of SSL_CERT_FILE and others."),
    ] = None,
    hosts: Annotated[
        list[str] | None, typer.Option("--host", help="With --client: a host that has to be intercepted. Repeatable.")
    ] = None,
) -> None:
    """Check configuration, files, database, providers, address, proxy and clocks; exit code 1 when something is wrong.

    With --client: does a tool on this machine come through the proxy, and does it trust what the proxy shows? It is
    asked as the tool would ask: through HTTPS_PROXY, trusting SSL_CERT_FILE, NODE_EXTRA_CA_CERTS and their like.
    """
    if not client and (proxy or cacert or hosts):
        raise WrongUse("--proxy, --cacert and --host belong to --client")
    verdicts = []
    seen = _as_client(run, proxy, cacert, hosts) if client else _examined(run, options, fix=fix, offline=offline)
    for verdict in seen:
        verdicts.append(verdict)
        if not run.json:
            run.say([f"{verdict.state:<4}  {one_line(verdict.what):<12}  {one_line(verdict.text)}"])
    if run.json:
        run.document(json.dumps([asdict(verdict) for verdict in verdicts]).encode())
    if any(verdict.state == "fail" for verdict in verdicts):
        raise typer.Exit(FAILED)


def _as_client(run: Run, proxy: str | None, cacert: Path | None, hosts: list[str] | None) -> Iterator["Verdict"]:
    from coderai.proxy.trying import USUAL_HOSTS, passed_by, tried, trusts, way_to
    from coderai.server.examining import Verdict

    address = proxy or run.environ.get("HTTPS_PROXY") or run.environ.get("https_proxy")
    if not address:
        yield Verdict("fail", "client", 'HTTPS_PROXY is not set: eval "$(coderai proxy env)", or say --proxy')
        return
    way, asked = way_to(address), hosts or USUAL_HOSTS
    around = () if proxy else passed_by(run.environ, asked)
    for state, text in (*around, *tried(way, trusts(run.environ, cacert), asked, wanted=bool(hosts))):
        yield Verdict(state, "client", text)


def _examined(run: Run, options: list[str] | None, *, fix: bool, offline: bool) -> Iterator["Verdict"]:
    from coderai.server import examining, examining_proxy  # the whole server: only when it is wanted

    try:
        loaded = loaded_here(run, options)
    except CoderaiError as error:
        yield examining.Verdict("fail", "settings", str(error))
        return
    settings, now = loaded.settings, run.look.now
    for warning in loaded.warnings:
        yield examining.Verdict("warn", "settings", warning)
    if not loaded.warnings:
        origin = loaded.config or "no file"
        yield examining.Verdict("ok", "settings", f"{len(loaded.provenance)} options set ({origin})")
    yield from examining.examine_files(settings.data_dir, fix=fix)
    yield from examining.examine_certificates(settings, now)
    verdicts, seen = asyncio.run(examining.examine_database(settings, now))
    yield from verdicts
    made = seen.upstreams if seen else ()
    if settings.aibridge_proxy_enabled:
        yield from examining_proxy.examine_authority(settings, made, now)
    if offline:
        return
    yield from examining.examine_providers(settings, made, run.environ)
    yield from examining.examine_address(settings, now)
    if settings.aibridge_proxy_enabled:
        yield from examining_proxy.examine_proxy_listener(settings)
