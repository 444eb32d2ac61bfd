"""Looking at a replica from outside: what `keystead replica status` and `doctor` tell. Changes nothing."""

import fcntl
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb

from keystead.domain.errors import Unavailable
from keystead.replica.files import Folder, Opened, open_whole
from keystead.replica.format import FORMAT, POLICIES, RECORDS, TENANTS, Damaged
from keystead.replica.refusals import Refusals
from keystead.replica.stamp import LONG_AGO_MS, Stamp

_NAME = re.compile(r"v([0-9]+)[-.].*")
_READER = re.compile(r"\s*([0-9]+)\s+\S+\s+(?:[0-9]+|-)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the current file holds; `readers` are the processes that have it open to read."""

    file_bytes: int
    versions: int
    policies: int
    tenants: int
    refusals: int
    readers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFile:
    """A file of a format that this program does not read."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A node's replica; `generation` 0: there is none, and without `held` its file cannot be used.

    `age_ms` is how long ago the node proved itself level, `LONG_AGO_MS` if never since the machine's boot.
    `applier` is the process that applies, or did last (0: none ever); `applies` whether one does now.
    """

    folder: Path
    format: int = FORMAT
    generation: int = 0
    applied_epoch: int = 0
    age_ms: int = LONG_AGO_MS
    applier: int = 0
    applies: bool = False
    rebuilding: tuple[int, int] | None = None
    held: Held | None = None
    others: Sequence[OtherFile] = ()

    @property
    def was_level(self) -> bool:
        """Whether the node has proved itself level since the machine's boot."""
        return self.age_ms < LONG_AGO_MS


def survey(path: Path) -> Survey:
    """Look at the replica in the folder `path`, which may be absent.

    Raises Unavailable when it cannot be looked at.
    """
    folder = Folder(path)
    try:
        others = _others(path)
        if not folder.stamp.exists():
            return Survey(folder=path, others=others)
        stamp = Stamp(folder.stamp)
        try:
            return _surveyed(folder, stamp, others)
        finally:
            stamp.close()
    except (OSError, lmdb.Error) as exc:
        raise Unavailable("replica") from exc


def _surveyed(folder: Folder, stamp: Stamp, others: Sequence[OtherFile]) -> Survey:
    held = _held(folder, stamp)
    return Survey(
        folder=folder.path,
        generation=stamp.generation,
        applied_epoch=stamp.applied_epoch,
        age_ms=stamp.age_ms(),
        applier=stamp.applier,
        applies=_is_taken(folder.lock),
        rebuilding=stamp.rebuilding,
        held=held,
        others=others,
    )


def _held(folder: Folder, stamp: Stamp) -> Held | None:
    generation = stamp.generation
    try:
        opened = open_whole(folder.file(generation), generation, writable=False)
    except Damaged:
        # It may be gone because a new one has just taken its place.
        return None if stamp.generation == generation else _held(folder, stamp)
    try:
        return _counted(opened, folder.file(generation))
    finally:
        opened.environment.close()


def _counted(opened: Opened, file: Path) -> Held:
    with opened.environment.begin() as transaction:
        versions, policies, tenants = (
            transaction.stat(opened.databases[name])["entries"] for name in (RECORDS, POLICIES, TENANTS)
        )
        return Held(
            file_bytes=file.stat().st_size,
            versions=versions,
            policies=policies,
            tenants=tenants,
            refusals=Refusals(opened, transaction).standing,
            readers=len(_reading(opened) - {os.getpid()}),
        )


def _reading(opened: Opened) -> set[int]:
    """The processes in LMDB's table of readers, whose lines are process, thread and transaction."""
    lines = map(_READER.fullmatch, opened.environment.readers().splitlines())
    return {int(line[1]) for line in lines if line}


def _is_taken(path: Path) -> bool:
    """Whether a process holds the lock. Whoever tries to take it this very moment tries again soon."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _others(path: Path) -> list[OtherFile]:
    if not path.is_dir():
        return []
    found = ((file, _NAME.fullmatch(file.name)) for file in sorted(path.iterdir()))
    return [
        OtherFile(name=file.name, bytes=file.stat().st_size)
        for file, name in found
        if name and int(name[1]) != FORMAT
    ]
