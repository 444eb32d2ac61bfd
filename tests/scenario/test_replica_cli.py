"""`keystead replica` beside running servers, on both databases: what it tells, and what it asks them to do."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.scenario.servers import Keystead, run_keystead, serve_command
from tests.servers import Command


def replica(folder: Path, *arguments: str, database_url: str | None) -> subprocess.CompletedProcess[str]:
    """Run `keystead replica` with a server's data directory and database, and no more of its settings."""
    serve = serve_command(folder, port=1, root="", database_url=database_url)
    settings = [it for it in serve if not str(it).startswith("KEYSTEAD_ROOT_KEY_FILE")]
    command: Command = [*settings[:-1], "replica", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def asked(keystead: Keystead, token: str, stop: threading.Event) -> list[bool]:
    """Whether each of many attempts was accepted."""
    verdicts = []
    while not stop.is_set():
        verdicts.append(bool(keystead.verdict(token)["valid"]))
    return verdicts


@pytest.mark.parametrize("workers", ["1", "2"])
def test_beside_a_server(tmp_path: Path, database_url: str | None, workers: str):
    with run_keystead(tmp_path, database_url=database_url, WORKERS=workers) as keystead:
        token = str(keystead.key()["token"])
        status = told(replica(tmp_path, "status", "--json", database_url=database_url))
        assert (status["state"], status["lag"], status["generation"]) == ("fresh", 0, 1)
        applier, file = status["applier"], status["file"]
        assert isinstance(applier, dict)
        assert isinstance(file, dict)
        assert applier["alive"]
        assert os.path.exists(f"/proc/{applier['pid']}")  # noqa: PTH110 - a process
        assert 1 <= file["readers"] <= int(workers)

        stop, verdicts = threading.Event(), []
        asking = threading.Thread(target=lambda: verdicts.extend(asked(keystead, token, stop)))
        asking.start()
        try:
            rebuilt = told(replica(tmp_path, "rebuild", "--json", database_url=database_url))
        finally:
            stop.set()
            asking.join()
        assert rebuilt["generation"] == 2
        assert rebuilt["applier"] == {"pid": applier["pid"], "alive": True}
        assert verdicts
        assert all(verdicts)
        assert told(replica(tmp_path, "verify", "--json", database_url=database_url))["clean"]
        doctor = subprocess.run(
            [*serve_command(tmp_path, port=1, root="", database_url=database_url)[:-1], "doctor", "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        levels = {it["name"]: it["level"] for it in json.loads(doctor.stdout)["items"]}
        assert {levels[it] for it in ("replica", "replica level", "local refusals")} == {"ok"}

    status = told(replica(tmp_path, "status", "--json", database_url=database_url))
    assert status["applier"] == {"pid": applier["pid"], "alive": False}
    assert told(replica(tmp_path, "rebuild", "--json", database_url=database_url))["generation"] == 3
    assert told(replica(tmp_path, "verify", "--json", database_url=database_url))["clean"]


def test_a_change_is_compared_while_it_is_made(tmp_path: Path, database_url: str | None):
    with run_keystead(tmp_path, database_url=database_url) as keystead:
        app, stop = keystead.app(), threading.Event()

        def make() -> None:
            while not stop.is_set():
                keystead.key(app)

        making = threading.Thread(target=make)
        making.start()
        try:
            for _ in range(3):
                assert told(replica(tmp_path, "verify", "--json", database_url=database_url))["clean"]
        finally:
            stop.set()
            making.join()
