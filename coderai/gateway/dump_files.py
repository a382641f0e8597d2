"""Writes dumps to disk in a thread of its own, within bounds of memory and of the disk.

A disk that is slow or full costs dumps, never requests: what waits to be written is bounded, and what does not fit any
more is left out, with a mark in the file. Whatever goes wrong is a warning.
"""

import heapq
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from coderai.errors import BadSettings
from coderai.gateway.dump_form import SUFFIXES, MaskedStream, Masks, Request, answer_head
from coderai.gateway.headers import Headers
from coderai.observe import logs

log = logs.get("gateway")

MOST_WAITING: Final = 64 << 20
"""Bytes that may wait to be written."""
MOST_ON_DISK: Final = 1 << 30
"""Bytes that dumps may take before the oldest ones go."""
_KEPT_SHARE: Final = 0.9
"""Of those, so much is left when the oldest ones have gone."""
_GONE_AT_ONCE: Final = 10_000
_TRIES: Final = 1_000
_AT_ONCE: Final = 1 << 14
"""Bytes of a file that are kept at most while other work waits."""
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OURS: Final = re.compile(r"([0-9]{13,})-.*(?:" + "|".join(map(re.escape, SUFFIXES)) + ")", re.DOTALL)
_QUIET_SECONDS: Final = 10.0

Work = Callable[[], None]


class DumpWriter:
    """Does one piece of work after the other. Its thread runs from ``start`` to ``stop``."""

    def __init__(self, directory: Path, most_waiting: int = MOST_WAITING, most_on_disk: int = MOST_ON_DISK) -> None:
        """Raises BadSettings when there is no such directory and it cannot be made, or it is not ours to write to."""
        self._directory = directory = directory.expanduser()
        self._most_waiting = most_waiting
        self._most_on_disk = most_on_disk
        self._queue: SimpleQueue[tuple[Work, int] | None] = SimpleQueue()
        self._lock = Lock()
        self._waiting = 0
        self._on_disk = 0
        self._quiet_until = 0.0
        self._kept: dict[int, bytes] = {}
        """Bytes that were not written yet, by file."""
        self._thread = Thread(target=self._run, name="API dumps", daemon=True)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(f"--aibridge-dump-dir: {directory} cannot be made: {error.strerror}") from error
        if not os.access(directory, os.W_OK | os.X_OK):
            raise BadSettings(f"--aibridge-dump-dir: {directory} cannot be written to")

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Return when everything is written, or after *patience* seconds."""
        self._queue.put(None)
        self._thread.join(patience)

    def put(self, work: Work, size: int = 0) -> bool:
        """Have *work* done, which holds *size* bytes in memory; False when too many wait already."""
        with self._lock:
            if size and self._waiting + size > self._most_waiting:
                return False
            self._waiting += size
        self._queue.put((work, size))
        return True

    def warn(self, event: str, **fields: object) -> None:
        """Write a line about trouble; not more often than every ten seconds, because trouble comes with every chunk."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            log.warning(event, directory=self._directory, **fields)

    def open(self, folders: tuple[str, str], name: str, suffix: str) -> int:
        """Return a new file that nobody else has. Only for work. Raises OSError."""
        try:
            return os.open(self._path(folders, name, suffix), _FLAGS, 0o600)
        except FileNotFoundError:
            path = self._directory
            for each in folders:
                path /= each
                path.mkdir(mode=0o700, exist_ok=True)
            return os.open(self._path(folders, name, suffix), _FLAGS, 0o600)

    def write(self, file: int, data: bytes) -> None:
        """Append all of *data*, in some moments: every system call may cost a turn of the loop. Only for work.

        Raises OSError.
        """
        kept = self._kept.get(file, b"")
        if len(kept) + len(data) < _AT_ONCE:
            self._kept[file] = kept + data
            return
        self._flush(file)
        self._put(file, data)

    def close(self, file: int) -> None:
        """Write what is kept and close *file*. Only for work. Raises OSError."""
        try:
            self._flush(file)
        finally:
            os.close(file)

    def _flush(self, file: int) -> None:
        self._put(file, self._kept.pop(file, b""))

    def _put(self, file: int, data: bytes) -> None:
        self._on_disk += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        if self._on_disk > self._most_on_disk:
            self._make_room()

    def _path(self, folders: tuple[str, str], name: str, suffix: str) -> Path:
        return self._directory.joinpath(*folders, name + suffix)

    def _run(self) -> None:
        self._make_room()
        while (item := self._queue.get()) is not None:
            work, size = item
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a fault of ours in one dump; the others go on
                log.error("API dump failed", exception=error)
            with self._lock:
                self._waiting -= size
            if self._queue.empty():
                self._catch_up()

    def _catch_up(self) -> None:
        """Nothing waits: what was kept can be written, so that a dump can be read while its answer still comes."""
        for file in tuple(self._kept):
            try:
                self._flush(file)
            except OSError as error:
                self.warn("API dump failed", reason=error.strerror)

    def _make_room(self) -> None:
        """Count what is there, and delete the oldest dumps until enough is free. Other files are left alone."""
        try:
            self._on_disk = sum(size for _, size, _ in self._files())
            if self._on_disk <= self._most_on_disk:
                return
            for _, size, path in heapq.nsmallest(_GONE_AT_ONCE, self._files()):
                os.unlink(path)
                self._on_disk -= size
                if self._on_disk <= self._most_on_disk * _KEPT_SHARE:
                    break
        except OSError as error:
            self.warn("old API dumps cannot be deleted", reason=error.strerror)

    def _files(self) -> Iterator[tuple[int, int, str]]:
        """Yield (milliseconds, size, path) of every dump."""
        for instance in _folders(self._directory):
            for model in _folders(instance):
                with os.scandir(model) as entries:
                    for entry in entries:
                        if (found := _OURS.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                            yield int(found[1]), entry.stat(follow_symlinks=False).st_size, entry.path


def _folders(path: os.PathLike[str]) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]


