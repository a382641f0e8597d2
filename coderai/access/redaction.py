"""Takes the secrets of one call out of texts that are kept or shown: somebody else may have written them down there."""

from collections.abc import Iterable
from typing import Final

from coderai.access.credentials import mask

_SHORTEST: Final = 8
"""Anything shorter is no secret, and would turn up in ordinary words."""


class Redaction:
    """Puts a mask in the place of every known secret. Cheap where there is none: one search per secret."""

    __slots__ = ("secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST)

    def text(self, text: str) -> str:
        """Return *text* without the secrets."""
        for secret in self.secrets:
            if secret in text:
                text = text.replace(secret, mask(secret))
        return text

    def data(self, data: bytes) -> bytes:
        """Return *data* without the secrets, whatever else is in it."""
        for secret in self.secrets:
            raw = secret.encode("utf-8", "surrogateescape")
            if raw in data:
                data = data.replace(raw, mask(secret).encode("utf-8", "surrogateescape"))
        return data


NO_SECRETS: Final = Redaction()
