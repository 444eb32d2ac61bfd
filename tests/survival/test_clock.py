"""The wall clock is set while a node serves: what was ended stays so, nothing is late or early."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.servers import Json
from tests.survival.machine import WallClock
from tests.survival.nodes import Node, one_node, soon
from tests.survival.watch import ACCEPTED, Watch, watching

HOUR_S = 3600
RATE = 100
PATIENCE_S = 5


@pytest.fixture
def wall(tmp_path: Path) -> WallClock:
    """The node's wall clock, right at first."""
    clock = WallClock(tmp_path / "offset")
    clock.set(0)
    return clock


@pytest.fixture(params=["1", "2"], ids=["one process", "two workers"])
def node(request: pytest.FixtureRequest, wall: WallClock, tmp_path: Path) -> Iterator[Node]:
    """A node on SQLite by that clock, started."""
    with one_node(tmp_path, environ=wall.environ, WORKERS=request.param, STALE_LIMIT="60s") as node:
        node.start()
        node.until_level()
        yield node


def expiring(node: Node, app: Json, seconds: int) -> str:
    return str(node.api.key(app, expires_in=seconds)["token"])


def test_the_clock_set_back_and_forward_an_hour_revives_nothing_and_ends_nothing_for_good(
    node: Node, wall: WallClock
):
    api, app = node.api, node.app()
    lasting, soon_over, later_over = (
        str(api.key(app)["token"]),
        expiring(node, app, HOUR_S // 2),
        expiring(node, app, 2 * HOUR_S),
    )
    revoked, disabled = (api.key(app) for _ in range(2))
    api.made("DELETE", f"keys/{revoked['id']}")
    api.made("POST", f"keys/{disabled['id']}/disable")
    refused = {revoked["token"]: "REVOKED", disabled["token"]: "DISABLED"}
    over = expiring(node, app, 1)
    soon(lambda: node.reason(over) == "EXPIRED")
    with watching([node], lasting, later_over, *refused, rate=RATE) as watch:
        watch.until_seen(20)
        for offset in (-HOUR_S, 0, HOUR_S, 0):
            wall.set(offset)
            jumped = time.monotonic()
            watch.until_seen(RATE // 2)
            # What ended by the clock is judged by the clock; a jump moves it by the jump and no more.
            expected = {lasting: None, later_over: None, soon_over: "EXPIRED" if offset > 0 else None}
            expected[over] = None if offset < 0 else "EXPIRED"
            assert {it: node.reason(it) for it in expected} == expected, offset
            assert mutations_go_on(node, app, offset)
            node.until_level()
            told = {it.answer for it in watch.of(lasting, since=jumped)}
            assert told == {ACCEPTED}, offset
    for token, reason in refused.items():
        assert {it.answer.rpartition(" ")[2].upper() for it in watch.of(token)} == {reason}
    assert unlevel(watch) == []
    assert node.compared() == ""


def mutations_go_on(node: Node, app: Json, offset: int) -> bool:
    """A key is made and revoked, each acknowledged at once and epochs in order, whatever the clock says."""
    began = time.monotonic()
    made = node.api.made("POST", f"apps/{app['id']}/keys?wait=5s", {"name": f"At {offset}"})
    assert node.reason(made["token"]) is None
    gone = node.api.made("DELETE", f"keys/{made['id']}?wait=5s")
    assert node.reason(made["token"]) == "REVOKED"
    assert [made["lagging"], gone["lagging"]] == [[], []]
    assert gone["epoch"] == made["epoch"] + 1
    return time.monotonic() - began < PATIENCE_S


def unlevel(watch: Watch) -> list[str]:
    """The attempts that found the node degraded or worse."""
    return [str(it) for it in watch.seen if it.degraded or "stale" in it.answer.lower() or it.error]


def test_a_start_with_the_clock_an_hour_back_serves_what_was_applied(node: Node, wall: WallClock):
    app = node.app()
    kept, revoked = node.api.key(app), node.api.key(app)
    node.api.made("DELETE", f"keys/{revoked['id']}")
    for offset in (-HOUR_S, HOUR_S):
        wall.set(offset)
        node.restart()
        assert (node.reason(kept["token"]), node.reason(revoked["token"])) == (None, "REVOKED")
        assert mutations_go_on(node, app, offset)
        assert node.api.verdict(kept["token"])["degraded"] is False


def test_a_version_that_was_retired_stays_so_when_the_clock_is_set_back(node: Node, wall: WallClock):
    app = node.app()
    rotated, retired = node.api.key(app), node.api.key(app)
    node.api.made("POST", f"keys/{rotated['id']}/rotate", {"grace_s": 0})
    node.api.made("POST", f"keys/{retired['id']}/rotate", {"grace_s": HOUR_S})
    [old, _] = node.api.made("GET", f"keys/{retired['id']}")["versions"]
    node.api.made("DELETE", f"keys/{retired['id']}/versions/{old['id']}")
    tokens = rotated["token"], retired["token"]
    assert [node.reason(token) for token in tokens] == ["RETIRED", "RETIRED"]
    wall.set(-HOUR_S)
    assert [node.reason(token) for token in tokens] == ["RETIRED", "RETIRED"]
