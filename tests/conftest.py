"""Fixtures for every test: real servers, and no network for unit tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Postgres, run_postgres

UNIT = Path(__file__).parent / "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.disable_socket)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, one for each worker of pytest-xdist; ask it for a `new_database()`."""
    with run_postgres() as server:
        yield server
