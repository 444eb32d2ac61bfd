"""Counts that outlive the process that counts: a row of words in a file, one file for each process of a node.

Each process writes its own file and reads all, so whichever is asked tells of the whole node. Words are eight
bytes, aligned, read and written whole: nobody waits for a lock. A process that takes the place of a dead one
goes on in its file, so counts never go back.

Compatibility law: a file's name begins with what its words mean; other meanings have other files.
"""

import fcntl
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import structlog

_LOG = structlog.get_logger()
_SUFFIX = ".tally"
_WORD_BYTES = 8


class Tallies:
    """The words of this process, and those of all processes of its node."""

    def __init__(self, page: mmap.mmap, others: Callable[[], Iterable[Path]], descriptor: int | None) -> None:
        self.words = memoryview(page).cast("Q")
        self._others = others
        self._descriptor = descriptor

    def totals(self) -> list[int]:
        """Each word, summed over all processes, those that ended too."""
        sums = self.words.tolist()
        for path in self._others():
            for place, word in enumerate(_words_of(path)):
                sums[place] += word
        return sums

    def close(self) -> None:
        """Leave the file to another process."""
        self.words.release()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def private_tallies(size: int) -> Tallies:
    """`size` words in memory, for a process that is a node by itself."""
    return Tallies(mmap.mmap(-1, size * _WORD_BYTES), tuple, None)


def shared_tallies(folder: Path, meaning: str, size: int) -> Tallies:
    """`size` words in the first file for `meaning` that no living process has; this one's until it ends.

    Where no file can be had, on a full disk say, they are counted for this process alone, and a warning says
    so. To be called in the process that counts, not before it is forked.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return _shared(folder, meaning, size)
    except OSError as error:
        _LOG.warning("metrics are this process's own: no file for them", problem=str(error))
        return private_tallies(size)


def _shared(folder: Path, meaning: str, size: int) -> Tallies:
    for number in count():
        path = folder / f"{meaning}-{number}{_SUFFIX}"
        descriptor = _taken(path)
        if descriptor is None:
            continue
        try:
            _make_room(descriptor, size * _WORD_BYTES)
            page = mmap.mmap(descriptor, size * _WORD_BYTES)
        except BaseException:
            os.close(descriptor)
            raise
        return Tallies(page, partial(_beside, path, f"{meaning}-*{_SUFFIX}"), descriptor)
    raise AssertionError("numbers do not end")


def _make_room(descriptor: int, size_bytes: int) -> None:
    """Take the room now: a page written as memory that finds none on the disk would end us by SIGBUS."""
    os.ftruncate(descriptor, size_bytes)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)


def _beside(own: Path, pattern: str) -> Iterator[Path]:
    return (path for path in own.parent.glob(pattern) if path != own)


def _words_of(path: Path) -> list[int]:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return []  # its process is just making it
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as page,
            memoryview(page).cast("Q") as words,
        ):
            return words.tolist()


def _taken(path: Path) -> int | None:
    """The file, open and locked for as long as it is open; None if another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
