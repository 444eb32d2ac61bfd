"""`kill -9` in the middle of work: what was answered is there, and nothing is there by half."""

import random
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.scenario.servers import Json, Keystead, new_root_token, run_keystead
from tests.servers import Postgres

ROUNDS = 2
CLIENTS = 8

HALVES = {
    "audit of a key that is not there": """
        SELECT subject_id FROM audit WHERE subject_kind = 'key'
        AND NOT EXISTS (SELECT 1 FROM keys WHERE keys.id = subject_id)""",
    "a key without its audit": """
        SELECT id FROM keys WHERE NOT EXISTS (SELECT 1 FROM audit WHERE subject_id = keys.id)""",
    "a key without a version": """
        SELECT id FROM keys WHERE NOT EXISTS (SELECT 1 FROM versions WHERE key_id = keys.id)""",
    "audit of an epoch that is not there": """
        SELECT epoch FROM audit WHERE epoch IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.epoch = audit.epoch)""",
    "an epoch without its audit": """
        SELECT epoch FROM changes WHERE NOT EXISTS (SELECT 1 FROM audit WHERE audit.epoch = changes.epoch)""",
}


def create_until_killed(keystead: Keystead, app: Json) -> list[str]:
    """Create keys as fast as several clients can, kill the server, and give the tokens that were answered."""
    answered: list[str] = []

    def create() -> None:
        headers = {"Authorization": f"Bearer {keystead.root}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{keystead.port}", headers=headers) as client:
            while True:
                try:
                    answer = client.post(f"/api/v1/apps/{app['id']}/keys", json={"name": "Key"})
                except httpx.TransportError:
                    return
                assert answer.status_code == 201
                answered.append(answer.json()["token"])

    clients = [threading.Thread(target=create) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    while len(answered) < CLIENTS:
        time.sleep(0.01)
    time.sleep(random.uniform(0.1, 0.3))  # noqa: S311 - not for secrets
    keystead.process.kill()
    for client in clients:
        client.join()
    return answered


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_every_key_that_was_answered_survives_and_nothing_is_half_there(
    store: str, tmp_path: Path, request: pytest.FixtureRequest
):
    postgres: Postgres | None = request.getfixturevalue("postgres") if store == "postgresql" else None
    url = postgres.new_database() if postgres else None
    root, answered = new_root_token(), list[str]()
    with run_keystead(tmp_path, database_url=url, root=root, MAX_KEYS_PER_APP="100000") as keystead:
        app = keystead.app()
        answered += create_until_killed(keystead, app)
    for last in (*[False] * (ROUNDS - 1), True):
        with run_keystead(tmp_path, database_url=url, root=root, MAX_KEYS_PER_APP="100000") as keystead:
            assert [keystead.verdict(it)["reason"] for it in answered] == [None] * len(answered)
            if not last:
                answered += create_until_killed(keystead, app)
    for half, query in HALVES.items():
        assert rows(query, tmp_path, postgres, url) == "", half


def rows(query: str, folder: Path, postgres: Postgres | None, url: str | None) -> str:
    """What a query finds, read past the server."""
    if postgres is None or url is None:
        database = sqlite3.connect(folder / "data/keystead.sqlite3")
        try:
            return "\n".join(str(row) for row in database.execute(query))
        finally:
            database.close()
    command = [postgres.psql, "-qXAtd", url, "-c", query]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
