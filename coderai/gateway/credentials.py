"""Whose credential goes to the provider: the caller's own, sent along or saved here, or the central key."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from multidict import CIMultiDictProxy

from coderai.access.credentials import mask
from coderai.errors import Forbidden, NotSignedIn
from coderai.gateway.headers import Headers
from coderai.providers.keys import Key
from coderai.providers.registry import Instance

_PARAMETERS: Final = frozenset(
    {
        *("key", "api_key", "api-key", "apikey", "x-api-key", "x-goog-api-key", "access_token", "subscription-key"),
        *("x-amz-credential", "x-amz-security-token", "x-amz-signature"),
    }
)
"""Of a query, in lower case."""
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
    secret: str = field(repr=False, default="")
    """The value without its scheme."""

    def as_sent(self) -> Headers:
        """Return the header as on the wire; none for a caller who brought nothing where nothing is needed."""
        return [(self.header.encode(), self.value.encode("utf-8", "surrogateescape"))] if self.header else []


CENTRAL: Final = Credential("centralized")
NOTHING: Final = Credential("byok")
"""The caller may go without a credential."""


def central(instance: Instance, key: Key) -> Headers:
    """Return the header with a central key, as on the wire."""
    header, value = instance.auth.headed(key.text)
    return [(header.encode(), value.encode())]


def brought(instance: Instance, headers: CIMultiDictProxy[str], token: str) -> Credential | None:
    """Return the caller's own credential that came with a call in BYOK mode; None when there is none.

    It is forwarded in the header in which it came: new Anthropic SDKs put plain API keys into ``Authorization``. The
    gateway *token* is never one, even where a tool sends it in every header that it knows. Raises Forbidden where
    requests are signed by the gateway.
    """
    if _own_only(instance):
        return _own(headers, token, ("Authorization",))
    # where several headers hold one, that of the provider's own kind counts
    own = _own(headers, token, dict.fromkeys((instance.auth.header, "Authorization", "X-Api-Key")))
    if own is not None and not instance.takes_own:
        raise Forbidden(
            f"provider {instance.name} is called with AWS credentials of the gateway; send no key of your own"
        )
    return own


def query_upstream(query: str, token: str) -> str:
    """Return a raw *query* without what some providers take for a key: it would go by unrecorded, even where own keys
    are refused. What holds the gateway *token* does not travel either."""
    if not query:
        return query
    return "&".join(part for part in query.split("&") if not _holds_credential(part, token))


def _holds_credential(part: str, token: str) -> bool:
    plain = unquote_plus(part) if "%" in part or "+" in part else part
    name, _, value = plain.partition("=")
    return name.strip().lower() in _PARAMETERS or bool(token and (token in name or token in value))


def saved(instance: Instance, key: str) -> Credential:
    """Return the credential made of the personal *key* that was saved for *instance*: it goes where a central one goes.

    It is never followed by a central one: who pays for a call is not decided by a refusal.
    """
    header, value = instance.auth.headed(key)
    return Credential("byok", mask(key), header, value, key)


def choose(instance: Instance, own: Credential | None, *, allow_byok: bool, recorded: bool = True) -> Credential:
    """Return the credential for a call: the caller's *own*, brought along or saved, else ``CENTRAL``.

    Raises NotSignedIn when there is none at all, saying what would help.
    """
    if _own_only(instance):
        return _personal(instance, own, recorded=recorded)
    if own is not None:
        return own
    if instance.has_central:
        return CENTRAL
    raise NotSignedIn(
        f"provider {instance.name} has no central key: save your own with `coderai keys set {instance.name}`, or send"
        " it as usual, and the gateway token as X-Coder-AI-Governance-Token"
        if allow_byok
        else f"provider {instance.name} has no key; ask your administrator"
    )


def _own_only(instance: Instance) -> bool:
    return instance.family is not None and instance.family.own_credential_only


def _personal(instance: Instance, own: Credential | None, *, recorded: bool) -> Credential:
    """Judge the credential for a provider that takes no central one; what is passed through may go without."""
    if not recorded:
        return own or NOTHING
    if own is None or not own.value.lower().startswith("bearer "):
        raise NotSignedIn(
            f"missing authorization for provider {instance.name}, which takes only your own: send it as"
            ' "Authorization: Bearer ...", and the gateway token as X-Coder-AI-Governance-Token'
        )
    return own


def _own(headers: CIMultiDictProxy[str], token: str, names: Iterable[str]) -> Credential | None:
    """Return the first credential of the caller's own in headers of these *names*."""
    for name in names:
        value = headers.get(name, "").strip()
        scheme, _, rest = value.partition(" ")
        secret = rest.strip() if scheme.lower() in _SCHEMES else value
        if secret and not (token and token in secret):  # whatever word for a scheme is before it
            secret = secret.split()[-1]
            return Credential("byok", mask(secret), name, value, secret)
    return None
