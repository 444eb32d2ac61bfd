"""Several processes behind one port: they share the work, replace each other, and end together."""

import contextlib
import http.client
import os
import resource
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from keystead.workers.__main__ import ORPHAN_GRACE_S
from tests.scenario.servers import Keystead, new_root_token, raw_get, run_keystead, send_raw, serve_command
from tests.servers import START_TIMEOUT_S, end, free_port, wait_for_port

COUNT = 2


def children(process: int) -> list[int]:
    """The processes that a process has started and not yet taken leave of."""
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False)  # noqa: S607
    return [int(it) for it in found.stdout.split()]


def workers(keystead: Keystead) -> list[int]:
    """The workers of a server, once there are as many as there should be."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while len(found := children(keystead.process.pid)) < COUNT and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(found) == COUNT
    return found


def lives(process: int) -> bool:
    """Whether a process is there and not just waiting to be noticed as dead."""
    with contextlib.suppress(ProcessLookupError, subprocess.CalledProcessError):
        command = ["ps", "-o", "stat=", "-p", str(process)]
        state = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return not state.startswith("Z")
    return False


def wait_until_gone(processes: list[int], within_s: float) -> None:
    """Return once none of them lives."""
    deadline = time.monotonic() + within_s
    while any(map(lives, processes)):
        assert time.monotonic() < deadline, f"{processes} still live"
        time.sleep(0.02)


def cpu_ticks(process: int) -> int:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture
def keystead(tmp_path: Path) -> Iterator[Keystead]:
    with run_keystead(tmp_path, WORKERS=str(COUNT)) as server:
        wait_until_all_listen(server)
        yield server


def wait_until_all_listen(keystead: Keystead) -> None:
    """The welcome is printed when every worker takes requests; the kernel takes connections before that."""
    wait_for_log(keystead, "listens on")


def wait_for_log(keystead: Keystead, text: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while text not in keystead.log_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_all_workers_answer_and_know_what_one_of_them_made(keystead: Keystead):
    token = keystead.key()["token"]
    before = {it: cpu_ticks(it) for it in workers(keystead)}
    request = raw_get(
        b"/auth", b"X-Forwarded-Method: GET", b"X-Forwarded-Uri: /", b"X-Api-Key: " + token.encode()
    )

    def ask() -> None:
        for _ in range(250):
            assert send_raw(keystead.port, request).status == 200

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for it in asking:
        it.start()
    for it in asking:
        it.join()
    assert all(cpu_ticks(it) > ticks for it, ticks in before.items())
    assert f"with {COUNT} workers" in keystead.log_text()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_stop_ends_all_with_0_and_answers_what_is_in_flight(keystead: Keystead, stop: signal.Signals):
    processes = workers(keystead)
    body = b'{"name": "Acme"}'
    head = [
        b"POST /api/v1/organizations HTTP/1.1",
        b"Host: localhost",
        f"Authorization: Bearer {keystead.root}".encode(),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
    ]
    with socket.create_connection(("127.0.0.1", keystead.port), timeout=10) as half:
        half.sendall(b"\r\n".join([*head, b"", b""]) + body[:5])
        time.sleep(0.5)
        keystead.process.send_signal(stop)
        time.sleep(0.5)
        assert keystead.process.poll() is None
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", keystead.port)).close()
        half.sendall(body[5:])
        assert half.recv(65536).startswith(b"HTTP/1.1 201 ")
    assert keystead.process.wait(10) == 0
    assert not any(map(lives, processes))
    assert "Traceback" not in keystead.log_text()


def test_a_second_signal_does_not_wait(keystead: Keystead):
    stuck, _ = processes = workers(keystead)
    os.kill(stuck, signal.SIGSTOP)
    keystead.process.terminate()
    time.sleep(0.5)
    assert keystead.process.poll() is None
    keystead.process.terminate()
    assert keystead.process.wait(5) == 70
    assert not any(map(lives, processes))


def test_a_worker_that_is_killed_is_replaced_and_nobody_is_refused(keystead: Keystead):
    killed, other = workers(keystead)
    token = keystead.key()["token"]
    os.kill(killed, signal.SIGKILL)
    # What was on the dead worker's connections is lost; whoever comes now is answered.
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert send_raw(keystead.port, raw_get(b"/healthz")).status == 200
    assert killed not in workers(keystead)
    assert other in workers(keystead)
    request = raw_get(
        b"/auth", b"X-Forwarded-Method: GET", b"X-Forwarded-Uri: /", b"X-Api-Key: " + token.encode()
    )
    assert {send_raw(keystead.port, request).status for _ in range(50)} == {200}
    [line] = [it for it in keystead.log_lines() if it["event"] == "worker ended"]
    assert (line["pid"], line["how"]) == (killed, "signal 9 (Killed)")


def test_a_worker_that_is_killed_before_it_listens_is_replaced(tmp_path: Path):
    with run_keystead(tmp_path, WORKERS=str(COUNT)) as keystead:
        # The port is open before any worker listens; a machine with much to do may be late all the same.
        first = workers(keystead)[0]
        os.kill(first, signal.SIGKILL)
        wait_until_all_listen(keystead)
        assert first not in workers(keystead)


def test_a_start_whose_workers_are_all_killed_ends(tmp_path: Path):
    with run_keystead(tmp_path, WORKERS=str(COUNT)) as keystead:
        deadline = time.monotonic() + START_TIMEOUT_S
        while keystead.process.poll() is None:
            assert time.monotonic() < deadline
            for worker in children(keystead.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            time.sleep(0.01)
        assert keystead.process.returncode == 70


def test_a_node_outlives_a_start_of_a_worker_that_fails(keystead: Keystead):
    killed, other = workers(keystead)
    supervisor = keystead.process.pid
    limits = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (3, limits[1]))
    os.kill(killed, signal.SIGKILL)
    wait_for_log(keystead, "worker cannot be started")
    assert send_raw(keystead.port, raw_get(b"/healthz")).status == 200
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, limits)
    assert other in workers(keystead)
    assert keystead.process.poll() is None


@pytest.mark.parametrize("count", ["1", "2"])
def test_a_server_takes_as_many_descriptors_as_it_may(tmp_path: Path, count: str):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with run_keystead(tmp_path, WORKERS=count) as keystead:
            wait_until_all_listen(keystead)
            for process in children(keystead.process.pid) or [keystead.process.pid]:
                assert resource.prlimit(process, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_workers_end_with_a_supervisor_that_is_killed(keystead: Keystead):
    processes = workers(keystead)
    idle = socket.create_connection(("127.0.0.1", keystead.port))
    with idle:
        keystead.process.kill()
        keystead.process.wait()
        deadline = time.monotonic() + 2
        while True:
            try:
                socket.create_server(("127.0.0.1", keystead.port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        wait_until_gone(processes, ORPHAN_GRACE_S + 5)


def test_another_server_takes_over_from_one_whose_supervisor_was_killed(tmp_path: Path):
    root, port = new_root_token(), free_port()
    with run_keystead(tmp_path, root=root, port=port, WORKERS="2") as first:
        key = first.key()
        first.process.kill()
        first.process.wait()
        time.sleep(0.1)
        with run_keystead(tmp_path, root=root, port=port, WORKERS="2") as second:
            assert second.verdict(key["token"])["valid"]


def test_a_port_that_is_taken_is_said_and_no_worker_is_started(keystead: Keystead, tmp_path: Path):
    folder = tmp_path / "other"
    folder.mkdir()
    command = serve_command(folder, port=keystead.port, root=keystead.root, WORKERS="2")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 78
    assert f"another program listens on 127.0.0.1:{keystead.port}" in ended.stderr


# The internal listener


class UnixConnection(http.client.HTTPConnection):
    """HTTP on a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


