"""Requests to a dashboard with three pages of its own, without a server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from litestar.testing import TestClient

from keystead.dashboard.app import make_dashboard
from keystead.dashboard.house import House
from keystead.dashboard.texts import Texts, load_texts
from tests.entrance import bare_entrance

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUSE = House(
    product_name="Acme Keys", support_url="https://support.example", docs_url="https://docs.example"
)


@pytest.fixture(scope="session")
def english() -> Texts:
    return load_texts()["en"]


@pytest.fixture(scope="session")
def spanish() -> Texts:
    return load_texts()["es"]


@pytest.fixture(scope="session")
def client() -> Iterator[TestClient]:
    app = make_dashboard(HOUSE, entrance=bare_entrance(lambda: int(NOW.timestamp() * 1000)), pieces=True)
    with TestClient(app, raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client


@pytest.fixture(scope="session")
def source() -> Path:
    return Path(__file__).parents[3] / "src/keystead/dashboard"
