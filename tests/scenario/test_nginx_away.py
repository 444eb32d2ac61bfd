"""Keystead as nginx sees it: how it is asked, what each answer becomes, and what happens without it."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.scenario.nginx import RECIPE, recipe, refused, run_site
from tests.scenario.servers import Api, Keystead, new_root_token, run_api, run_keystead, serving_in_thread
from tests.servers import end, free_port, run_nginx


def test_nginx_asks_over_one_connection_again_and_again(keystead: Keystead, api: Api, free_token: str):
    with counting_relay(keystead.port) as relay:
        port = free_port()
        with (
            run_nginx(recipe(keystead=relay.port, api=api.port, port=port), port=port),
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            for _ in range(20):
                assert client.get("/jobs/7", headers={"X-API-Key": free_token}).status_code == 200
        assert relay.connections == 1


def test_when_keystead_is_away_nothing_gets_through_and_all_does_when_it_is_back(tmp_path: Path, api: Api):
    root = new_root_token()
    with run_keystead(tmp_path, root=root) as keystead, run_site(keystead, api) as site:
        key = keystead.key()
        assert site.get("/jobs/7", key["token"]).status_code == 200
        end(keystead.process)
        before = len(api.received)
        for token in (key["token"], None):
            refused(site.get("/jobs/7", token), 503)
        assert len(api.received) == before
        assert site.get("/health").status_code == 200
        with run_keystead(tmp_path, root=root, port=keystead.port):
            assert site.get("/jobs/7", key["token"]).status_code == 200


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ((403, {"X-Auth-Status": "429", "Retry-After": "7"}), (429, "7")),
        ((403, {"X-Auth-Status": "503"}), (503, None)),
        ((403, {"X-Auth-Status": "422"}), (403, None)),
        ((403, {}), (403, None)),
        ((404, {}), (503, None)),
        ((500, {}), (503, None)),
        ((302, {"Location": "/"}), (503, None)),
    ],
    ids=["limited", "stale", "wrong address", "refused", "untrusted", "broken", "not Keystead"],
)
def test_each_answer_becomes_the_status_it_means(
    api: Api, given: tuple[int, dict[str, str]], seen: tuple[int, str | None]
):
    port, before = free_port(), len(api.received)
    with (
        answering(*given) as keystead,
        run_nginx(recipe(keystead=keystead, api=api.port, port=port), port=port),
    ):
        answer = httpx.get(f"http://127.0.0.1:{port}/jobs/7")
    refused(answer, seen[0])
    assert answer.headers.get("retry-after") == seen[1]
    assert len(api.received) == before


def test_keystead_is_asked_with_what_it_reads_and_neither_body_nor_cookies(api: Api):
    port = free_port()
    with run_api() as keystead:  # it answers 200 to anything, and remembers
        with (
            run_nginx(recipe(keystead=keystead.port, api=api.port, port=port), port=port),
            httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        ):
            headers = {"Cookie": "session=1", "X-Original-URI": "/forged", "X-Real-IP": "203.0.113.9"}
            client.post("/jobs/7?a=1", headers=headers, content=iter([b"body"]))
        [asked] = keystead.received
    assert (asked["method"], asked["target"], asked["body"]) == ("GET", "/auth/nginx", "")
    told = {name.lower(): value for name, value in asked["headers"]}
    assert told["x-original-method"] == "POST"
    assert told["x-original-uri"] == "/jobs/7?a=1"
    assert told["x-real-ip"] == "127.0.0.1"
    assert not {"cookie", "content-length", "transfer-encoding"} & told.keys()


@pytest.mark.parametrize(
    "mistake",
    [
        ("auth_request /_keystead/plain;", "auth_request /_keystead/plane;", 503),
        ("proxy_pass http://keystead/auth/nginx;", "proxy_pass http://keystead/auth/nginx?scope=a:b;", 403),
        ("proxy_pass http://keystead/auth/nginx;", "proxy_pass http://keystead/auth/nginx?scopes=;", 403),
        ("proxy_pass http://keystead/auth/nginx;", "proxy_pass http://keystead/auth/ngnix;", 503),
        ("proxy_set_header X-Original-URI $request_uri;", "", 403),
        ("proxy_set_header X-Original-Method $request_method;", "", 403),
    ],
)
def test_a_mistake_in_the_configuration_refuses(
    keystead: Keystead, api: Api, jobs_token: str, mistake: tuple[str, str, int]
):
    right, wrong, status = mistake
    port, before = free_port(), len(api.received)
    text = recipe(keystead=keystead.port, api=api.port, port=port)
    assert text.count(right) == 1
    with run_nginx(text.replace(right, wrong), port=port):
        answer = httpx.get(f"http://127.0.0.1:{port}/jobs/7", headers={"X-API-Key": jobs_token})
    refused(answer, status)
    assert len(api.received) == before


def test_behind_another_balancer_the_client_is_the_one_that_the_balancer_names(keystead: Keystead, api: Api):
    blocks = re.findall(r"^```conf\n(.*?)^```", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    [shown] = [it for it in blocks if "set_real_ip_from" in it]
    token = keystead.key(allowed_networks=["203.0.113.0/24"])["token"]
    port = free_port()
    text = recipe(keystead=keystead.port, api=api.port, port=port).replace(
        "merge_slashes off;", "merge_slashes off;\n" + shown.replace("10.0.0.0/8", "127.0.0.1")
    )
    with run_nginx(text, port=port):
        for forwarded_for, status in (
            ("203.0.113.9", 200),
            ("198.51.100.1, 203.0.113.9", 200),
            ("203.0.113.9, 198.51.100.1", 403),
            (None, 403),
        ):
            headers = {"X-API-Key": token} | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
            answer = httpx.get(f"http://127.0.0.1:{port}/jobs/7", headers=headers)
            assert answer.status_code == status, forwarded_for


@dataclass(slots=True)
class Relay:
    port: int
    connections: int = 0


@contextmanager
def counting_relay(target: int) -> Iterator[Relay]:
    """Pass connections on to `target`, and count them."""
    listener = socket.create_server(("127.0.0.1", 0))
    relay = Relay(listener.getsockname()[1])
    pumps: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
            source.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        while True:
            near, _ = listener.accept()
            if stopping.is_set():
                near.close()
                return
            far = socket.create_connection(("127.0.0.1", target))
            relay.connections += 1
            sockets.extend((near, far))
            pumps.extend(threading.Thread(target=pump, args=pair) for pair in ((near, far), (far, near)))
            for thread in pumps[-2:]:
                thread.start()

    stopping, sockets = threading.Event(), list[socket.socket]()
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield relay
    finally:
        stopping.set()
        # The last connection is ours: it wakes the thread that waits for one.
        socket.create_connection(("127.0.0.1", relay.port)).close()
        accepting.join()
        for it in sockets:
            with suppress(OSError):
                it.shutdown(socket.SHUT_RDWR)
        for thread in pumps:
            thread.join()
        for it in (listener, *sockets):
            it.close()


@contextmanager
def answering(status: int, headers: dict[str, str]) -> Iterator[int]:
    """What Keystead would answer: limits are not in it yet, and other states are hard to bring about."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with serving_in_thread(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port