PATHS = {
    "/auth": (404, 401),
    "/auth/nginx": (404, 401),
    "/metrics": (404, 200),
    "//metrics/": (404, 200),
    "/healthz": (200, 200),
    "/readyz": (200, 200),
    "/api/v1/keys/nothing": (401, 404),
    "/api/openapi.json": (200, 404),
}


def statuses(connect: type[http.client.HTTPConnection], *address: object) -> dict[str, int]:
    found = {}
    for path in PATHS:
        connection = connect(*address)
        connection.request("GET", path)
        found[path] = connection.getresponse().status
        connection.close()
    return found


@pytest.mark.parametrize("count", ["1", "2"])
def test_an_internal_listener_on_a_port_takes_what_the_public_one_lacks(tmp_path: Path, count: str):
    ports = {free_port() for _ in range(20)}
    port = ports.pop()
    with run_keystead(
        tmp_path, port=ports.pop(), WORKERS=count, INTERNAL_LISTEN=f"127.0.0.1:{port}"
    ) as keystead:
        public = statuses(http.client.HTTPConnection, "127.0.0.1", keystead.port)
        internal = statuses(http.client.HTTPConnection, "127.0.0.1", port)
    assert {it: (public[it], internal[it]) for it in PATHS} == PATHS


@pytest.mark.parametrize("count", ["1", "2"])
def test_an_internal_listener_on_a_unix_socket_trusts_whoever_may_open_it(tmp_path: Path, count: str):
    path = tmp_path / "internal.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    with run_keystead(
        tmp_path, WORKERS=count, INTERNAL_LISTEN=f"unix:{path}", TRUSTED_PROXIES="10.9.9.9"
    ) as keystead:
        wait_until_all_listen(keystead)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert statuses(UnixConnection, path) == {it: internal for it, (_, internal) in PATHS.items()}
        assert f"on unix:{path}" in keystead.log_text()
    assert not path.exists()


@pytest.mark.parametrize("content", ["a file", "a live socket"])
def test_what_stands_where_the_socket_should_be_is_left_alone(tmp_path: Path, content: str):
    path = tmp_path / "internal.sock"
    with contextlib.ExitStack() as stack:
        if content == "a file":
            path.write_text("precious")
        else:
            other = stack.enter_context(socket.socket(socket.AF_UNIX))
            other.bind(str(path))
            other.listen()
        command = serve_command(
            tmp_path, port=free_port(), root=new_root_token(), INTERNAL_LISTEN=f"unix:{path}"
        )
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert ended.returncode == 78
        assert "KEYSTEAD_INTERNAL_LISTEN" in ended.stderr
        assert path.exists()


def test_a_start_with_options_hands_them_to_the_workers(tmp_path: Path):
    port, other, root = free_port(), free_port(), new_root_token()
    command = [*serve_command(tmp_path, port=other, root=root), "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        assert send_raw(port, raw_get(b"/healthz")).status == 200
        assert len(children(process.pid)) == 2
    finally:
        end(process)
