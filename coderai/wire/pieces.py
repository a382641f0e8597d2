"""Text that arrives in pieces, kept within bounds."""

from typing import Final

MOST_CHARACTERS: Final = 8 << 20
"""Of one answer: tool arguments and thoughts together."""


class Pieces:
    """Keeps pieces until the answer has reached its bound; ``trouble`` then says so."""

    __slots__ = ("_size", "trouble")

    def __init__(self) -> None:
        self._size = 0
        self.trouble: str | None = None

    def keep(self, pieces: list[str], piece: str) -> None:
        """Add *piece* to *pieces*, if there is still room."""
        if piece and self.room(len(piece)):
            pieces.append(piece)

    def room(self, size: int) -> bool:
        """Say whether something of that *size* may be kept; from then on it counts."""
        self._size += size
        if self._size <= MOST_CHARACTERS:
            return True
        if self.trouble is None:
            self.trouble = f"tool calls and thoughts beyond {MOST_CHARACTERS} characters were not kept"
        return False
