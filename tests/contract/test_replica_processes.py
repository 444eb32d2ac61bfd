"""Two processes of one node on a real primary: one applies, and the other takes over when it is killed."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keystead.domain.audit import Subject, SubjectKind
from keystead.replica.check import compare
from keystead.replica.files import Files, Folder
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from tests.contract import node_process
from tests.contract.samples import NOW, app, digest, key, key_id, organization_id, populate

PROGRAM = Path(node_process.__file__)
SOON = timedelta(seconds=5)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "replica"
    path.mkdir()
    return Folder(path)


@pytest.fixture
def start(primary: str | Path, folder: Folder) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, str(PROGRAM), str(primary), str(folder.path)]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


async def commit(store: SqlStore, number: int, *, new: bool = False, **changes: object) -> int:
    async with store.write() as tables:
        if new:
            await tables.keys.insert(key(number, **changes))
        else:
            before = await tables.keys.find(key_id(number))
            assert before is not None
            await tables.keys.update(before, key(number, **changes))
        subject = Subject(kind=SubjectKind.KEY, id=key_id(number))
        return await tables.changes.append([subject], number.to_bytes(8))


async def begin(store: SqlStore) -> None:
    await populate(store)
    async with store.write() as tables:
        subjects = [
            Subject(kind=SubjectKind.ORGANIZATION, id=organization_id()),
            Subject(kind=SubjectKind.APP, id=app().id),
        ]
        await tables.changes.append(subjects, b"begin...")


async def eventually(condition: Callable[..., bool], within_s: float) -> float:
    """How long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, "it did not come to pass"
        await asyncio.sleep(0.001)
    return time.monotonic() - began


async def test_whoever_is_killed_is_followed_within_a_second(
    store: SqlStore, primary: str | Path, folder: Folder, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    await begin(store)
    by_id = {process.pid: process for process in (start(), start())}
    stamp, files = Stamp(folder.stamp), Files(folder)
    index = ReplicaIndex(files, stamp)
    await eventually(lambda: stamp.age_ms() < 1_000, within_s=20)
    for number in range(1, 6):
        epoch = await commit(store, number, new=True)
    assert await index.await_applied(epoch, SOON)

    took = []
    for number in range(1, 4):
        await asyncio.sleep(0.5)
        first = stamp.applier
        by_id.pop(first).kill()
        epoch = await commit(store, number, revoked_at=NOW)
        took.append(await eventually(lambda epoch=epoch: stamp.applied_epoch >= epoch, within_s=5))
        known = index.find(digest(number))
        assert known is not None
        assert known.revoked
        assert stamp.applier in by_id
        third = start()
        by_id[third.pid] = third
        await asyncio.sleep(1)
    # The machine may have had other things to do once or twice.
    assert min(took) < 1

    source = SqlSource(primary)
    told = await compare(files, stamp, source, within=SOON)
    assert told.is_clean
    assert told.versions == 5
    await source.close()
    index.close()
    files.close()
    stamp.close()


async def test_killed_at_any_moment_the_replica_stays_whole(
    store: SqlStore, primary: str | Path, folder: Folder, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    await begin(store)
    stamp, files = Stamp(folder.stamp), Files(folder)
    index = ReplicaIndex(files, stamp)
    first = start()
    by_id = {first.pid: first}
    await eventually(lambda: stamp.age_ms() < 1_000, within_s=20)
    number = epoch = 0
    for _ in range(4):
        standby = start()
        by_id[standby.pid] = standby
        # A standby has had the time to begin, and the applier is in the middle of something.
        for _ in range(40):
            number += 1
            epoch = await commit(store, number, new=True)
            await asyncio.sleep(0.02)
        by_id[stamp.applier].kill()
        await asyncio.sleep(0.4)
    start()
    assert await index.await_applied(epoch, SOON)
    source = SqlSource(primary)
    told = await compare(files, stamp, source, within=SOON)
    assert told.is_clean, told
    assert told.versions == number
    await source.close()
    index.close()
    files.close()
    stamp.close()
