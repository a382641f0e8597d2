"""Values of labels: names that clients, models and providers make up, so that there must be no end of series."""

from typing import Final

OTHER: Final = "other"
_CHARACTERS: Final = 100
_NOTHING: Final = "unknown"


class Names:
    """Gives a name its own label until *most* have one.

    A name is proven once something came of it, say an answer; at most *unproven* others have a label, so that whoever
    asks for models that do not exist leaves room for those that do.
    """

    def __init__(self, most: int, unproven: int | None = None) -> None:
        self._most = most
        self._unproven_most = most if unproven is None else unproven
        self._proven: set[str] = set()
        self._unproven: set[str] = set()

    def __len__(self) -> int:
        return len(self._proven) + len(self._unproven)

    def label(self, name: str, *, proven: bool = False) -> str:
        """Return the label for *name*; it has its own from now on, if there is room."""
        if name in self._proven:
            return name
        if name in self._unproven:
            if proven:
                self._unproven.discard(name)
                self._proven.add(name)
            return name
        if not name:
            return _NOTHING
        if len(self) >= self._most or len(name) > _CHARACTERS or not name.isprintable():
            return OTHER
        if proven:
            self._proven.add(name)
        elif len(self._unproven) < self._unproven_most:
            self._unproven.add(name)
        else:
            return OTHER
        return name

    def known(self, name: str) -> str:
        """Return the label for *name* without giving it one of its own."""
        return name if name in self._proven or name in self._unproven else OTHER
