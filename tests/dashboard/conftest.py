"""The site that tests of pages look at; see `tests.dashboard.site`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.dashboard.site import Site, opened_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A fresh site on SQLite."""
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting_site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A site that the tests of a module share; its clock only goes on.

    Such tests are marked `pytest.mark.asyncio(loop_scope="module")`.
    """
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path_factory.mktemp("site") / "data")}) as opened:
        yield opened
