"""The database that keys are in, with as many of them as wanted."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import LOAD_CORE
from bench.seed import SERVER_SETTINGS, seed_postgres
from bench.serving import SECRET_KEY
from bench.table import say
from keystead.settings import load_settings
from keystead.wiring import set_up
from tests.servers import Postgres, free_port, postgres_data, serve_postgres

DURABLE = {"fsync": "on", "full_page_writes": "on"}
"""For `serve_postgres`, where writes are measured."""


@contextmanager
def seeded_postgres(folder: Path, keys: int) -> Iterator[str]:
    """The URL of a database with `keys` keys; its server is held to the core that the load comes from.

    `folder` is for what setting it up needs.
    """
    with postgres_data() as data:
        with serve_postgres(data, port=free_port(), **SERVER_SETTINGS) as server:
            url = new_database(server, folder)
            seed(server, url, 1, keys)
        within = ["taskset", "-c", str(LOAD_CORE)]
        with serve_postgres(data, port=free_port(), within=within, **SERVER_SETTINGS) as server:
            yield server.url(url.rpartition("/")[2])


def new_database(server: Postgres, folder: Path) -> str:
    """The URL of a new database with our schema."""
    url = server.new_database()
    asyncio.run(set_up(load_settings(environ(folder, url))))
    return url


def seed(server: Postgres, url: str, first: int, last: int) -> None:
    """Add the keys numbered `first` to `last`."""
    say(f"making keys {first:,} to {last:,}")
    seed_postgres(server, url.rpartition("/")[2], first, last)


def environ(folder: Path, url: str | None = None) -> dict[str, str]:
    """The settings of an instance on `folder`."""
    database = {} if url is None else {"KEYSTEAD_DATABASE_URL": url}
    return {"KEYSTEAD_DATA": str(folder / "data"), "KEYSTEAD_SECRET_KEY": SECRET_KEY, **database}
