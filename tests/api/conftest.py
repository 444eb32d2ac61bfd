"""The world that API tests play in, on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.world import World, opened_world


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A fresh instance on each store."""
    environ = {"KEYSTEAD_DATA": str(tmp_path / "data")}
    if request.param == "postgresql":
        environ["KEYSTEAD_DATABASE_URL"] = request.getfixturevalue("postgres").new_database()
    async with opened_world(environ) as opened:
        yield opened


@pytest.fixture
async def sqlite_world(tmp_path: Path) -> AsyncIterator[World]:
    """A fresh instance on SQLite, for what no store can change."""
    async with opened_world({"KEYSTEAD_DATA": str(tmp_path / "data")}) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """An instance on SQLite that the tests of a module share, for long tables; its clock only goes on.

    Such tests are marked `pytest.mark.asyncio(loop_scope="module")`.
    """
    data = tmp_path_factory.mktemp("world") / "data"
    async with opened_world({"KEYSTEAD_DATA": str(data)}) as opened:
        yield opened
