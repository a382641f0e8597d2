"""``coderai proxy env``: what the clients of the proxy have to set."""

import json
import os
import ssl
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from coderai.cli.connection import Api
from coderai.cli.errors import WrongUse
from coderai.cli.options import Run
from coderai.cli.run import read_small_file
from coderai.cli.shapes import Door, read
from coderai.cli.target import config_dir
from coderai.cli.text import one_line
from coderai.errors import CoderaiError
from coderai.setups.shells import SHELLS, usual_shell
from coderai.setups.snippets import MAKE_TOKEN, TOKEN

_PREFIX: Final = "/api/v2/aibridge"
CERTIFICATE: Final = f"{_PREFIX}/proxy/ca-cert.pem"
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep what they trust, in one file."""
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_OTHER_SPELLINGS: Final = ("https_proxy", "no_proxy")
"""Some tools would prefer them."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Files of this machine."""

    ca: Path
    """The proxy's CA alone, for tools that add it to what they trust."""
    bundle: Path
    """With what the system trusts, for tools that trust one file only."""
    whole: bool
    """Whether the system's were found."""


def env_command(
    run: Run,
    proxy: Annotated[
        str | None, typer.Option("--proxy", help="Address of the proxy, as https://proxy.example.com:8888.")
    ] = None,
    cacert: Annotated[
        Path | None, typer.Option("--cacert", help="PEM file of a further CA to trust, as the one of its listener.")
    ] = None,
    shell: Annotated[str | None, typer.Option("--shell", help="sh, fish or powershell; else a guess.")] = None,
) -> None:
    """Print the variables that lead tools through the proxy: `eval "$(coderai proxy env)"`.

    The CA's certificate is fetched and put into the configuration directory, alone and together with what this
    system trusts. A token is never printed: it is taken from CODER_TOKEN.
    """
    written = SHELLS.get(shell or usual_shell(run.environ, windows=sys.platform == "win32"))
    if written is None:
        raise WrongUse(f"--shell {shell}: there are {', '.join(SHELLS)}")
    with run.api() as api:
        door = read(api.get(f"{_PREFIX}/clients/setup"), Door)
        address = proxy_address(api, door, proxy)
        certificate = api.get(CERTIFICATE)
        gateway = urlsplit(door.access_url or api.address).hostname or ""
    trust = trusted_here(run, certificate, cacert)
    exports = variables(address, trust, [*_HERE, gateway], run.environ.get("NO_PROXY", ""))
    unset = [name for name in _OTHER_SPELLINGS if name in run.environ]
    if run.json:
        run.document(json.dumps({"variables": exports, "unset": unset}).encode())
        return
    run.say(written(exports, unset).splitlines())
    for remark in _notes(address, trust):
        run.note(remark)


def proxy_address(api: Api, door: Door, given: str | None) -> str:
    """Return where the proxy is reached, without credentials. Raises WrongUse, CoderaiError: there is none."""
    if given is not None:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
            raise WrongUse("--proxy: write scheme, host and port only, for example https://proxy.example.com:8888")
        return f"{parts.scheme}://{parts.netloc}"
    if door.proxy is None:
        raise CoderaiError("this server does not run the proxy: start it with --aibridge-proxy-enabled")
    host = door.proxy.host or urlsplit(door.access_url or api.address).hostname or ""
    return f"{'https' if door.proxy.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{door.proxy.port}"


def variables(address: str, trust: Trust, direct: Iterable[str], no_proxy: str) -> dict[str, str]:
    """Return what tools have to find in their environment; *direct* are hosts that are not asked through the proxy."""
    scheme, _, place = address.partition("://")
    around = [*filter(None, (each.strip() for each in no_proxy.split(","))), *filter(None, direct)]
    found = {
        "HTTPS_PROXY": f"{scheme}://coder:{TOKEN}@{place}",
        "NO_PROXY": ",".join(dict.fromkeys(around)),
        "NODE_EXTRA_CA_CERTS": str(trust.ca),
        "SSL_CERT_FILE": str(trust.bundle),
        "REQUESTS_CA_BUNDLE": str(trust.bundle),
        "CURL_CA_BUNDLE": str(trust.bundle),
        "GIT_SSL_CAINFO": str(trust.bundle),
        "CODEX_CA_CERTIFICATE": str(trust.bundle),
    }
    return found | ({"GIT_PROXY_SSL_CAINFO": str(trust.bundle)} if scheme == "https" else {})


def trusted_here(run: Run, certificate: bytes, further: Path | None) -> Trust:
    """Write what is to be trusted. Raises CoderaiError."""
    directory = config_dir(run.choices, run.environ).absolute()
    ca, bundle = directory / "proxy-ca.pem", directory / "proxy-bundle.pem"
    own = certificate
    if further is not None:
        text = read_small_file(further)
        if text is None:
            raise CoderaiError(f"there is no file {further}")
        own += b"\n" + text.encode()
    system = system_bundle(run.environ, bundle)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(ca, own)
        _write(bundle, (system + b"\n" if system else b"") + own)
    except OSError as error:
        raise CoderaiError(f"cannot write to {directory}: {error.strerror}") from error
    return Trust(ca, bundle, bool(system))


def system_bundle(environ: Mapping[str, str], ours: Path) -> bytes:
    """Return what is trusted here without the proxy; nothing when there is no such file."""
    chosen = environ.get("SSL_CERT_FILE", "")
    known = (chosen, ssl.get_default_verify_paths().openssl_cafile, *_BUNDLES)
    for path in map(Path, filter(None, known)):
        if path.absolute() != ours and path.is_file():
            return path.read_bytes().rstrip()
    return b""


def _write(path: Path, content: bytes) -> None:
    """Nobody ever reads half of it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(content)
    new.replace(path)


def _notes(address: str, trust: Trust) -> Iterable[str]:
    yield f"A gateway token: export CODER_TOKEN=$({MAKE_TOKEN})"
    yield f"The CA is in {trust.ca}, together with what this system trusts in {trust.bundle}."
    if not trust.whole:
        yield "note: what this system trusts was not found: hosts that are not intercepted will not be trusted"
    if address.startswith("http:"):
        yield f"note: {one_line(address)} has no TLS: whoever is between can read the token"
