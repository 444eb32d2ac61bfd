"""A primary, and a replica of it in a directory of the test's own."""

import pytest

from tests.unit.replica.primary import FakeSource, Primary, Replicated


@pytest.fixture
def primary():
    return Primary()


@pytest.fixture
def source(primary):
    return FakeSource(primary)


@pytest.fixture
def replicated(tmp_path, source):
    made = Replicated(tmp_path / "replica", source)
    yield made
    made.close()
