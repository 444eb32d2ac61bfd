"""`kill -9` of any process of a node at any moment, under load: nothing is forgotten, nobody refused.

Twenty kills on each store. For a hundred by hand, or another sequence than this one:

    SURVIVAL_KILLS=100 SURVIVAL_SEED=7 .venv/bin/python -m pytest tests/survival/test_kill.py
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.scenario.servers import Json
from tests.survival.nodes import Node, some_nodes, soon, start_all
from tests.survival.watch import ACCEPTED, Seen, Watch, watching

KILLS = int(os.environ.get("SURVIVAL_KILLS", "20"))
SEED = int(os.environ.get("SURVIVAL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
WORKERS = 2
RATE = 300
LASTING = 6
STALE_LIMIT_S = 60
ERRORS_FOR_S = 2
VICTIMS = ("worker", "applier", "supervisor", "node")


@dataclass(slots=True)
class Claim:
    """What must be answered about one token: by monotonic instants, and on which port for refusals."""

    valid_from: float = float("inf")
    valid_until: float = float("inf")
    refused_from: dict[int, float] = field(default_factory=dict)

    def is_broken_by(self, seen: Seen) -> bool:
        if seen.answer == ACCEPTED:
            return seen.began > self.refused_from.get(seen.port, float("inf"))
        return bool(seen.answer) and self.valid_from < seen.began and seen.ended < self.valid_until


class Mutations:
    """Creates, rotates and revokes on any of the nodes, and notes what may be claimed from the answers."""

    def __init__(self, nodes: Sequence[Node], app: Json, watch: Watch, seed: int) -> None:
        self.claims: dict[str, Claim] = {}
        self.revoked = 0
        self._nodes = nodes
        self._path = f"/api/v1/apps/{app['id']}/keys"
        self._watch = watch
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._live: list[tuple[str, list[str]]] = []
        self._dead: list[str] = []
        self._stop = threading.Event()

    def create(self) -> None:
        """A key, valid from the answer on where it is confirmed on all nodes."""
        made = self._send("POST", self._path, {"name": "Key"})
        if made is not None:
            self._live.append((made["id"], [self._valid(made)]))

    def rotate(self) -> None:
        """A second token of a key; the first one goes on being valid."""
        key, tokens = self._random.choice(self._live[LASTING:])
        made = self._send("POST", f"/api/v1/keys/{key}/rotate", {})
        if made is not None:
            tokens.append(self._valid(made))

    def revoke(self) -> None:
        """The end of a key's tokens: where confirmed from the answer on, elsewhere by the stale limit."""
        key, tokens = self._live.pop(self._random.randrange(LASTING, len(self._live)))
        for token in tokens:
            self.claims[token].valid_until = time.monotonic()
        made = self._send("DELETE", f"/api/v1/keys/{key}", None)
        if made is None:
            return  # It may or may not have been revoked.
        at, confirmed = time.monotonic(), {it["name"] for it in made["confirmed"]}
        for token in tokens:
            self.claims[token].refused_from = {
                it.port: at if it.name in confirmed else at + STALE_LIMIT_S for it in self._nodes
            }
        self._dead += tokens
        self.revoked += 1

    def run(self) -> None:
        """Mutate until `stop`; for a thread of its own."""
        while not self._stop.wait(0.02):
            few = len(self._live) < LASTING + 4
            choices = [self.create] if few else [self.create, self.rotate, self.revoke, self.revoke]
            self._random.choice(choices)()
            valid = [token for _, tokens in self._live for token in tokens]
            self._watch.tokens = (*valid[:LASTING], *valid[-10:], *self._dead[-20:])

    def stop(self) -> None:
        self._stop.set()

    def _valid(self, made: Json) -> str:
        token = str(made["token"])
        claim = self.claims[token] = Claim()
        if len(made["confirmed"]) == len(self._nodes):
            claim.valid_from = time.monotonic()
        return token

    def _send(self, method: str, path: str, body: Json | None) -> Json | None:
        """What was answered; None where the connection broke or the node could not, so that nobody knows."""
        node = self._random.choice(self._nodes)
        try:
            answer = httpx.request(
                method,
                f"http://127.0.0.1:{node.port}{path}?wait=5s",
                json=body,
                headers={"Authorization": f"Bearer {node.root}"},
                timeout=30,
            )
        except httpx.TransportError:
            return None
        # Rotations whose answer was lost count, too, for the most that a key may have at once.
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE or "too-many-versions" in answer.text:
            return None
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())


