"""A real server while somebody guesses passwords, and what it writes down of those who sign in."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx

from keystead.dashboard.cookies import DEVICE, SESSION, VISITOR
from tests.scenario.servers import Keystead, run_keystead

PASSWORD = "correct horse battery"
ADMIN = {"ADMIN_EMAIL": "ada@example.com", "ADMIN_PASSWORD": PASSWORD}
GUESSERS = 50
SLOWEST = 1 / 4
"""Of the time that all guesses took: who waited for the hashes in the queue would wait for most of it."""


class Visitor:
    """A browser at a real server, from an address of its choice: loopback is a trusted proxy."""

    def __init__(self, keystead: Keystead, address: str = "192.0.2.1") -> None:
        self.client = httpx.Client(
            base_url=f"http://localhost:{keystead.port}", timeout=60, headers={"X-Forwarded-For": address}
        )

    def send(self, path: str, shown_at: str | None = None, **fields: str) -> httpx.Response:
        page = self.client.get(shown_at or path).text
        [csrf, *_] = re.findall(r'name="csrf" value="(\w+)"', page)
        return self.client.post(
            path, data={"csrf": csrf, **fields}, headers={"Sec-Fetch-Site": "same-origin"}
        )

    def sign_in(self, email: str, password: str) -> httpx.Response:
        return self.send("/sign-in", email=email, password=password)

    def cookies(self) -> list[str]:
        """Those that are worth something to others."""
        return [self.client.cookies[name] for name in (SESSION, DEVICE, VISITOR)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def rss_mib(keystead: Keystead) -> int:
    status = Path(f"/proc/{keystead.process.pid}/status").read_text()
    [kib] = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kib) // 1024


def guess(keystead: Keystead, number: int) -> int:
    with Visitor(keystead, f"198.51.100.{number}") as visitor:
        return visitor.sign_in(f"{number}@example.com", "wrong password").status_code


def test_keys_are_verified_while_many_guess_and_memory_stays_bounded(tmp_path: Path):
    with run_keystead(tmp_path, **ADMIN) as keystead:
        token, before = keystead.key()["token"], rss_mib(keystead)
        slowest, done = 0.0, threading.Event()

        def verify() -> None:
            nonlocal slowest
            while not done.is_set():
                began = time.monotonic()
                assert keystead.verdict(token)["valid"]
                slowest = max(slowest, time.monotonic() - began)

        with ThreadPoolExecutor(GUESSERS + 1) as pool:
            verifying, began = pool.submit(verify), time.monotonic()
            answers = list(pool.map(lambda it: guess(keystead, it), range(GUESSERS)))
            took = time.monotonic() - began
            done.set()
            verifying.result()
        assert set(answers) <= {422, 503}
        assert answers.count(422) > GUESSERS // 2
        assert slowest < took * SLOWEST
        # Two hashes at once, of 64 MiB each, and what pages need.
        assert rss_mib(keystead) - before < 2 * 64 + 64


def test_more_workers_are_not_more_guesses(tmp_path: Path):
    with run_keystead(tmp_path, WORKERS="3", **ADMIN) as keystead:
        answers = []
        for number in range(14):
            with Visitor(keystead, f"198.51.100.{number}") as visitor:
                answers.append(visitor.sign_in("ada@example.com", "wrong password").status_code)
        # One comes back each minute.
        assert answers.count(422) in {10, 11}
        assert answers[-1] == 429


def test_nothing_that_lets_somebody_in_is_written_down(tmp_path: Path):
    with run_keystead(tmp_path, **ADMIN) as keystead, Visitor(keystead) as ada:
        done = ada.sign_in("ada@example.com", PASSWORD)
        assert done.status_code == 303
        secrets = {PASSWORD, "another long password", *ada.cookies()}
        organization = keystead.made("GET", "organizations")["items"][-1]
        made: dict[str, Any] = keystead.made(
            "POST",
            f"organizations/{organization['id']}/invitations",
            {"email": "b@example.com", "role": "viewer"},
        )
        path = made["url"].removeprefix(f"http://localhost:{keystead.port}")
        secrets.add(path.rpartition("=")[2])
        with Visitor(keystead) as bob:
            assert bob.client.get(path).status_code == 200
            assert bob.client.get(f"/sign-in?next={quote(path, safe='')}").status_code == 200
            bob.client.get(f"/nothing{path}", headers={"Referer": f"http://localhost:{keystead.port}{path}"})
            bob.client.put(path)
            accepted = bob.send(path, name="Bob", password="another long password")
            assert accepted.status_code == 303
            secrets |= set(bob.cookies())
    log = keystead.log_text()
    assert "/link" in log
    assert [it for it in secrets if it in log] == []
    files = [it for it in (tmp_path / "data").rglob("*") if it.is_file()]
    for file in files:
        content = file.read_bytes()
        assert [it for it in secrets if it.encode() in content] == [], file
