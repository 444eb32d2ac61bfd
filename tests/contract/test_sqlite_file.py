# ruff: noqa: ASYNC240 - small files, in tests
"""What keeps a SQLite file whole while several processes use it."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore

# Another process, as the CLI is one, which opens the file, writes and leaves.
OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO facts VALUES ('other', 'x')")
connection.commit()
connection.close()
"""


@pytest.fixture
def primary(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "keystead.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    return path


async def test_what_is_written_after_another_process_has_left_is_kept(store: SqlStore, primary: Path) -> None:
    # Two connections, the second made while the first holds its locks.
    async with store.read() as first, store.read() as second:
        await first.facts.find("a")
        await second.facts.find("a")
    command = [sys.executable, "-c", OTHER, str(primary)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    async with store.write() as tables:
        await tables.facts.insert("ours", "y")
    connection = sqlite3.connect(primary)
    assert {name for (name,) in connection.execute("SELECT name FROM facts")} >= {"other", "ours"}
    connection.close()


async def test_a_file_that_others_could_read_is_made_ours_alone(primary: Path) -> None:
    primary.chmod(0o644)
    engine = make_engine(primary)
    async with SqlStore(engine).read() as tables:
        await tables.facts.find("a")
    await engine.dispose()
    assert primary.stat().st_mode & 0o777 == 0o600