@contextmanager
def mutating(nodes: Sequence[Node], watch: Watch, seed: int) -> Iterator[Mutations]:
    """A stream of mutations until the block ends, with some lasting keys made before."""
    mutations = Mutations(nodes, nodes[0].app(), watch, seed)
    for _ in range(LASTING):
        mutations.create()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            mutations.run()
        except BaseException as exc:  # noqa: BLE001 - told below, in the test's own thread
            failed.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield mutations
    finally:
        mutations.stop()
        thread.join()
        # Also when the block failed: it may be because of this.
        assert not failed, failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill, and the span in which connections to that port may break."""

    what: str
    port: int
    began: float
    ended: float


def kill(node: Node, what: str, chance: random.Random) -> Kill:
    """Kill a process of `node` or all of them; returns once all is as before."""
    began, victim = time.monotonic(), 0
    match what:
        case "worker":
            victim = chance.choice(sorted(node.workers()))
            os.kill(victim, signal.SIGKILL)
        case "applier":
            # Perhaps a worker whose supervisor was killed just before, and which is about to end.
            victim = node.applier()
            os.kill(victim, signal.SIGKILL)
        case "supervisor":
            node.kill_supervisor()
            node.start()
        case "node":
            node.kill()
            node.start()
    ended = time.monotonic() + ERRORS_FOR_S
    soon(lambda: len(set(node.workers()) - {victim}) == WORKERS)
    soon(lambda: node.applier() in node.processes())
    return Kill(what=what, port=node.port, began=began, ended=ended)


def is_excused(seen: Seen, kills: Sequence[Kill]) -> bool:
    """Whether a connection broke because of a kill."""
    return any(it.port == seen.port and it.began <= seen.ended and seen.began <= it.ended for it in kills)


@pytest.mark.timeout(120 + 10 * KILLS)
@pytest.mark.parametrize(("store", "count"), [("sqlite", 1), ("postgresql", 2)], ids=["sqlite", "postgresql"])
def test_no_kill_lets_a_revoked_key_in_or_keeps_a_valid_one_out(
    store: str, count: int, tmp_path: Path, request: pytest.FixtureRequest
):
    print(f"SURVIVAL_SEED={SEED}")  # noqa: T201 - shown when the test fails, to repeat it
    chance = random.Random(SEED)  # noqa: S311 - not for secrets
    url = None if store == "sqlite" else request.getfixturevalue("postgres").new_database()
    settings = {"WORKERS": str(WORKERS), "MAX_KEYS_PER_APP": "100000", "STALE_LIMIT": f"{STALE_LIMIT_S}s"}
    names, kills = [f"node-{number}" for number in range(count)], list[Kill]()
    with some_nodes(tmp_path, dict.fromkeys(names, url), **settings) as nodes:
        start_all(nodes)
        victims = [what for _ in range(KILLS) for what in chance.sample(VICTIMS, len(VICTIMS))]
        with watching(nodes, rate=RATE, seed=SEED) as watch, mutating(nodes, watch, SEED) as mutations:
            for what in victims[:KILLS]:
                watch.until_seen(30)
                before = mutations.revoked
                soon(lambda: mutations.revoked > before, within=30)  # noqa: B023 - called at once
                time.sleep(chance.uniform(0.05, 0.5))
                kills.append(kill(chance.choice(nodes), what, chance))
            watch.until_seen(100)
        # Processes whose supervisor was killed end by themselves.
        for node in nodes:
            soon(lambda: len(node.processes()) == 1 + WORKERS)  # noqa: B023 - called at once
        for node in nodes:
            assert node.compared() == "", node.name
            node.stop()
            assert node.processes() == []
        no_claim = Claim()
        broken = [str(it) for it in watch.seen if mutations.claims.get(it.token, no_claim).is_broken_by(it)]
        assert broken == []
        assert [str(it) for it in watch.seen if it.error and not is_excused(it, kills)] == []
        # Lest all of this holds because nothing happened.
        refused = [it for it in watch.seen if it.answer not in {"", ACCEPTED}]
        assert (mutations.revoked >= KILLS, len(refused) > KILLS) == (True, True), mutations.revoked
