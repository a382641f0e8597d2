"""``coderai proxy``: the certificate authority of the intercepting proxy, and what its clients have to set."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from coderai.cli import proxy_env
from coderai.cli.config import loaded_here
from coderai.cli.errors import WrongUse
from coderai.cli.options import Run, command, noun
from coderai.cli.text import one_line
from coderai.durations import parse
from coderai.errors import Conflict

if TYPE_CHECKING:
    from coderai.proxy.ca import Authority
    from coderai.proxy.describing import Described
    from coderai.proxy.files import Pair
    from coderai.settings import Settings


_LONGEST: Final = timedelta(days=100 * 365)
_LONGEST_NAME: Final = 64
"""Of a common name, in the X.509 standard."""


def register(app: typer.Typer) -> None:
    """Add the verbs of this noun."""
    authority = typer.Typer(no_args_is_help=True)
    noun(authority)
    command(authority, "create")(create_command)
    command(authority, "show")(show_command)
    app.add_typer(authority, name="ca", help="The certificate authority that clients of the proxy trust.")
    command(app, "env")(proxy_env.env_command)


def create_command(
    run: Run,
    hosts: Annotated[
        list[str] | None,
        typer.Option("--host", help="Name or address of the proxy: a certificate for its TLS listener. Repeatable."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Host that the CA may speak for, as for example api.openai.com. Repeatable."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="How the CA calls itself.")] = "AI Gateway Proxy CA",
    life: Annotated[str, typer.Option("--life", help="How long the CA is valid.")] = "10y",
) -> None:
    """Make the CA of the proxy; with --host also a certificate for its listener. Nothing is ever replaced.

    Where the CA is there already, --host makes only the listener's certificate.

    With --only clients believe the CA nothing about any other host, should its key be lost. Name the hosts of
    all providers; what lies below a name is included, and so are the names given with --host.
    """
    made = _create(run, loaded_here(run).settings, tuple(hosts or ()), tuple(only or ()), _name(name), _life(life))
    if run.json:
        run.document(json.dumps({what: each.document() for what, each in made.items()}).encode())
        return
    for what, each in made.items():
        run.say(_lines(what, each))
    run.note(
        "Clients are to trust the CA's certificate. Its key stays here: whoever has it can pretend to be any host."
    )
    run.note("Next: " + " ".join(_next(made.get("listener"))))


def _next(listener: "Described | None") -> Iterator[str]:
    yield "coderai server --aibridge-enabled --aibridge-proxy-enabled"
    if listener is not None:
        yield f"--aibridge-proxy-tls-cert-file={listener.cert} --aibridge-proxy-tls-key-file={listener.key}"


def show_command(
    run: Run,
    pem: Annotated[bool, typer.Option("--pem", help="The certificate itself.")] = False,
) -> None:
    """Show the CA of the proxy: of the server that is named, else of this machine."""
    from coderai.proxy.describing import described

    if run.names_server:
        with run.api() as api:
            found = described(api.get(proxy_env.CERTIFICATE))
    else:
        found = _local(loaded_here(run).settings)
    if pem:
        run.say(found.pem.splitlines())
    elif run.json:
        run.document(json.dumps({"ca": found.document()}).encode())
    else:
        run.say(_lines("ca", found))
    if found.ends_soon(run.look.now):
        run.note(f"warning: it ends on {found.not_after:%Y-%m-%d}; its successor has to reach all clients before")


def _create(
    run: Run, settings: "Settings", hosts: tuple[str, ...], only: tuple[str, ...], name: str, life: timedelta
) -> dict[str, "Described"]:
    from coderai.proxy import files, issuing
    from coderai.proxy.ca import pem_of
    from coderai.proxy.describing import described

    now, authority_at, listener_at = run.look.now, files.chosen_authority(settings), files.chosen_listener(settings)
    new = not authority_at.there()
    if new:
        authority = issuing.new_authority(name, now, life, (*only, *hosts) if only else ())
    else:
        authority = _there(authority_at, run, hosts, only)
    issued = authority.issue(list(hosts), now, issuing.LISTENER_LIFE) if hosts else None
    if issued is not None:
        files.check_free(listener_at)  # what cannot be done is said before anything is written
    made = {}
    if new:
        files.write_new(authority_at, authority.certificate_pem, pem_of(authority.key))
        made["ca"] = described(authority.certificate_pem, authority_at)
    if issued is not None:
        files.write_new(listener_at, issued.chain_pem, issued.key_pem)
        made["listener"] = described(issued.chain_pem, listener_at)
    return made


def _there(pair: "Pair", run: Run, hosts: tuple[str, ...], only: tuple[str, ...]) -> "Authority":
    """Return the CA that is there, to sign for *hosts*. Raises Conflict, WrongUse, BadSettings."""
    from coderai.proxy.ca import Authority
    from coderai.proxy.constraints import may_speak_for

    if only or not hosts:
        raise Conflict(f"{pair.there()[0]} exists and is left alone: move it away first, or say --host for a listener")
    authority = Authority.load(pair.cert, pair.key, now=run.look.now)
    for host in hosts:
        if not may_speak_for(authority.certificate, host):
            raise WrongUse(f"the CA in {pair.cert} is limited to other hosts: nobody would believe it about {host}")
    return authority


def _name(text: str) -> str:
    if not text.isprintable() or not 0 < len(text.strip()) <= len(text) <= _LONGEST_NAME:
        raise WrongUse(f"--name: write 1 to {_LONGEST_NAME} printable characters")
    return text


def _life(text: str) -> timedelta:
    life = parse(text)
    if not timedelta() < life <= _LONGEST:
        raise WrongUse(f"--life {text}: write more than nothing and {_LONGEST.days // 365}y at most, for example 10y")
    return life


def _local(settings: "Settings") -> "Described":
    from coderai.proxy import files
    from coderai.proxy.describing import described

    pair = files.authority_files(settings)
    return described(files.read_certificate(pair.cert), pair)


def _lines(what: str, each: "Described") -> Iterator[str]:
    yield f"{'CA' if what == 'ca' else 'Listener'}: {one_line(', '.join(each.names) or each.subject)}"
    if each.cert is not None:
        yield f"  certificate  {each.cert}"
        yield f"  key          {each.key}"
    yield f"  valid        {each.not_before:%Y-%m-%d} to {each.not_after:%Y-%m-%d}"
    yield f"  SHA-256      {each.fingerprint}"
    if each.only:
        yield f"  speaks for   {one_line(', '.join(each.only))}"
