"""Whose credential goes to the provider: the caller's own, or the central key."""

from dataclasses import dataclass, field
from typing import Final

from multidict import CIMultiDictProxy

from coderai.access.credentials import mask
from coderai.errors import Forbidden, NotSignedIn
from coderai.providers.keys import Key
from coderai.providers.registry import Instance

_SCHEMES = frozenset({"bearer", "basic"})


@dataclass(frozen=True, slots=True)
class Credential:
    """The caller's own provider credential and its header, or the word that a central key is to be used."""

    kind: str
    """``centralized`` or ``byok``, as recorded."""
    hint: str = ""
    """Of an own credential; which central key is used turns out later."""
    header: str = field(repr=False, default="")
    value: str = field(repr=False, default="")

    def as_sent(self) -> tuple[bytes, bytes]:
        """Return the header as on the wire."""
        return self.header.encode(), self.value.encode("utf-8", "surrogateescape")


CENTRAL: Final = Credential("centralized")


def central(instance: Instance, key: Key) -> tuple[bytes, bytes]:
    """Return the header with a central key, as on the wire."""
    auth = instance.auth
    return auth.header.encode(), (auth.scheme + key.text).encode()


def choose(
    instance: Instance, headers: CIMultiDictProxy[str], token: str, *, byok: bool, allow_byok: bool
) -> Credential:
    """Return the credential for a call: the caller's own when one came with it, else ``CENTRAL``.

    A caller's credential is forwarded in the header in which it came: new Anthropic SDKs put plain API keys into
    ``Authorization``. The gateway *token* is never one, even where a tool sends it in every header that it knows.
    Raises Forbidden when own credentials are switched off, NotSignedIn when there is none at all.
    """
    if byok and not allow_byok:
        raise Forbidden("bringing your own key is switched off on this gateway (--aibridge-allow-byok=false)")
    if byok:
        own = _own(headers, token, instance)
        if own is not None:
            return own
    if len(instance.keys) or instance.dialect is not None:
        return CENTRAL
    raise NotSignedIn(
        f"provider {instance.name} has no central key: send the gateway token as X-Coder-AI-Governance-Token and your"
        " own provider key as usual"
        if allow_byok
        else f"provider {instance.name} has no key; ask your administrator"
    )


def _own(headers: CIMultiDictProxy[str], token: str, instance: Instance) -> Credential | None:
    """Where both headers hold one, that of the provider's own kind counts."""
    names = ["X-Api-Key", "Authorization"]
    if instance.auth.header == "Authorization":
        names.reverse()
    for name in names:
        value = headers.get(name, "").strip()
        scheme, _, rest = value.partition(" ")
        secret = rest.strip() if scheme.lower() in _SCHEMES else value
        if secret and secret != token:
            return Credential("byok", mask(secret.split()[-1]), name, value)
    return None
