"""The files of a replica: where they are, and opening one only if it is whole."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import lmdb

from keystead.domain.errors import Unavailable
from keystead.replica.format import DATABASES, FACT_APPLIED, FACTS, FORMAT, Damaged, decode_point

MAP_BYTES = 1 << 40
"""How large a file may ever become: room in the address space, which costs nothing."""

_MAX_READERS = 1024
# A line of 64 bytes for each, and some for the head.
_LOCK_BYTES = 64 * (_MAX_READERS + 16)
_NOT_THE_FILES_FAULT = (
    lmdb.DiskError,
    lmdb.LockError,
    lmdb.MemoryError,
    lmdb.PanicError,
    lmdb.ReadersFullError,
    lmdb.TlsFullError,
)
_NAME = re.compile(rf"v{FORMAT}-([0-9]+)\.mdb")


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of a node's replica."""

    path: Path

    @property
    def stamp(self) -> Path:
        """The shared page."""
        return self.path / f"v{FORMAT}.stamp"

    @property
    def lock(self) -> Path:
        """Whoever holds its lock applies."""
        return self.path / f"v{FORMAT}.lock"

    def file(self, generation: int) -> Path:
        """The file of a generation."""
        return self.path / f"v{FORMAT}-{generation}.mdb"

    def generations(self) -> list[int]:
        """The generations of our format that have a file, oldest first."""
        found = (_NAME.fullmatch(file.name) for file in self.path.iterdir())
        return sorted(int(name[1]) for name in found if name)

    def remove(self, generation: int) -> None:
        """Remove a generation's files; who still reads them may go on."""
        file = self.file(generation)
        for path in (file, file.with_name(f"{file.name}-lock")):
            path.unlink(missing_ok=True)


Transaction: TypeAlias = "lmdb.Transaction[bytes]"
Database: TypeAlias = "lmdb._Database"  # noqa: SLF001 - it has no other name


class Opened(NamedTuple):
    """A replica's file, open in this process."""

    generation: int
    environment: lmdb.Environment
    databases: Mapping[bytes, Database]


class Files:
    """The one file of a replica that this process has open: LMDB allows no process to open one twice."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._opened: Opened | None = None
        self._writable = False

    def begin_writing(self) -> None:
        """From here on files are opened to be written, by the one process that applies.

        What is open to be read is closed.
        """
        if not self._writable:
            self._writable = True
            self.close()

    def end_writing(self) -> None:
        """From here on files are opened to be read only; what is open stays open."""
        self._writable = False

    def open(self, generation: int) -> Opened:
        """The file of `generation`; that of another, if it was open, is closed.

        Raises Damaged and Unavailable, and then leaves open what was.
        """
        opened = self.look_at(generation)
        self.change_to(opened)
        return opened

    def look_at(self, generation: int) -> Opened:
        """The file of `generation`, beside what is open: to be given to `change_to` or to `dismiss`.

        Raises Damaged and Unavailable.
        """
        if self._opened is not None and self._opened.generation == generation:
            return self._opened
        return open_whole(self.folder.file(generation), generation, writable=self._writable)

    def change_to(self, opened: Opened) -> None:
        """From here on this is what is open; what was is closed."""
        if opened is not self._opened:
            self.close()
            self._opened = opened

    def dismiss(self, opened: Opened) -> None:
        """Close what was looked at, unless it is what was open before."""
        if opened is not self._opened:
            opened.environment.close()

    def close(self) -> None:
        """Close what is open; nothing of it may be in use any more."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.environment.close()


def unavailable(error: lmdb.Error) -> Unavailable:
    """What an error of LMDB's means: Damaged if the file is at fault."""
    # Errors of the system have no class of their own: a full disk, too many open files.
    if type(error) is lmdb.Error or isinstance(error, _NOT_THE_FILES_FAULT):
        return Unavailable("replica")
    return Damaged()


@contextmanager
def reading() -> Iterator[None]:
    """Raise Unavailable or Damaged for what LMDB or the system raises."""
    try:
        yield
    except OSError as exc:
        raise Unavailable("replica") from exc
    except lmdb.Error as exc:
        raise unavailable(exc) from exc


def create(path: Path, generation: int) -> Opened:
    """A new, empty file. Nothing in it is durable until the environment is synced. Raises Unavailable."""
    return _opened(path, generation, writable=True, create=True, sync=False)


def open_whole(path: Path, generation: int, *, writable: bool = True) -> Opened:
    """Open an existing file.

    Opened to be written it waits for whoever writes it: LMDB opens its databases in a transaction then.

    Raises Damaged for one that is absent, truncated, never finished or no replica of our format, Unavailable
    when something else stands in the way.
    """
    if not path.is_file():
        raise Damaged
    opened = _opened(path, generation, writable=writable, create=False, sync=True)
    try:
        with reading():
            _require_finished(opened)
    except BaseException:
        opened.environment.close()
        raise
    return opened


def _require_finished(opened: Opened) -> None:
    with opened.environment.begin(db=opened.databases[FACTS]) as transaction:
        decode_point(transaction.get(FACT_APPLIED))


def reserve(descriptor: int, size_bytes: int) -> None:
    """Make room on the disk for a file that is written as memory: without room that would be SIGBUS.

    Raises OSError when there is none; nothing where the system has no such call.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size_bytes)


def _opened(path: Path, generation: int, *, writable: bool, create: bool, sync: bool) -> Opened:
    with reading():
        _reserve_lock(path)
        return _open(path, generation, writable=writable, create=create, sync=sync)


def _reserve_lock(path: Path) -> None:
    """LMDB's table of readers, a file beside the replica's."""
    descriptor = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        reserve(descriptor, _LOCK_BYTES)
    finally:
        os.close(descriptor)


def _open(path: Path, generation: int, *, writable: bool, create: bool, sync: bool) -> Opened:
    environment = lmdb.open(
        str(path),
        subdir=False,
        readonly=not writable,
        create=create,
        map_size=MAP_BYTES,
        max_dbs=len(DATABASES),
        max_readers=_MAX_READERS,
        max_spare_txns=1,
        mode=0o600,
        sync=sync,
        # A crash of the machine may undo the last commit, no more: the primary still has it.
        metasync=False,
        readahead=False,
    )
    try:
        if not create:
            _require_all_pages(environment, path.stat().st_size)
        databases = {name: environment.open_db(name, create=create) for name in DATABASES}
    except BaseException:
        environment.close()
        raise
    return Opened(generation, environment, databases)


def _require_all_pages(environment: lmdb.Environment, size_bytes: int) -> None:
    """Reading a page that is not there would end the process by SIGBUS, and opening a database reads one."""
    pages = environment.info()["last_pgno"] + 1
    if size_bytes < pages * environment.stat()["psize"]:
        raise Damaged