class DumpFiles:
    """The files of one try of one request. Its methods only queue work; none of them fails or waits."""

    def __init__(self, writer: DumpWriter, folders: tuple[str, str], stem: str, secrets: Sequence[str]) -> None:
        self._writer = writer
        self._folders = folders
        self._stem = stem
        self._secrets = secrets
        self._name = ""
        """The stem, with the number of the try when it is not the first; known once the request is written."""
        self._file: int | None = None
        self._stream: MaskedStream | None = None
        self._left_out = 0
        self._given_up = False

    def request(self, request: Request) -> None:
        """Write what goes upstream."""
        if not self._writer.put(lambda: self._try(lambda: self._write_request(request)), len(request.body)):
            self._given_up = True
            self._writer.warn("API dump left out: the disk is too slow", name=self._stem)

    def answer(self, status: int, headers: Headers) -> None:
        """Write the head of the answer."""
        self._put(lambda: self._begin_answer(status, headers))

    def piece(self, data: bytes) -> None:
        """Write some bytes of its body."""
        if self._given_up:
            return
        lost = self._left_out
        if self._writer.put(lambda: self._try(lambda: self._append(data, lost)), len(data)):
            self._left_out = 0
        else:
            self._left_out += len(data)

    def failed(self, text: str) -> None:
        """Write why no answer came."""
        self._put(lambda: self._write_error(text))

    def close(self) -> None:
        """Nothing more comes."""
        lost = self._left_out
        if lost:
            self._put(lambda: self._append(b"", lost))
        self._put(self._end)

    @cached_property
    def _masks(self) -> Masks:
        return Masks(self._secrets)  # it takes a while, so not before the thread asks for it

    def _put(self, work: Work) -> None:
        if not self._given_up:
            self._writer.put(lambda: self._try(work))

    def _try(self, work: Work) -> None:
        if self._given_up:
            return
        try:
            work()
        except OSError as error:
            self._given_up = True
            self._writer.warn("API dump failed", name=self._stem, reason=error.strerror)
            with suppress(OSError):
                self._shut()

    def _write_request(self, request: Request) -> None:
        text = request.text(self._masks)
        for number in range(1, _TRIES):
            self._name = self._stem if number == 1 else f"{self._stem}-{number}"
            try:
                self._file = self._writer.open(self._folders, self._name, ".req.txt")
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(17, f"there are {_TRIES} dumps of this name")
        self._writer.write(self._file, text)
        self._shut()

    def _begin_answer(self, status: int, headers: Headers) -> None:
        self._file = self._writer.open(self._folders, self._name, ".resp.txt")
        self._stream = self._masks.stream()
        self._writer.write(self._file, answer_head(status, headers, self._masks))

    def _append(self, data: bytes, lost: int) -> None:
        """Write *data*, and how many bytes before it were *lost*."""
        mark = b"\n[%d bytes left out: the disk was too slow]\n" % lost if lost else b""
        if self._file is not None and self._stream is not None:
            self._writer.write(self._file, self._stream.feed(mark + data))

    def _write_error(self, text: str) -> None:
        self._file = self._writer.open(self._folders, self._name, ".req_error.txt")
        self._writer.write(self._file, self._masks.whole(text.encode("utf-8", "replace")) + b"\n")

    def _end(self) -> None:
        if self._file is not None and self._stream is not None:
            self._writer.write(self._file, self._stream.close())
        self._shut()

    def _shut(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._writer.close(file)
