"""Servers that several stories share: each makes its own organizations in them."""

from collections.abc import Iterator

import pytest

from tests.scenario.nginx import Site, run_site
from tests.scenario.servers import Api, Keystead, run_api, run_keystead

TRUSTED = "127.0.0.0/8,::1/128,10.0.0.0/8"


@pytest.fixture(scope="session")
def keystead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystead]:
    """A server on SQLite that trusts the proxies of this machine and of 10.0.0.0/8."""
    with run_keystead(tmp_path_factory.mktemp("keystead"), TRUSTED_PROXIES=TRUSTED) as server:
        yield server


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """An API for proxies to stand in front of."""
    with run_api() as running_api:
        yield running_api


@pytest.fixture(scope="session")
def site(keystead: Keystead, api: Api) -> Iterator[Site]:
    """The API behind nginx behind Keystead."""
    with run_site(keystead, api) as running_site:
        yield running_site


@pytest.fixture(scope="session")
def free_token(keystead: Keystead) -> str:
    """A token of a key without constraints."""
    return str(keystead.key()["token"])


@pytest.fixture(scope="session")
def jobs_token(keystead: Keystead) -> str:
    """A token of a key that may only GET what begins with /jobs/."""
    constraint = {"type": "prefix", "pattern": "jobs/", "methods": ["GET"]}
    return str(keystead.key(constraints=[constraint])["token"])


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """An empty database of each kind; None for SQLite, which is made in the data directory."""
    if request.param == "sqlite":
        return None
    return str(request.getfixturevalue("postgres").new_database())
