"""One suite for both databases: a fresh, set-up one for every test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.migrate import set_up
from keystead.storage.sql.store import SqlStore
from tests.contract.samples import NOW
from tests.servers import Postgres

BOTH = ["sqlite", "postgresql"]
_NUMBERS = count()


def set_up_now(primary: str | Path) -> None:
    async def run() -> None:
        engine = make_engine(primary)
        await set_up(engine, now=NOW)
        await engine.dispose()

    asyncio.run(run())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "keystead.sqlite3"
    set_up_now(path)
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgres: Postgres) -> str:
    url = postgres.new_database()
    set_up_now(url)
    return url.rpartition("/")[2]


@pytest.fixture(params=BOTH)
def empty_primary(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where an empty database is: a URL or a path."""
    if request.param == "sqlite":
        return tmp_path / "keystead.sqlite3"
    return request.getfixturevalue("postgres").new_database()


@pytest.fixture(params=BOTH)
def primary(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a database with its schema is; a copy of one that was set up once."""
    if request.param == "sqlite":
        path = tmp_path / "keystead.sqlite3"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return path
    postgres, template = (request.getfixturevalue(name) for name in ("postgres", "postgresql_template"))
    name = f"contract_{next(_NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return postgres.url(name)


@pytest.fixture
async def engine(primary: str | Path) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(primary)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> SqlStore:
    return SqlStore(engine)
