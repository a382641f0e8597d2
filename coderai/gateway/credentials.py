"""Whose credential goes to the provider: the caller's own, or the central key."""

from dataclasses import dataclass, field

from multidict import CIMultiDictProxy

from coderai.access.credentials import mask
from coderai.errors import Forbidden, NotSignedIn
from coderai.providers.registry import Instance


@dataclass(frozen=True, slots=True)
class Credential:
    """A provider credential and the header it travels in."""

    kind: str
    """``centralized`` or ``byok``, as recorded."""
    hint: str
    header: str = field(repr=False, default="")
    value: str = field(repr=False, default="")


def choose(instance: Instance, headers: CIMultiDictProxy[str], *, byok: bool, allow_byok: bool) -> Credential:
    """Return the credential for a call: the caller's own when one came with it, else the central key.

    A caller's credential is forwarded in the header in which it came: new Anthropic SDKs put plain API keys into
    ``Authorization``. Raises Forbidden when own credentials are switched off, NotSignedIn when there is none at all.
    """
    if byok and not allow_byok:
        raise Forbidden("bringing your own key is switched off on this gateway (--aibridge-allow-byok=false)")
    if byok:
        own = _own(headers)
        if own is not None:
            return own
    family = instance.family
    if instance.keys and family is not None:
        key = instance.keys[0]
        return Credential("centralized", mask(key), family.key_header, family.key_scheme + key)
    raise NotSignedIn(
        f"provider {instance.name} has no central key: send the gateway token as X-Coder-AI-Governance-Token and your"
        " own provider key as usual"
        if allow_byok
        else f"provider {instance.name} has no key; ask your administrator"
    )


def _own(headers: CIMultiDictProxy[str]) -> Credential | None:
    for name in ("X-Api-Key", "Authorization"):
        value = headers.get(name, "").strip()
        secret = value.split()[-1] if value else ""
        if secret:
            return Credential("byok", mask(secret), name, value)
    return None
