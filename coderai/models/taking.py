"""The options of a model while a request is built: what nobody takes is told, not dropped in silence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be known about an option that does not do what it says."""

    option: str
    """Its path below ``model_config``."""
    text: str

    def __str__(self) -> str:
        return f"{self.option} {self.text}"


class Taking:
    """Hands out options once each, for one family of them."""

    def __init__(self, options: Mapping[str, Any], family: str) -> None:
        self._general = {name: value for name, value in options.items() if name not in ("provider_options", "cost")}
        families = options.get("provider_options", {})
        self._own = dict(families.get(family, {}))
        self._others = [name for name in families if name != family]
        self._family = family
        self._remarks: list[Remark] = []
        self.given = family in families
        """Whether there is an object for the family at all."""

    def general(self, name: str) -> Any:
        """Take an option that every family has; None when it is not set."""
        return self._general.pop(name, None)

    def own(self, name: str) -> Any:
        """Take an option of the family; None when it is not set."""
        return self._own.pop(name, None)

    def all_of(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Take options of the family under the names that the provider has for them."""
        return {theirs: self._own.pop(ours) for ours, theirs in names.items() if ours in self._own}

    def drop(self, name: str, why: str) -> None:
        """Leave an option away, if it is set, for a reason of its own."""
        if self._general.pop(name, None) is not None:
            self._remarks.append(Remark(name, f"is not sent: {why}"))
        if self._own.pop(name, None) is not None:
            self.remark(name, f"is not sent: {why}")

    def remark(self, name: str, text: str) -> None:
        """Tell something about an option of the family that is sent."""
        self._remarks.append(Remark(self._path(name), text))

    def remarks(self, transport: str) -> tuple[Remark, ...]:
        """Return what was said, and what was not taken because *transport* does not know it."""
        unknown = f"is not sent: {transport} does not know it"
        left = [Remark(name, unknown) for name in self._general]
        left += [Remark(self._path(name), unknown) for name in self._own]
        other = f"is not sent: this type of provider takes {self._family} options"
        left += [Remark(f"provider_options.{name}", other) for name in self._others]
        return (*self._remarks, *left)

    def _path(self, name: str) -> str:
        return f"provider_options.{self._family}.{name}"
