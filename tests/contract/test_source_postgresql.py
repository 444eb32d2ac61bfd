"""What an applier makes of a PostgreSQL that is a standby, goes away, or falls silent."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from keystead.domain.errors import Misconfigured, Unavailable
from keystead.domain.ids import IdKind, NodeId
from keystead.ports.replica import BEGINNING, Point, ReadOnly
from keystead.ports.store import Node
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.migrate import set_up
from keystead.storage.sql.nodes import SqlNodes
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from tests.contract.proxies import Proxy, proxied
from tests.contract.samples import NOW, identifier, key, populate, subject
from tests.servers import Postgres, _as_postgres, _postgres_programs, free_port, run_postgres, serve_postgres

NODE = Node(id=NodeId(identifier(IdKind.NODE, 1)), name="node-1", applied_epoch=1)
SECOND = timedelta(seconds=1)
BOUND_S = 3.0


async def news(source: SqlSource) -> None:
    await source.news(BEGINNING)


async def snapshot(source: SqlSource) -> None:
    async with source.snapshot():
        pass


async def newest_common(source: SqlSource) -> None:
    await source.newest_common([Point(1, b"m")])


async def report(source: SqlSource) -> None:
    await source.report(NODE)


async def changed(source: SqlSource) -> None:
    await source.changed(SECOND)


EACH = [news, snapshot, newest_common, report, changed]


@pytest.fixture
async def url(postgres: Postgres) -> str:
    url = postgres.new_database()
    engine = make_engine(url)
    await set_up(engine, now=NOW)
    store = SqlStore(engine)
    await populate(store)
    async with store.write() as tables:
        for number in range(1, 11):
            await tables.keys.insert(key(number))
        await tables.changes.append([subject()], b"m" * 8)
    await engine.dispose()
    return url


@pytest.fixture
async def through(url: str, postgres: Postgres) -> AsyncIterator[tuple[Proxy, SqlSource]]:
    """A source whose way to the server can fall silent."""
    async with proxied(postgres.port) as proxy:
        source = SqlSource(url.replace(f":{postgres.port}/", f":{proxy.port}/"))
        yield proxy, source
        await source.close()


async def require_unavailable_soon(source: SqlSource, one: Callable[[SqlSource], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(Unavailable):
        await one(source)
    assert loop.time() - started < BOUND_S


@pytest.mark.parametrize("one", EACH)
async def test_a_server_that_falls_silent_is_unavailable_soon_and_found_again(
    through: tuple[Proxy, SqlSource], one: Callable[[SqlSource], Awaitable[None]]
) -> None:
    proxy, source = through
    await one(source)
    proxy.silent = True
    # The first has a connection that died without a word, the second cannot make another.
    await require_unavailable_soon(source, one)
    await require_unavailable_soon(source, one)
    proxy.silent = False
    await one(source)


async def test_a_snapshot_under_way_is_given_up_when_the_server_falls_silent(
    through: tuple[Proxy, SqlSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, source = through
    monkeypatch.setattr("keystead.storage.sql.source.PORTION_WITHIN", SECOND)
    monkeypatch.setattr("keystead.storage.sql.source_snapshot.PORTION", 5)
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(Unavailable):  # noqa: PT012 - the block as a whole is what is tested
        async with source.snapshot() as begun:
            stream = begun.versions()
            await anext(stream)
            proxy.silent, started = True, loop.time()
            async for _ in stream:
                pass
    assert loop.time() - started < BOUND_S


async def test_a_change_committed_while_nobody_could_listen_is_not_missed(
    through: tuple[Proxy, SqlSource], url: str
) -> None:
    proxy, source = through
    await source.changed(SECOND)
    proxy.silent = True
    await require_unavailable_soon(source, changed)
    proxy.silent = False
    async with asyncio.timeout(0.5):
        await source.changed(timedelta(seconds=10))


async def test_a_server_that_ends_the_connections_is_unavailable_once(url: str, postgres: Postgres) -> None:
    source = SqlSource(url)
    for one in (news, changed):
        await one(source)
    waiting = asyncio.create_task(source.changed(timedelta(seconds=10)))
    await asyncio.sleep(0.1)
    own = f"datname = '{url.rpartition('/')[2]}'"
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own}")  # noqa: S608 - a name of ours
    with pytest.raises(Unavailable):
        async with asyncio.timeout(1):
            await waiting
    await asyncio.sleep(0.05)
    for one in EACH:
        await one(source)
    await source.close()


async def test_a_primary_that_takes_no_changes_says_so_until_it_takes_them_again(
    url: str, postgres: Postgres
) -> None:
    name = url.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    source = SqlSource(url)
    for _ in range(3):
        await news(source)
        with pytest.raises(ReadOnly):
            await report(source)
    postgres.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await report(source)
    await source.close()


async def test_a_full_disk_is_told_from_a_server_that_is_away(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(nodes: SqlNodes, state: str) -> None:
        raised = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"
        await nodes._work.change(sa.text(raised))

    source = SqlSource(url)
    for state, expected in (("53100", ReadOnly), ("53300", Unavailable), ("57P03", Unavailable)):
        monkeypatch.setattr(SqlNodes, "upsert", lambda nodes, _node, state=state: refused(nodes, state))
        with pytest.raises(Unavailable) as caught:
            await report(source)
        assert type(caught.value) is expected
    await source.close()


async def test_a_server_that_is_not_there_is_unavailable(postgres: Postgres) -> None:
    for place in (f"127.0.0.1:{free_port()}/none", f"127.0.0.1:{postgres.port}/none"):
        source = SqlSource(f"postgresql://postgres@{place}")
        for one in EACH:
            await require_unavailable_soon(source, one)
        await source.close()


def test_another_kind_of_url_is_misconfigured() -> None:
    with pytest.raises(Misconfigured):
        SqlSource("mysql://localhost/keystead")


@contextmanager
def standby_of(primary: Postgres) -> Iterator[Postgres]:
    """Run a server that follows `primary` by its stream of changes, and lets itself be read."""
    with tempfile.TemporaryDirectory(prefix="keystead-standby-") as name:
        data = Path(name) / "data"
        if os.geteuid() == 0:
            shutil.chown(name, "postgres", "postgres")
        origin = primary.url("postgres").rpartition("/")[0]
        command = [*_as_postgres(), _postgres_programs() / "pg_basebackup", "-d", origin, "-D", data]
        options = ["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"]
        subprocess.run([*command, *options], check=True, capture_output=True)
        with serve_postgres(data, port=free_port()) as server:
            yield server


async def test_a_standby_proves_nothing_until_it_is_promoted() -> None:
    with run_postgres() as primary:
        url = primary.new_database()
        engine = make_engine(url)
        await set_up(engine, now=NOW)
        async with SqlStore(engine).write() as tables:
            await tables.changes.append([subject()], b"m" * 8)
        await engine.dispose()
        with standby_of(primary) as standby:
            source = SqlSource(standby.url(url.rpartition("/")[2]))
            for one in (news, snapshot, newest_common, report, changed):
                await require_unavailable_soon(source, one)
            # Its primary may take changes all the same.
            with pytest.raises(Unavailable) as caught:
                await report(source)
            assert not isinstance(caught.value, ReadOnly)
            standby.execute("SELECT pg_promote()")
            for one in EACH:
                await one(source)
            found = await source.news(BEGINNING)
            assert found is not None
            assert found.passed == [Point(1, b"m" * 8)]
            await source.close()
