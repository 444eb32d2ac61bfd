"""The database goes away, saying so or not, and comes back: nodes serve, say what they are, and recover."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.survival.machine import FarPostgres, far_postgres
from tests.survival.nodes import Node, named, one_node, some_nodes, soon, start_all
from tests.survival.watch import ACCEPTED, Seen, Watch, watching

RATE = 100
FRESH_FOR_S, STALE_LIMIT_S = 1, 4
TIGHT = {"FRESH_FOR": f"{FRESH_FOR_S}s", "STALE_LIMIT": f"{STALE_LIMIT_S}s"}
SPARE_S = 1
"""How much later than it should something may show on a busy machine."""
RECOVERY_S = 3


@pytest.fixture(scope="module")
def far() -> Iterator[FarPostgres]:
    """A database that packets can be kept from."""
    with far_postgres() as postgres:
        yield postgres


@contextmanager
def cut_off(far: FarPostgres) -> Iterator[float]:
    """Drop the packets of the fragile address until the block ends; gives the instant."""
    far.cut()
    try:
        yield time.monotonic()
    finally:
        far.mend()


def is_degraded(node: Node) -> bool:
    degraded: bool = node.api.verdict("")["degraded"]
    return degraded


def says_degraded(node: Node) -> None:
    """A degraded node says what it is wherever one looks, and is ready."""
    assert is_degraded(node)
    ready = node.api.client.get("/readyz", headers={"Authorization": f"Bearer {node.root}"})
    assert (ready.status_code, ready.json()["replica"]["degraded"]) == (200, True)
    assert "keystead_degraded 1.0" in metrics(node)


def says_stale(node: Node, token: str) -> None:
    """A stale node refuses with its reason, and is not ready."""
    verdict = node.api.verdict(token)
    assert (verdict["valid"], verdict["reason"], verdict["degraded"]) == (False, "STALE", True)
    answer = node.auth(token)
    assert (answer.status_code, answer.json()["type"]) == (503, "stale")
    assert node.api.client.get("/readyz").status_code == 503


def says_fresh(node: Node) -> None:
    assert not is_degraded(node)
    assert node.api.client.get("/readyz").status_code == 200
    assert "keystead_degraded 0.0" in metrics(node)


def metrics(node: Node) -> str:
    return node.api.client.get("/metrics", headers={"Authorization": f"Bearer {node.root}"}).text


def spans(watch: Watch, token: str, since: float) -> list[str]:
    """The answers about a token since an instant in the order they came, each run of equal ones once."""
    answers = [plain(it) for it in sorted(watch.of(token, since=since), key=lambda it: it.ended)]
    return [it for it, before in zip(answers, ["", *answers], strict=False) if it != before]


def plain(seen: Seen) -> str:
    """The reason, whichever way it was told."""
    return seen.answer.rpartition(" ")[2].upper()


def first(watch: Watch, token: str, answer: str, since: float) -> Seen:
    """The first such answer about a token in an attempt begun since an instant."""
    return soon(lambda: next((it for it in watch.of(token, since=since) if it.answer == answer), None))


def test_a_node_cut_off_without_a_word_degrades_goes_stale_and_recovers(far: FarPostgres, tmp_path: Path):
    with ExitStack() as stack:
        url = stack.enter_context(far.serving()).new_database()
        urls = {"near": url, "lonely": far.fragile_url(url)}
        near, lonely = stack.enter_context(some_nodes(tmp_path, urls, **TIGHT))
        start_all([near, lonely])
        path = f"apps/{near.app()['id']}/keys?wait=5s"
        kept, doomed = (near.api.made("POST", path, {"name": name}) for name in ("Kept", "Doomed"))
        assert named(kept["confirmed"]) == sorted([near.as_listed, lonely.as_listed])
        tokens = kept["token"], doomed["token"]
        watch = stack.enter_context(watching([lonely], *tokens, rate=RATE))
        watch.until_seen(20)
        with cut_off(far) as cut:
            revoked = near.api.made("DELETE", f"keys/{doomed['id']}?wait=1s")
            assert named(revoked["confirmed"]) == [near.as_listed]
            assert named(revoked["lagging"]) == [lonely.as_listed]
            soon(lambda: is_degraded(lonely))
            says_degraded(lonely)
            stale = [first(watch, kept["token"], answer, cut) for answer in ("STALE", "503 stale")]
            says_stale(lonely, kept["token"])
            assert near.reason(kept["token"]) is None
            watch.until_seen(RATE)
        mended = time.monotonic()
        soon(lambda: lonely.reason(kept["token"]) is None)
        recovered = time.monotonic()
        soon(lambda: not is_degraded(lonely))
        says_fresh(lonely)
        watch.until_seen(RATE)
    # It was proved level at most its freshness before it was cut off.
    for it in stale:
        assert STALE_LIMIT_S - FRESH_FOR_S <= it.ended - cut <= STALE_LIMIT_S + SPARE_S
    for token in tokens:
        late = [it for it in watch.of(token, since=cut + STALE_LIMIT_S) if it.ended < mended]
        assert {plain(it) for it in late} == {"STALE"}
    assert recovered - mended <= RECOVERY_S
    assert spans(watch, kept["token"], cut) == [ACCEPTED, "STALE", ACCEPTED]
    assert spans(watch, doomed["token"], cut) == [ACCEPTED, "STALE", "REVOKED"]
    said = [it.began for it in watch.of(kept["token"]) if it.degraded]
    assert min(said) - cut <= FRESH_FOR_S + SPARE_S
    assert [str(it) for it in watch.seen if it.error] == []


def test_a_database_stopped_and_started_again_is_found_again(far: FarPostgres, tmp_path: Path):
    with ExitStack() as stack:
        with far.serving() as postgres:
            node = stack.enter_context(one_node(tmp_path, postgres.new_database(), **TIGHT))
            node.start()
            key = node.api.key()
            watch = stack.enter_context(watching([node], key["token"], rate=RATE))
            watch.until_seen(20)
        away = time.monotonic()
        soon(lambda: is_degraded(node))
        says_degraded(node)
        answer = node.api.call("POST", f"keys/{key['id']}/disable")
        assert (answer.status_code, answer.json()["type"]) == (503, "unavailable")
        first(watch, key["token"], "STALE", away)
        says_stale(node, key["token"])
        stack.enter_context(far.serving())
        back = time.monotonic()
        soon(lambda: node.reason(key["token"]) is None)
        recovered = time.monotonic()
        soon(lambda: not is_degraded(node))
        says_fresh(node)
        node.api.made("POST", f"keys/{key['id']}/disable")
        assert node.reason(key["token"]) == "DISABLED"
    assert recovered - back <= RECOVERY_S
    assert spans(watch, key["token"], away)[:3] == [ACCEPTED, "STALE", ACCEPTED]


def test_a_database_that_restarts_quickly_is_not_noticed_by_who_verifies(far: FarPostgres, tmp_path: Path):
    with ExitStack() as stack:
        with far.serving() as postgres:
            node = stack.enter_context(one_node(tmp_path, postgres.new_database(), **TIGHT))
            node.start()
            key = node.api.key()
            watch = stack.enter_context(watching([node], key["token"], rate=RATE))
            watch.until_seen(20)
        stack.enter_context(far.serving())
        soon(lambda: node.api.call("POST", f"keys/{key['id']}/disable").is_success)
        assert node.reason(key["token"]) == "DISABLED"
        watch.until_seen(RATE)
    assert spans(watch, key["token"], 0.0) == [ACCEPTED, "DISABLED"]
    assert [str(it) for it in watch.seen if it.error] == []


def test_a_node_started_while_the_database_is_away_serves_from_its_replica_until_the_limit(
    far: FarPostgres, tmp_path: Path
):
    limit_s = 12
    settings = {**TIGHT, "STALE_LIMIT": f"{limit_s}s"}
    with ExitStack() as stack:
        with far.serving() as postgres:
            node = stack.enter_context(one_node(tmp_path, postgres.new_database(), **settings))
            node.start()
            app = node.app()
            kept, revoked = node.api.key(app), node.api.key(app)
            node.api.made("DELETE", f"keys/{revoked['id']}")
            node.until_level()
        away = time.monotonic()
        node.kill()
        node.start()
        assert (node.reason(kept["token"]), node.reason(revoked["token"])) == (None, "REVOKED")
        soon(lambda: is_degraded(node))
        says_degraded(node)
        soon(lambda: node.reason(kept["token"]) == "STALE")
        assert limit_s - FRESH_FOR_S <= time.monotonic() - away <= limit_s + SPARE_S
        says_stale(node, kept["token"])
        stack.enter_context(far.serving())
        back = time.monotonic()
        soon(lambda: node.reason(kept["token"]) is None)
        assert time.monotonic() - back <= RECOVERY_S
        assert node.reason(revoked["token"]) == "REVOKED"
