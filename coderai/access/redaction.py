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
        self.secrets: tuple[str, ...] = tuple(secret for secret in secrets if len(secret) >= _SHORTEST)

    def learn(self, *secrets: str) -> None:
        """Know these as well: some turn out only when a request is signed."""
        self.secrets += tuple(each for each in secrets if len(each) >= _SHORTEST and each not in self.secrets)

    def concerns(self, text: str) -> bool:
        """Tell whether *text* holds a secret."""
        return any(secret in text for secret in self.secrets)

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
