"""The documents about models, as far as the command line reads them."""

from typing import Any

import msgspec


class Document(msgspec.Struct, frozen=True):
    """Members that we do not know are passed over."""


class Registered(Document, frozen=True):
    id: str
    provider: str = ""
    provider_name: str = ""
    model: str = ""
    display_name: str = ""
    enabled: bool = True
    is_default: bool = False
    context_limit: int = 0
    compression_threshold: int = 0
    model_config: dict[str, Any] = {}
    model_config_warnings: list[str] = []
    usable: bool = True
    unusable_reason: str = ""

    @property
    def shown(self) -> str:
        """What people call it."""
        return self.display_name or self.model


class Call(Document, frozen=True):
    api: str
    path: str
    headers: dict[str, str] = {}
    body: dict[str, Any] = {}
    warnings: list[str] = []


class Override(Document, frozen=True):
    context: str = ""
    mode: str = "model"
    model_config_id: str = ""
    is_set: bool = False
    usable: bool = True
    unusable_reason: str = ""


class OwnOverrides(Document, frozen=True):
    enabled: bool = False
    root: Override = Override()
    general: Override = Override()
    explore: Override = Override()


class Gate(Document, frozen=True):
    allow_users: bool = False


class Asked(Document, frozen=True):
    layer: str = ""
    outcome: str = ""


class Resolved(Document, frozen=True):
    model_config_id: str = ""
    model: str = ""
    display_name: str = ""
    provider_name: str = ""
    reason: str = ""
    steps: list[Asked] = []
