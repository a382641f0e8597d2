"""A store of paper: a test opens and shuts it, and reads what was committed."""

import asyncio
from collections.abc import Mapping, Sequence

from coderai.errors import StoreError, StoreUnavailable
from coderai.records import Begun, Ended, Link


class PaperStore:
    """A ``RecordStore`` whose commits wait for ``open``, fail while ``broken``, and refuse the ids in ``poison``."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False
        self.poison: set[str] = set()
        self.batches: list[list[Begun | Ended]] = []
        self.known: list[Mapping[str, Link]] = []
        self.entered = asyncio.Event()
        self.stored = asyncio.Event()

    async def commit(self, batch: Sequence[Begun | Ended], known: Mapping[str, Link]) -> list[Link]:
        self.entered.set()
        await self.open.wait()
        if self.broken:
            raise StoreUnavailable("the disk is full")
        if any(item.interception.id in self.poison for item in batch):
            raise StoreError("the database takes no form of this record")
        self.batches.append(list(batch))
        self.known.append(known)
        self.stored.set()
        return [known.get(item.interception.id, Link()) for item in batch]

    def kept(self) -> list[tuple[str, str]]:
        """(interception, "begun" or how it ended) in the order of the commits."""
        return [
            (item.interception.id, "begun" if isinstance(item, Begun) else item.end.ending.value)
            for batch in self.batches
            for item in batch
        ]


class Notebook:
    """A ``RecordLog`` that writes everything down."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begun(self, item: Begun, link: Link) -> None:
        self.lines.append(f"begun {item.interception.id} {link.root_id}")

    def ended(self, item: Ended) -> None:
        self.lines.append(f"ended {item.interception.id} {item.end.ending.value}")


class BrokenLog(Notebook):
    """A ``RecordLog`` that always fails."""

    def begun(self, item: Begun, link: Link) -> None:
        raise OSError("disk full")

    def ended(self, item: Ended) -> None:
        raise OSError("disk full")
