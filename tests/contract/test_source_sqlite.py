# ruff: noqa: ASYNC240 - small files, in tests
"""What an applier makes of a SQLite file that is replaced or removed under it."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keystead.domain.errors import Unavailable
from keystead.domain.ids import IdKind, NodeId
from keystead.ports.replica import BEGINNING, Point, ReadOnly
from keystead.ports.store import Node
from keystead.storage.sql.engine import copy_sqlite, make_engine
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from keystead.storage.sql.tail_sqlite import Watch
from tests.contract.samples import identifier, subject

ALL = timedelta(seconds=5)
NODE = Node(id=NodeId(identifier(IdKind.NODE, 1)), name="node-1", applied_epoch=0)


@pytest.fixture
def path(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "keystead.sqlite3"
    shutil.copy(sqlite_template, path)
    return path


@pytest.fixture
async def source(path: Path) -> AsyncIterator[SqlSource]:
    source = SqlSource(path)
    yield source
    await source.close()


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    engine = make_engine(path)
    yield SqlStore(engine)
    await engine.dispose()


async def change(store: SqlStore, mark: bytes) -> None:
    async with store.write() as tables:
        await tables.changes.append([subject()], mark)


def remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


async def newest(source: SqlSource) -> Point:
    found = await source.news(BEGINNING)
    assert found is not None
    return found.passed[-1] if found.passed else BEGINNING


async def test_a_file_put_in_the_others_place_is_a_change_and_is_what_is_read(
    path: Path, source: SqlSource, store: SqlStore
) -> None:
    await change(store, b"before")
    await source.changed(ALL)
    assert await newest(source) == Point(1, b"before")
    copy = path.with_name("copy")
    await asyncio.to_thread(copy_sqlite, path, copy)
    await change(store, b"lost")
    await source.changed(ALL)
    assert await newest(source) == Point(2, b"lost")
    waiting = asyncio.create_task(source.changed(ALL))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    remove(path)
    copy.rename(path)
    async with asyncio.timeout(1):
        await waiting
    assert await newest(source) == Point(1, b"before")
    assert await source.news(Point(2, b"lost")) is None
    # Nor does the store write to the file that is no longer there.
    await change(store, b"after")
    await source.changed(ALL)
    assert await newest(source) == Point(2, b"after")


async def test_a_file_that_is_gone_is_unavailable_not_made_and_found_again(
    path: Path, source: SqlSource, store: SqlStore
) -> None:
    await change(store, b"before")
    await source.changed(ALL)
    copy = path.with_name("copy")
    await asyncio.to_thread(copy_sqlite, path, copy)
    remove(path)
    await source.changed(ALL)
    for attempt in (source.news(BEGINNING), source.report(NODE), source.newest_common([])):
        with pytest.raises(Unavailable):
            await attempt
    with pytest.raises(Unavailable):
        await change(store, b"lost")
    assert not path.exists()
    waiting = asyncio.create_task(source.changed(ALL))
    await asyncio.sleep(0.05)
    copy.rename(path)
    async with asyncio.timeout(1):
        await waiting
    assert await newest(source) == Point(1, b"before")
    await source.report(NODE)


async def test_a_report_reaches_a_file_that_came_later(path: Path, source: SqlSource) -> None:
    copy = path.with_name("copy")
    await asyncio.to_thread(copy_sqlite, path, copy)
    await source.report(NODE)
    remove(path)
    copy.rename(path)
    await source.report(NODE)
    engine = make_engine(path)
    async with SqlStore(engine).read() as tables:
        assert [it for it, _ in await tables.nodes.list()] == [NODE]
    await engine.dispose()


async def test_a_file_that_can_only_be_read_takes_no_report_and_says_so(
    path: Path, source: SqlSource
) -> None:
    full = make_engine(path)
    async with full.begin() as connection:
        await connection.execute(sa.text("CREATE TRIGGER full BEFORE INSERT ON nodes BEGIN SELECT no(); END"))
    await full.dispose()
    with pytest.raises(ReadOnly):
        await source.report(NODE)
    assert await newest(source) == BEGINNING


async def test_a_report_does_not_wait_for_long_for_who_writes(store: SqlStore, source: SqlSource) -> None:
    loop = asyncio.get_running_loop()
    async with store.write():
        began = loop.time()
        with pytest.raises(ReadOnly):
            await source.report(NODE)
        assert loop.time() - began < 1
    await source.report(NODE)


async def test_closing_ends_the_thread(source: SqlSource) -> None:
    await source.changed(ALL)
    assert "keystead-tail" in {it.name for it in threading.enumerate()}
    await source.close()
    assert "keystead-tail" not in {it.name for it in threading.enumerate()}
    await source.close()


def test_a_thread_whose_event_loop_has_ended_ends_too(path: Path) -> None:
    told = threading.Event()

    def tell() -> None:
        told.set()
        raise RuntimeError("Event loop is closed")

    watch = Watch(path, tell)
    watch.begin()
    assert watch._thread.daemon
    other = path.with_name("other")
    shutil.copy(path, other)
    other.rename(path)
    assert told.wait(1)
    watch._thread.join(1)
    assert not watch._thread.is_alive()


def test_a_thread_that_never_began_is_ended_too(path: Path) -> None:
    Watch(path, lambda: None).end()
