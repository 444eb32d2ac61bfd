# ruff: noqa: ASYNC240 - small files, in tests
"""A database that cannot be read or written is `Unavailable`, and says nothing about anybody's secrets."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keystead.domain.errors import Misconfigured, Unavailable
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.migrate import schema_state, set_up
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import NOW, digest, key, populate, version
from tests.servers import Postgres, free_port, run_postgres


async def read(store: SqlStore) -> None:
    async with store.read() as tables:
        await tables.facts.find("a")


async def write(store: SqlStore) -> None:
    async with store.write() as tables:
        await tables.facts.insert("a", "b")


async def find(store: SqlStore) -> None:
    async with store.read() as tables:
        await tables.keys.find_digest(digest(1))


async def add_no_uses(store: SqlStore) -> None:
    await store.add_uses([])


def send_away(postgres: Postgres, url: str) -> None:
    """End every connection to the database, as a restart of the server does."""
    own = f"datname = '{url.rpartition('/')[2]}'"
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {own}")  # noqa: S608 - a name of ours


EACH = [read, write, find, add_no_uses]


@asynccontextmanager
async def opened(primary: str | Path) -> AsyncIterator[SqlStore]:
    engine = make_engine(primary)
    yield SqlStore(engine)
    await engine.dispose()


async def require_unavailable(store: SqlStore, *some: Callable[[SqlStore], Awaitable[None]]) -> None:
    for one in some:
        with pytest.raises(Unavailable) as caught:
            await one(store)
        assert caught.value.dependency == "database"


async def test_postgresql_that_stops_is_unavailable_and_no_connection_is_leaked() -> None:
    with run_postgres() as server:
        engine = make_engine(server.new_database())
        await set_up(engine, now=NOW)
        store = SqlStore(engine)
        await asyncio.gather(*(read(store) for _ in range(5)))
    await require_unavailable(store, *EACH, *EACH)
    with pytest.raises(Unavailable):
        await schema_state(engine)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    await engine.dispose()


async def test_postgresql_that_sends_us_away_is_connected_to_again(postgres: Postgres) -> None:
    url = postgres.new_database()
    engine = make_engine(url)
    await set_up(engine, now=NOW)
    store = SqlStore(engine)
    for one in EACH[:3]:
        await asyncio.gather(*(find(store) for _ in range(5)))
        send_away(postgres, url)
        await asyncio.sleep(0.05)
        await one(store)
    await engine.dispose()


async def test_postgresql_that_was_read_only_is_written_again_once_it_is_not(postgres: Postgres) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    engine = make_engine(url)
    await set_up(engine, now=NOW)
    await engine.dispose()
    async with opened(url) as store:
        postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        # Several sessions, of which each keeps what it began with.
        async with store.read(), store.read():
            await require_unavailable(store, write)
        postgres.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await asyncio.gather(read(store), write(store), read(store))


async def test_postgresql_that_ends_a_transaction_half_way_undoes_it(postgres: Postgres) -> None:
    url = postgres.new_database()
    engine = make_engine(url)
    await set_up(engine, now=NOW)
    store = SqlStore(engine)
    with pytest.raises(Unavailable):  # noqa: PT012 - the block as a whole is what is tested
        async with store.write() as tables:
            await tables.facts.insert("a", "b")
            send_away(postgres, url)
            await tables.facts.insert("c", "d")
    async with store.read() as tables:
        assert await tables.facts.find("a") is None
    await write(store)
    await engine.dispose()


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:{port}/none", "nobody:made-up@127.0.0.1:{closed}/none"],
    ids=["no such database", "nobody listens"],
)
async def test_postgresql_that_cannot_be_entered_is_unavailable(postgres: Postgres, place: str) -> None:
    url = "postgresql://" + place.format(port=postgres.port, closed=free_port())
    async with opened(url) as store:
        await require_unavailable(store, *EACH)
    engine = make_engine(url)
    with pytest.raises(Unavailable):
        await set_up(engine, now=NOW)
    await engine.dispose()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?application_name=x",
        "?sslmode=disable",
        "?connect_timeout=3",
        "?sslmode=prefer&search_path=public",
    ],
)
async def test_options_in_the_url_are_understood(postgres: Postgres, query: str) -> None:
    engine = make_engine(postgres.new_database() + query)
    await set_up(engine, now=NOW)
    await write(SqlStore(engine))
    await engine.dispose()


@pytest.mark.parametrize("url", ["mysql://root:made-up@h/db", "keystead.sqlite3", ""])
def test_another_kind_of_url_is_misconfigured_and_not_repeated(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        make_engine(url)
    assert "made-up" not in str(caught.value)


async def test_a_sqlite_file_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    async with opened(tmp_path / "missing" / "keystead.sqlite3") as store:
        await require_unavailable(store, *EACH)
    engine = make_engine(tmp_path / "missing" / "keystead.sqlite3")
    with pytest.raises(Unavailable):
        await set_up(engine, now=NOW)
    await engine.dispose()


@pytest.mark.parametrize("content", [b"not a database, " * 512, b"SQLite format 3\0" + b"\xff" * 8176])
async def test_a_sqlite_file_of_something_else_is_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keystead.sqlite3"
    path.write_bytes(content)
    async with opened(path) as store:
        await require_unavailable(store, *EACH)
    assert path.read_bytes() == content


async def test_a_sqlite_file_that_is_damaged_is_unavailable(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "keystead.sqlite3"
    content = bytearray(sqlite_template.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)
    async with opened(path) as store:
        await require_unavailable(store, read, write, find)


async def test_a_sqlite_file_that_another_keeps_locked_is_unavailable_for_writes_only(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystead.storage.sql.engine.BUSY_TIMEOUT_S", 0.2)
    path = tmp_path / "keystead.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    async with opened(path) as holder, opened(path) as other, holder.write() as tables:
        await tables.facts.insert("a", "mine")
        await require_unavailable(other, write)
        await read(other)
        await find(other)


async def test_a_sqlite_file_is_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "keystead.sqlite3"
    engine = make_engine(path)
    mask = os.umask(0)
    try:
        await set_up(engine, now=NOW)
        await write(SqlStore(engine))
        files = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(mask)
        await engine.dispose()
    assert set(files) >= {"keystead.sqlite3", "keystead.sqlite3-wal", "keystead.sqlite3-shm", "migrate.lock"}
    assert set(files.values()) == {0o600}


def everything_of(exc: BaseException | None) -> str:
    """All that an error, its causes and contexts would show, and what they carry."""
    shown = ""
    while exc is not None:
        shown += f"{exc!s} {exc!r} {vars(exc)!r} {exc.args!r}\n"
        exc = exc.__cause__ or exc.__context__
    return shown


async def test_no_exception_shows_a_token_or_digest(store: SqlStore, primary: str | Path) -> None:
    token = "_".join(("acme", "pk", "live", "x" * 38))
    await populate(store)
    sample = key(versions=(version(1, token=token),))
    async with store.write() as tables:
        await tables.keys.insert(sample)
    broken = [
        key(2, versions=(version(2, token=token, digest=digest(1)),)),
        key(3, versions=(version(3, token=token, start=None),)),
        key(4, name=None, versions=(version(4, token=token),)),
        key(5, organization_id=None, versions=(version(5, token=token),)),
    ]
    if isinstance(primary, str):
        # SQLite would keep text in any column.
        broken.append(key(6, versions=(version(6, token=token, use_count=token),)))
    for one in broken:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it must not tell
            async with store.write() as tables:
                await tables.keys.insert(one)
        shown = everything_of(caught.value)
        assert token not in shown
        assert repr(digest(1)) not in shown
        assert digest(1).hex() not in shown
    with pytest.raises(Unavailable) as refused:
        async with store.read() as tables:
            await tables.keys.insert(key(7, versions=(version(7, token=token),)))
    assert token not in everything_of(refused.value)
