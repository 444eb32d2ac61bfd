"""`keystead replica` beside running servers, on both databases: what it tells and what it has them do."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.scenario.servers import Keystead, run_keystead


def cli(folder: Path, *arguments: str, database_url: str | None) -> subprocess.CompletedProcess[str]:
    """Run a command with a server's data directory and database, and no more of its settings."""
    program = Path(sys.executable).with_name("keystead")
    settings = [f"KEYSTEAD_DATA={folder / 'data'}", f"PATH={os.environ['PATH']}"]
    settings += [f"KEYSTEAD_DATABASE_URL={database_url}"] if database_url else []
    command = ["env", "-i", *settings, str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def replica(folder: Path, name: str, database_url: str | None) -> dict[str, object]:
    """What a command about the replica, which must succeed, tells as JSON."""
    return told(cli(folder, "replica", name, "--json", database_url=database_url))


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
        status = replica(tmp_path, "status", database_url)
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
            rebuilt = replica(tmp_path, "rebuild", database_url)
        finally:
            stop.set()
            asking.join()
        assert rebuilt["generation"] == 2
        assert rebuilt["applier"] == {"pid": applier["pid"], "alive": True}
        assert verdicts
        assert all(verdicts)
        assert replica(tmp_path, "verify", database_url)["clean"]
        doctor = cli(tmp_path, "doctor", "--json", database_url=database_url)
        levels = {it["name"]: it["level"] for it in json.loads(doctor.stdout)["items"]}
        assert {levels[it] for it in ("replica", "replica level", "local refusals")} == {"ok"}

    status = replica(tmp_path, "status", database_url)
    # Of two workers the other one may have taken over while the server stopped.
    assert status["applier"]["alive"] is False
    assert replica(tmp_path, "rebuild", database_url)["generation"] == 3
    assert replica(tmp_path, "verify", database_url)["clean"]


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
                assert replica(tmp_path, "verify", database_url)["clean"]
        finally:
            stop.set()
            making.join()
