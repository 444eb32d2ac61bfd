"""Keep-alive connections that ask about one token again and again, some to each worker of a node."""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.seed import PATH
from bench.serving import Keystead

A_WORKER = 2
"""Connections."""
EVERY_S = 0.004
"""How often each connection asks; those of one worker take turns."""

_WITHIN_S = 30
_ATTEMPTS = 400


@dataclass(slots=True)
class Probe:
    """One connection to the node of this number, and what it heard of the current token."""

    node: int
    socket: socket.socket
    due: float
    waiting: bool = False
    accepted: int = 0
    refusals: int = 0
    refused_at: float = 0.0
    heard: bytearray = field(default_factory=bytearray)

    def reset(self) -> None:
        """Begin with another token."""
        self.accepted, self.refusals, self.refused_at = 0, 0, 0.0

    def ask(self, question: bytes, now: float) -> None:
        """Send the question, and be due again a while later."""
        self.socket.sendall(question)
        self.waiting, self.due = True, max(self.due + EVERY_S, now)

    def hear(self) -> None:
        """Read an answer; RuntimeError if the token is accepted after it was refused."""
        self.heard += self.socket.recv(65536)
        head, ended, rest = self.heard.partition(b"\r\n\r\n")
        if not ended or len(rest) < _length(head):
            return
        status = bytes(head[9:12])
        self.heard.clear()
        self.waiting = False
        if status == b"401":
            self.refusals += 1
            self.refused_at = self.refused_at or time.perf_counter()
        elif status == b"200":
            self.accepted += 1
            if self.refusals:
                raise RuntimeError("accepted after it was refused")
        else:
            raise RuntimeError(f"answered {status!r}")


def probes_of(number: int, node: Keystead) -> list[Probe]:
    """Connections to a node, opened until each of its workers has `A_WORKER`.

    Which worker takes one is left to the kernel, and seen in /proc.
    """
    kept: list[Probe] = []
    counts = dict.fromkeys(node.workers, 0)
    for _ in range(_ATTEMPTS):
        before = {pid: _sockets(pid) for pid in node.workers}
        connection = socket.create_connection(("127.0.0.1", node.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
        connection.recv(65536)
        taker = max(node.workers, key=lambda pid: len(_sockets(pid) - before[pid]))
        if counts[taker] == A_WORKER:
            connection.close()
            continue
        due = time.perf_counter() + counts[taker] * EVERY_S / A_WORKER
        counts[taker] += 1
        kept.append(Probe(node=number, socket=connection, due=due))
        if len(kept) == A_WORKER * len(node.workers):
            return kept
    raise RuntimeError(f"of {_ATTEMPTS} connections the workers took {counts}")


def question_on(token: str) -> bytes:
    """What a proxy would ask about a request with this token."""
    return (
        f"GET /auth HTTP/1.1\r\nHost: bench\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: {PATH}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()


def ask_until(probes: Sequence[Probe], question: bytes, done: Callable[[Probe], bool]) -> None:
    """Ask on all connections, each at its pace, until `done` of all; returns with no answer owed."""
    deadline = time.perf_counter() + _WITHIN_S
    with selectors.DefaultSelector() as selector:
        for probe in probes:
            selector.register(probe.socket, selectors.EVENT_READ, probe)
        while (going_on := not all(map(done, probes))) or any(probe.waiting for probe in probes):
            now = time.perf_counter()
            if now > deadline:
                raise TimeoutError(f"not within {_WITHIN_S} s: {probes}")
            idle = [probe for probe in probes if not probe.waiting] if going_on else []
            for probe in idle:
                if probe.due <= now:
                    probe.ask(question, now)
            due = min((probe.due for probe in idle if not probe.waiting), default=now + EVERY_S)
            for key, _ in selector.select(max(due - now, 0)):
                key.data.hear()


def _length(head: bytearray) -> int:
    for line in bytes(head).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _sockets(pid: int) -> frozenset[str]:
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(descriptor.readlink()))
    return frozenset(it for it in found if it.startswith("socket:"))
