"""What the applier tells the other processes of its node: a page of memory that they share.

Each fact is one aligned word of eight bytes, read and written whole, so that no reader sees half of one and
nobody waits for a lock. The file outlives its writers: a restart begins with what it says, if the machine was
not restarted meanwhile, since instants here are of the clock that counts from its boot.
"""

import fcntl
import hashlib
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keystead.replica.files import reserve
from keystead.replica.format import FORMAT

_WORDS = 512
_BYTES = _WORDS * 8
_MAGIC = int.from_bytes(b"ksstamp\0") + FORMAT
_MAGIC_AT, _BOOT, CHANGES, _GENERATION, _LEVEL_AT, _APPLIED = range(6)
_DONE, _EXPECTED, _APPLIER, _DISTRUSTED = range(6, 10)

_SALVAGED, _SALVAGES, _LOOKED_AT_NS = 10, 11, 12

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_MAX_SALVAGES = 3

LONG_AGO_MS = 2**50
"""The age of what was never level."""


def boot_ms() -> int:
    """Milliseconds since the machine was booted, sleep included; nobody can set this clock."""
    return boot_ns() // 1_000_000


def boot_ns() -> int:
    """As `boot_ms`, in nanoseconds: a change and the look that finds it are less than a millisecond apart."""
    return time.clock_gettime_ns(_BOOT_CLOCK)


class Stamp:
    """The shared page, open in this process. The applier writes it; `distrust` is anybody's."""

    def __init__(self, path: Path) -> None:
        """Open the page at `path`, made if it is not there. What is of another boot counts as never said."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.ftruncate(descriptor, _BYTES)
            reserve(descriptor, _BYTES)
            self._page = mmap.mmap(descriptor, _BYTES)
            self.words = memoryview(self._page).cast("Q")
            self._settle()
        finally:
            # Said, since the mapping keeps a descriptor of its own, and the lock with it.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def age_ms(self) -> int:
        """How long ago the node was last proved level; `LONG_AGO_MS` if never since this boot.

        A word that says it will be is no proof.
        """
        at = self.words[_LEVEL_AT]
        age_ms = time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000 - at
        return age_ms if at and age_ms >= 0 else LONG_AGO_MS

    @property
    def changes(self) -> int:
        """Grows with every commit, and when the generation changes: whoever reads the replica looks anew."""
        return self.words[CHANGES]

    @property
    def generation(self) -> int:
        """The number of the file that is read; 0 for none."""
        return self.words[_GENERATION]

    @property
    def applied_epoch(self) -> int:
        """The newest epoch that the file holds."""
        return self.words[_APPLIED]

    @property
    def looked_at_ns(self) -> int:
        """When, in `boot_ns`, the last look began that found what is applied in the primary's history."""
        return self.words[_LOOKED_AT_NS]

    @property
    def rebuilding(self) -> tuple[int, int] | None:
        """How many versions of about how many a rebuild has written; None while none is under way."""
        expected = self.words[_EXPECTED]
        return (self.words[_DONE], expected) if expected else None

    @property
    def applier(self) -> int:
        """The process that applies, or did last; 0 for none."""
        return self.words[_APPLIER]

    @property
    def distrusted(self) -> int:
        """The generation that somebody found damaged; 0 for none."""
        return self.words[_DISTRUSTED]

    def take(self) -> None:
        """Say that this process applies from now on; all look anew."""
        self.words[_APPLIER] = os.getpid()
        self.words[_EXPECTED] = 0
        self.words[CHANGES] += 1

    def committed(self, generation: int, epoch: int) -> None:
        """Tell that `generation` holds `epoch`: called once it is committed, so that all look anew."""
        self.words[_GENERATION] = generation
        self.words[CHANGES] += 1
        # Last: whoever sees that an epoch is applied must not look it up as it was before.
        self.words[_APPLIED] = epoch

    def level(self, at_ms: int) -> None:
        """Tell that the node was proved level with the primary at `at_ms` of `boot_ms`.

        Never goes back, but from an instant that is yet to come; `never_level` takes it all back.
        """
        said = self.words[_LEVEL_AT]
        self.words[_LEVEL_AT] = at_ms if said > boot_ms() else max(said, at_ms)

    def looked(self, at_ns: int) -> None:
        """Tell that a look begun at `at_ns` of `boot_ns` found what is applied in the primary's history."""
        self.words[_LOOKED_AT_NS] = at_ns

    def never_level(self) -> None:
        """Take back that the node was proved level: what is read from now on is older than what was."""
        self.words[_LEVEL_AT] = self.words[_LOOKED_AT_NS] = 0

    def progress(self, done: int, expected: int) -> None:
        """Tell how far a rebuild is; `expected` 0 ends it."""
        self.words[_DONE] = done
        self.words[_EXPECTED] = expected

    def distrust(self, generation: int) -> None:
        """Tell the applier that the file of `generation` is damaged."""
        self.words[_DISTRUSTED] = generation

    @contextmanager
    def salvaging(self, generation: int) -> Iterator[bool]:
        """Whether to read a damaged file once more, in this block, for what must be kept of it.

        Not after three times that ended the process, which is what reading it risks. A block that ends in
        any other way was survived, and does not count.
        """
        if self.words[_SALVAGED] != generation:
            self.words[_SALVAGED], self.words[_SALVAGES] = generation, 0
        if self.words[_SALVAGES] >= _MAX_SALVAGES:
            yield False
            return
        self.words[_SALVAGES] += 1
        try:
            yield True
        finally:
            self.words[_SALVAGES] -= 1

    def close(self) -> None:
        """Let go of the page."""
        self.words.release()
        self._page.close()

    def _settle(self) -> None:
        boot = _boot_number()
        if self.words[_MAGIC_AT] == _MAGIC and self.words[_BOOT] == boot:
            return
        known = self.words[_MAGIC_AT] == _MAGIC
        self.words[_LEVEL_AT] = self.words[_LOOKED_AT_NS] = 0
        if not known:
            for word in range(_WORDS):
                self.words[word] = 0
        self.words[_BOOT] = boot
        self.words[_MAGIC_AT] = _MAGIC


def _boot_number() -> int:
    """What tells this boot of the machine from every other, as far as the system says."""
    try:
        told = _BOOT_ID.read_bytes()
    except OSError:
        # macOS: the instant of the boot, to the minute, since it moves a little when the clock is set.
        told = str(int((time.time() - time.clock_gettime(_BOOT_CLOCK)) / 60)).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8])
