"""Allowances that all processes of a node share, so that more workers are not more guesses.

A table in a file that each process maps. A slot is two words of eight bytes, aligned, read and written whole:
a tag, which says whose it is, and the instant from which on their allowance is whole again. Nobody waits for
a lock, lest a process that stands still stop the others; of two who take at the very same instant, one may
take for nothing. The tag is sealed: the file names nobody, and nobody can choose a name that pushes out
another's. In a full row goes who would be whole first.

Compatibility law: a file's name begins with what its words mean; other meanings have other files.
"""

import mmap
import os
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path

import structlog

from keystead.domain.gcra import Admitted, Rate, Refused, take

FILE = "throttles-1.slots"

_ROWS = 8_192
_ROW_SLOTS = 8
_WORD_BYTES = 8
_SIZE_BYTES = _ROWS * _ROW_SLOTS * 2 * _WORD_BYTES
_LOG = structlog.get_logger()


class SharedThrottles:
    """Makes throttles whose state is in `folder`; `seal` is 32 bytes that only this instance can make.

    The file is opened when something is first taken: in the process that takes, and only where one does.
    """

    def __init__(self, folder: Path, seal: Callable[[bytes], bytes]) -> None:
        self._folder = folder
        self._seal = seal

    def __call__(self, what: str, rate: Rate) -> "SharedThrottle":
        """The throttle for `what`."""
        return SharedThrottle(self, what, rate)

    @cached_property
    def words(self) -> memoryview:
        """All slots. Where no file can be had, on a full disk say, they are this process's alone."""
        try:
            return memoryview(_opened(self._folder / FILE)).cast("Q")
        except OSError as error:
            _LOG.warning("guesses are counted for this process alone: no file for them", problem=str(error))
            return memoryview(mmap.mmap(-1, _SIZE_BYTES)).cast("Q")

    def row(self, who: bytes) -> tuple[int, range]:
        """The tag of whoever it is, and the places where their slot may begin."""
        sealed = self._seal(who)
        tag, row = int.from_bytes(sealed[:8]) or 1, int.from_bytes(sealed[8:16]) % _ROWS
        first = row * _ROW_SLOTS * 2
        return tag, range(first, first + _ROW_SLOTS * 2, 2)


class SharedThrottle:
    """Implements `ports.people.Throttling`."""

    def __init__(self, shared: SharedThrottles, what: str, rate: Rate) -> None:
        self._shared = shared
        self._what = what
        self._rate = rate

    def take(self, who: str, now: datetime) -> Admitted | Refused:
        """See `ports.people.Throttling`."""
        words = self._shared.words
        tag, places = self._shared.row(f"{self._what}\n{who}".encode())
        found = next((it for it in places if words[it] == tag), None)
        known = None if found is None else words[found + 1]
        taken = take(self._rate, known, int(now.timestamp() * 1_000_000))
        if isinstance(taken, Admitted):
            place = min(places, key=lambda it: words[it + 1]) if found is None else found
            words[place], words[place + 1] = tag, taken.tat_us
        return taken


def _opened(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # The room is taken now: a page written as memory that finds none on the disk would end us by SIGBUS.
        os.ftruncate(descriptor, _SIZE_BYTES)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, _SIZE_BYTES)
        return mmap.mmap(descriptor, _SIZE_BYTES)
    finally:
        os.close(descriptor)
