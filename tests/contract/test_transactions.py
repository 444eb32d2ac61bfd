"""What `Store.read` and `Store.write` promise, also when many ask at once, or someone gives up half-way."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.errors import Unavailable
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import organization, organization_id, subject

WRITERS = 200


async def add_one(store: SqlStore) -> None:
    """A read-modify-write: the revision grows by one."""
    async with store.write() as tables:
        found = await tables.organizations.find(organization_id())
        assert found is not None
        await asyncio.sleep(0)
        await tables.organizations.update(organization(revision=found.revision + 1))


async def revision(store: SqlStore) -> int:
    async with store.read() as tables:
        found = await tables.organizations.find(organization_id())
        assert found is not None
        return found.revision


@pytest.fixture
async def counted(store: SqlStore) -> SqlStore:
    async with store.write() as tables:
        await tables.organizations.insert(organization(revision=0))
    return store


async def test_200_writers_at_once_lose_no_update(counted: SqlStore) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(add_one(counted))
    assert await revision(counted) == WRITERS


async def test_writers_on_connections_of_their_own_lose_no_update(
    counted: SqlStore, primary: str | Path
) -> None:
    # As several processes would: none of them shares the lock in memory.
    engines = [make_engine(primary) for _ in range(4)]
    stores = [SqlStore(engine) for engine in engines]
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS // 2):
            group.create_task(add_one(stores[number % len(stores)]))
    for engine in engines:
        await engine.dispose()
    assert await revision(counted) == WRITERS // 2


async def test_epochs_of_concurrent_writers_are_unique_without_gaps(store: SqlStore) -> None:
    epochs: list[int] = []

    async def append() -> None:
        async with store.write() as tables:
            epochs.append(await tables.changes.append([subject()], b"m"))

    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(append())
    assert epochs == list(range(1, WRITERS + 1))


async def test_readers_are_served_while_200_writers_wait(counted: SqlStore) -> None:
    async with counted.write() as tables:
        writers = [asyncio.create_task(add_one(counted)) for _ in range(WRITERS)]
        await asyncio.sleep(0)
        await tables.organizations.update(organization(revision=-1))
        async with asyncio.timeout(2):
            assert await asyncio.gather(*(revision(counted) for _ in range(20))) == [0] * 20
    await asyncio.gather(*writers)
    assert await revision(counted) == WRITERS - 1


async def test_an_exception_in_the_block_leaves_nothing(counted: SqlStore) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012 - leaving the block is what is tested
        async with counted.write() as tables:
            await tables.organizations.update(organization(revision=1))
            await tables.changes.append([subject()], b"m")
            raise RuntimeError
    async with counted.write() as tables:
        assert await tables.changes.newest() == 0
        assert await tables.changes.append([subject()], b"m") == 1
    assert await revision(counted) == 0


async def test_a_read_is_one_view_however_long_it_lasts(counted: SqlStore) -> None:
    async with counted.read() as tables:
        before = await tables.organizations.find(organization_id())
        await add_one(counted)
        assert await tables.organizations.find(organization_id()) == before
    assert await revision(counted) == 1


async def test_a_read_cannot_write(counted: SqlStore) -> None:
    with pytest.raises(Unavailable):
        async with counted.read() as tables:
            await tables.organizations.update(organization(revision=5))
    assert await revision(counted) == 0


async def test_a_connection_that_read_can_write_and_the_other_way_round(counted: SqlStore) -> None:
    for expected in range(1, 4):
        await add_one(counted)
        assert await revision(counted) == expected


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34])
async def test_a_writer_cancelled_anywhere_leaves_all_or_nothing_and_the_store_usable(
    counted: SqlStore, engine: AsyncEngine, steps: int
) -> None:
    task = asyncio.create_task(add_one(counted))
    for _ in range(steps):
        await asyncio.sleep(0.0003)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    written = await revision(counted)
    assert written in {0, 1}
    async with asyncio.timeout(5):
        await add_one(counted)
    assert await revision(counted) == written + 1
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34])
async def test_a_writer_cancelled_again_and_again_still_gives_its_connection_back(
    counted: SqlStore, engine: AsyncEngine, steps: int
) -> None:
    # As anyio's scopes do: they repeat themselves until the task has ended.
    task = asyncio.create_task(add_one(counted))
    for _ in range(steps):
        await asyncio.sleep(0.0003)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    written = await revision(counted)
    async with asyncio.timeout(5):
        await add_one(counted)
    assert await revision(counted) == written + 1


async def test_writers_cancelled_while_they_wait_do_not_stop_the_others(counted: SqlStore) -> None:
    tasks = [asyncio.create_task(add_one(counted)) for _ in range(60)]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    done = sum(result is None for result in results)
    assert done >= 30
    # One cancelled during its commit may have been written all the same.
    assert done <= await revision(counted) <= done + 1


async def test_the_servers_clock_is_aware_utc_and_sqlite_has_none_of_its_own(
    store: SqlStore, primary: str | Path
) -> None:
    at = await store.now()
    if isinstance(primary, Path):
        assert at is None
    else:
        assert at is not None
        assert abs(datetime.now(UTC) - at) < timedelta(seconds=5)
        assert at.tzinfo is UTC
