"""Clients that ask all the time, and remember what they were answered and when."""

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from tests.servers import LOOPBACK
from tests.survival.nodes import Node

ACCEPTED = "ACCEPTED"
TIMEOUT_S = 30
MOST_AT_ONCE = 40


class Seen(NamedTuple):
    """One attempt: when it was begun and answered, by the monotonic clock, and with what.

    `answer` is ACCEPTED, a Reason, or a status with the problem's type; of an attempt without an answer,
    `answer` is empty and `error` names why.
    """

    token: str
    port: int
    way: str
    began: float
    ended: float
    answer: str
    degraded: bool = False
    error: str = ""

    def __str__(self) -> str:
        at = f"{self.began:.3f} to {self.ended:.3f}"
        return f"{self.way} :{self.port} …{self.token[-4:]} {at} {self.answer or self.error}"


class Watch:
    """Asks nodes about tokens, by verify and forward-auth in turn, until the block it is used in ends.

    `tokens` may be replaced at any time; while it is empty nothing is asked.
    """

    def __init__(self, nodes: Sequence[Node], rate: float, seed: int = 0) -> None:
        self.tokens: Sequence[str] = ()
        self.seen: list[Seen] = []
        self._nodes = nodes
        self._every_s = 1 / rate
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._stop = threading.Event()

    def of(self, token: str, *, since: float = 0.0) -> list[Seen]:
        """What was answered about a token in attempts begun since an instant; errors are left out."""
        return [it for it in self.seen if it.token == token and it.began >= since and it.answer]

    def until_seen(self, attempts: int, within: float = 30) -> None:
        """Return once so many more attempts were answered."""
        wanted, deadline = len(self.seen) + attempts, time.monotonic() + within
        while len(self.seen) < wanted:
            assert time.monotonic() < deadline, f"{wanted - len(self.seen)} attempts short"
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Ask until `stop`; for a thread of its own."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_AT_ONCE)
        asking: set[asyncio.Task[None]] = set()
        async with (
            httpx.AsyncClient(limits=limits, timeout=TIMEOUT_S) as client,
            asyncio.TaskGroup() as group,
        ):
            ways, due = itertools.cycle((self._verify, self._auth)), time.monotonic()
            while not self._stop.is_set():
                # While answers are slow it asks less: a crowd that waits would only measure itself.
                if self.tokens and len(asking) < MOST_AT_ONCE:
                    node, token = self._random.choice(self._nodes), self._random.choice(self.tokens)
                    task = group.create_task(self._ask(next(ways), client, node, token))
                    asking.add(task)
                    task.add_done_callback(asking.discard)
                # After a pause of the whole machine it does not catch up: that would be a burst.
                due = max(due + self._every_s, time.monotonic() - self._every_s)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _ask(self, way, client: httpx.AsyncClient, node: Node, token: str) -> None:
        began, answer, degraded, error = time.monotonic(), "", False, ""
        try:
            answer, degraded = await way(client, node, token)
        except httpx.TransportError as exc:
            error = type(exc).__name__
        name = way.__name__.strip("_")
        self.seen.append(
            Seen(token, node.port, name, began, time.monotonic(), answer, degraded=degraded, error=error)
        )

    async def _verify(self, client: httpx.AsyncClient, node: Node, token: str) -> tuple[str, bool]:
        headers = {"Authorization": f"Bearer {node.root}"}
        body = {"token": token, "method": "GET", "path": "/"}
        url = f"http://{LOOPBACK}:{node.port}/api/v1/verify"
        answer = await client.post(url, json=body, headers=headers)
        if answer.status_code != httpx.codes.OK:
            return _problem(answer), False
        verdict = answer.json()
        return verdict["reason"] or ACCEPTED, verdict["degraded"]

    async def _auth(self, client: httpx.AsyncClient, node: Node, token: str) -> tuple[str, bool]:
        headers = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/", "Authorization": f"Bearer {token}"}
        answer = await client.get(f"http://{LOOPBACK}:{node.port}/auth", headers=headers)
        return (ACCEPTED if answer.status_code == httpx.codes.OK else _problem(answer)), False


@contextmanager
def watching(nodes: Sequence[Node], *tokens: str, rate: float, seed: int = 0) -> Iterator[Watch]:
    """Ask `rate` times a second until the block ends."""
    watch = Watch(nodes, rate, seed)
    watch.tokens = tokens
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def _problem(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json()['type'].rpartition('/')[2]}"
