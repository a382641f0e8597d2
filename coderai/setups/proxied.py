"""Tools whose address cannot be changed: what leads them through the intercepting proxy. One row per tool."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coderai.setups.snippets import TOKEN, Snippet, document, lines, shell


@dataclass(frozen=True, slots=True)
class Way:
    """Where the proxy is, and whom to trust there."""

    scheme: str
    place: str
    """``host:port``."""
    ca_file: str
    """On the machine of the tool."""

    @property
    def url(self) -> str:
        """Return the proxy's address with the token."""
        return f"{self.scheme}://coder:{TOKEN}@{self.place}"


@dataclass(frozen=True, slots=True)
class Through:
    """One tool."""

    name: str
    """What is typed on the command line."""
    label: str
    """As people call it."""
    write: Callable[[Way], Snippet]
    family: str
    """Whose hosts it speaks to."""
    tried: str = ""
    """The version it was run with; empty: written from what is known of the tool."""
    takes_tls: bool = True
    """It can speak TLS to the proxy itself."""
    others: tuple[str, ...] = ()
    """Further names on the command line."""


def _copilot_cli(way: Way) -> Snippet:
    then = "Sign in to GitHub as usual: the proxy intercepts the models only, all else is tunnelled untouched."
    return shell({"HTTPS_PROXY": way.url, "NODE_EXTRA_CA_CERTS": way.ca_file}, then=then)


def _vscode(way: Way) -> Snippet:
    settings = {"http.proxy": way.url, "http.proxySupport": "override", "http.systemCertificates": True}
    then = (
        f"Let the system trust {way.ca_file}, from where VS Code takes it, and start VS Code anew. "
        "Part of settings.json; every extension goes through the proxy then."
    )
    return document(settings, "VS Code: Open User Settings (JSON)", then=then)


def _jetbrains(way: Way) -> Snippet:
    host, _, port = way.place.rpartition(":")
    return lines(
        "text",
        "Settings > Appearance & Behavior > System Settings > HTTP Proxy",
        "Manual proxy configuration: HTTP",
        f"Host name: {host.strip('[]')}",
        f"Port number: {port}",
        f"Proxy authentication: login coder, password {TOKEN}",
        "Settings > Tools > Server Certificates > Accepted certificates > +",
        f"Certificate: {way.ca_file}",
        then="Start the IDE anew.",
    )


PROXIED: Final = (
    Through("copilot", "GitHub Copilot CLI with its subscription", _copilot_cli, "copilot", "1.0.102"),
    Through("vscode-copilot", "GitHub Copilot in VS Code", _vscode, "copilot", takes_tls=False),
    Through("jetbrains-copilot", "GitHub Copilot in JetBrains IDEs", _jetbrains, "copilot", takes_tls=False),
)
"""In the order in which they are listed."""

_BY_NAME: Final = {name: each for each in PROXIED for name in (each.name, *each.others)}


def find_proxied(name: str) -> Through | None:
    """Return the row for what was typed."""
    return _BY_NAME.get(name.strip().lower())
