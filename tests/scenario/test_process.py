"""The server as a process: how it starts, what it prints, and how it stops."""

import fcntl
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.scenario.servers import (
    Json,
    Keystead,
    new_root_token,
    raw_get,
    run_keystead,
    send_raw,
    serve_command,
    wait_until_ready,
)
from tests.servers import end, free_port, wait_for_port

STOPS = pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])


# How it stops


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Keep every writer of the database waiting."""
    database = sqlite3.connect(folder / "data/keystead.sqlite3", isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("ROLLBACK")
    finally:
        database.close()


@STOPS
def test_a_stop_answers_the_requests_in_flight_and_ends_with_0(tmp_path: Path, stop: signal.Signals):
    with run_keystead(tmp_path) as keystead:
        app, answers = keystead.app(), list[httpx.Response]()
        path = f"apps/{app['id']}/keys"
        slow = threading.Thread(
            target=lambda: answers.append(keystead.call("POST", path, json={"name": "Key"}))
        )
        body = json.dumps({"name": "Half"}).encode()
        head = [
            f"POST /api/v1/{path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {keystead.root}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        idle = socket.create_connection(("127.0.0.1", keystead.port))
        half = socket.create_connection(("127.0.0.1", keystead.port), timeout=10)
        with idle, half:
            with writing(tmp_path):
                slow.start()
                half.sendall("\r\n".join([*head, "", ""]).encode() + body[:5])
                time.sleep(1)
                keystead.process.send_signal(stop)
                time.sleep(0.5)
                assert keystead.process.poll() is None
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", keystead.port)).close()
                half.sendall(body[5:])
            slow.join()
            assert half.recv(65536).startswith(b"HTTP/1.1 201 ")
            assert keystead.process.wait(10) == 0
        assert answers[0].status_code == 201
        assert "Traceback" not in keystead.log_text()


@STOPS
def test_a_stop_with_nothing_to_do_is_quick(tmp_path: Path, stop: signal.Signals):
    with run_keystead(tmp_path) as keystead:
        keystead.app()
        began = time.monotonic()
        keystead.process.send_signal(stop)
        assert keystead.process.wait(10) == 0
        assert time.monotonic() - began < 5


def test_uses_counted_before_a_stop_are_written_down(tmp_path: Path):
    root = new_root_token()
    with run_keystead(tmp_path, root=root) as keystead:
        key = keystead.key()
        for _ in range(5):
            keystead.verdict(key["token"])
    with run_keystead(tmp_path, root=root) as keystead:
        assert keystead.made("GET", f"keys/{key['id']}")["use_count"] == 5


# How it starts


def test_a_second_run_finds_the_same_data(tmp_path: Path, database_url: str | None):
    root = new_root_token()
    with run_keystead(tmp_path, root=root, database_url=database_url) as keystead:
        key = keystead.key()
        [pinned] = keystead.made("GET", "root-keys")["items"]
    with run_keystead(tmp_path, root=root, database_url=database_url) as keystead:
        assert keystead.verdict(key["token"])["key"]["id"] == key["id"]
        again = keystead.made("GET", f"keys/{key['id']}")
        assert again["created_at"] == key["created_at"]
        [still] = keystead.made("GET", "root-keys")["items"]
        assert still["id"] == pinned["id"]


def test_several_that_start_at_once_set_up_one_database(tmp_path: Path, database_url: str | None):
    root, ports = new_root_token(), [free_port() for _ in range(3)]
    with ExitStack() as stack:
        processes = []
        for port in ports:
            # On SQLite they share a data directory; on PostgreSQL each has its own, as nodes do.
            folder = tmp_path if database_url is None else tmp_path / str(port)
            folder.mkdir(exist_ok=True)
            command = serve_command(
                folder, port=port, root=root, database_url=database_url, SECRET_KEY="s" * 32
            )
            log = stack.enter_context((tmp_path / f"{port}.log").open("wb"))
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            stack.callback(end, process)
            processes.append(process)
        for port, process in zip(ports, processes, strict=True):
            wait_for_port(port, process)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as asking:
                wait_until_ready(asking)
        headers = {"Authorization": f"Bearer {root}"}
        client = stack.enter_context(httpx.Client(headers=headers, timeout=30))
        made = client.post(f"http://127.0.0.1:{ports[0]}/api/v1/organizations", json={"name": "Acme"})
        assert made.status_code == 201
        for port in ports:
            url = f"http://127.0.0.1:{port}/api/v1"
            [organization] = client.get(f"{url}/organizations").json()["items"]
            [pinned] = client.get(f"{url}/root-keys").json()["items"]
            assert (organization["id"], pinned["name"]) == (made.json()["id"], "KEYSTEAD_ROOT_KEY")


# What it prints


ANSI = re.compile(r"\x1b\[[0-9;]*m")


def test_every_answer_problem_and_log_line_has_the_requests_id(keystead: Keystead):
    asked = {
        "GET /api/v1/scopes": 200,
        "GET /api/v1/keys/nothing": 404,
        "GET /api/v1/scopes?nothing=1": 422,
        "PUT /api/v1/scopes": 405,
        "POST /api/v1/organizations": 400,
        "GET /api/nothing": 404,
        "GET /api/openapi.json": 200,
    }
    for request, status in asked.items():
        method, path = request.split()
        sent = {"headers": {"Authorization": f"Bearer {keystead.root}"}}
        if status == 400:
            sent |= {"content": b"{", "headers": sent["headers"] | {"Content-Type": "application/json"}}
        answer = keystead.client.request(method, path, **sent)
        assert answer.status_code == status, answer.text
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        [line] = logged(keystead, answer)
        told = {"method": method, "path": path.partition("?")[0], "status": status, "event": "request"}
        assert told.items() <= line.items()
    for quiet in ("/auth", "/healthz", "/readyz", "/metrics"):
        answer = keystead.client.get(quiet)
        assert answer.headers["x-request-id"].startswith("req_")
        assert logged(keystead, answer, quiet=True) == []


def logged(keystead: Keystead, answer: httpx.Response, *, quiet: bool = False) -> list[Json]:
    """The log lines of an answered request; they come after the answer, so wait for them unless `quiet`."""
    deadline, found = time.monotonic() + 5, list[Json]()
    while not found and time.monotonic() < deadline:
        found = [it for it in keystead.log_lines() if it.get("request_id") == answer.headers["x-request-id"]]
        if quiet:
            break
    return found


def test_a_client_cannot_choose_the_request_id(keystead: Keystead):
    answer = send_raw(keystead.port, raw_get(b"/healthz", b"X-Request-Id: chosen"))
    assert answer.headers["X-Request-Id"].startswith("req_")


def test_off_a_terminal_every_line_is_json_with_an_instant_and_a_level(tmp_path: Path):
    port, printed, log = free_port(), tmp_path / "printed", tmp_path / "log"
    with printed.open("wb") as out, log.open("wb") as err:
        command = serve_command(tmp_path, port=port, root=new_root_token())
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        wait_for_port(port, process)
        httpx.get(f"http://127.0.0.1:{port}/api/v1/scopes")
    finally:
        end(process)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any(it["event"] == "request" for it in lines)
    assert all(it["timestamp"].endswith("Z") and it["level"] and it["event"] for it in lines)
    assert f"http://127.0.0.1:{port}" in printed.read_text()


def test_on_a_terminal_lines_are_readable_and_ctrl_c_stops(tmp_path: Path):
    near, far = os.openpty()
    port, root, seen = free_port(), new_root_token(), list[bytes]()
    process = subprocess.Popen(
        serve_command(tmp_path, port=port, root=root),
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        # So that Ctrl-C reaches it; the child does nothing else before it becomes the program.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )
    os.close(far)

    def read() -> None:
        # At the other side's end Linux says EIO, others give nothing.
        with suppress(OSError):
            while data := os.read(near, 65536):
                seen.append(data)

    reading = threading.Thread(target=read)
    reading.start()
    try:
        wait_for_port(port, process)
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/scopes")
        os.write(near, b"\x03")
        assert process.wait(10) == 0
    finally:
        end(process)
        reading.join()
        os.close(near)
    lines = ANSI.sub("", b"".join(seen).decode()).splitlines()
    assert not [it for it in lines if it.startswith("{")]
    assert any(f"listens on http://127.0.0.1:{port}" in it for it in lines)
    [line] = [it for it in lines if answer.headers["x-request-id"] in it]
    for told in ("path=/api/v1/scopes", "status=401", "info"):
        assert told in line
    assert root not in "".join(lines)
