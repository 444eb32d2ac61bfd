"""A volume runs full, the replica's or the primary's: keys go on being judged, nothing is half written."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.servers import Json
from tests.scenario.test_kill import HALVES, rows
from tests.servers import Postgres
from tests.survival.machine import Volume, small_volume
from tests.survival.nodes import Node, named, one_node, soon
from tests.survival.watch import ACCEPTED, watching

RATE = 100
SIZE = "24m"
ROOM_FOR = 400
"""So many keys fit into what a file has to spare before it must grow."""
COUNTED = ("keys", "versions", "audit", "changes")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    """What the node keeps its data on."""
    with small_volume(tmp_path / "node" / "data", SIZE) as volume:
        yield volume


def create(node: Node, app: Json, wait: str = "1s") -> Json:
    return node.api.made("POST", f"apps/{app['id']}/keys?wait={wait}", {"name": "Key"})


def until_lagging(node: Node, app: Json) -> Json:
    """Create keys until the node cannot apply one any more; what was answered then."""
    for _ in range(ROOM_FOR):
        if (made := create(node, app))["lagging"]:
            return made
    raise AssertionError("the replica's volume was never full")


def test_a_node_whose_replica_cannot_grow_serves_lags_and_recovers(
    volume: Volume, tmp_path: Path, postgres: Postgres
):
    url = postgres.new_database()
    with one_node(tmp_path, url, FRESH_FOR="1s", STALE_LIMIT="60s") as node:
        node.start()
        app = node.app()
        kept, doomed = create(node, app)["token"], create(node, app)
        with watching([node], kept, rate=RATE) as watch:
            volume.fill()
            lagging = until_lagging(node, app)
            assert (lagging["confirmed"], named(lagging["lagging"])) == ([], [node.as_listed])
            revoked = node.api.made("DELETE", f"keys/{doomed['id']}?wait=1s")
            assert named(revoked["lagging"]) == [node.as_listed]
            soon(lambda: node.api.verdict(kept)["degraded"])
            listed = node.api.made("GET", "nodes")["items"]
            assert [it["lag"] > 0 for it in listed] == [True]
            volume.free()
            soon(lambda: node.reason(doomed["token"]) == "REVOKED")
            assert node.reason(lagging["token"]) is None
            assert create(node, app, "5s")["lagging"] == []
            soon(lambda: not node.api.verdict(kept)["degraded"])
            watch.until_seen(20)
        assert {it.answer for it in watch.seen} == {ACCEPTED}
        assert node.compared() == ""
        node.restart()
        assert (node.reason(kept), node.reason(doomed["token"])) == (None, "REVOKED")
    for half, query in HALVES.items():
        assert rows(query, node.folder, postgres, url) == "", half


def counts(node: Node) -> dict[str, int]:
    """How many rows the tables have, read past the server."""
    database = sqlite3.connect(f"file:{node.data}/keystead.sqlite3?mode=ro", uri=True)
    try:
        return {it: database.execute(f"SELECT count(*) FROM {it}").fetchone()[0] for it in COUNTED}  # noqa: S608
    finally:
        database.close()


def test_a_full_volume_of_the_primary_is_said_and_leaves_nothing_half_written(volume: Volume, tmp_path: Path):
    with one_node(tmp_path, FRESH_FOR="1s", STALE_LIMIT="60s") as node:
        node.start()
        app = node.app()
        kept = create(node, app)
        answered = [kept]
        before = counts(node)
        with watching([node], kept["token"], rate=RATE) as watch:
            volume.fill()
            for _ in range(ROOM_FOR):
                answer = node.api.call("POST", f"apps/{app['id']}/keys", json={"name": "Key"})
                if answer.status_code == 503:
                    break
                answered.append(answer.json())
            refused = [
                node.api.call("POST", f"apps/{app['id']}/keys", json={"name": "Key"}),
                node.api.call("DELETE", f"keys/{kept['id']}"),
                node.api.call("POST", f"keys/{kept['id']}/rotate", json={}),
            ]
            told = [(it.status_code, it.json()["type"], "full" in it.json()["detail"]) for it in refused]
            assert told == [(503, "unavailable", True)] * 3, [it.text for it in refused]
            watch.until_seen(RATE)
            volume.free()
            revocable = soon(lambda: create_or_none(node, app))
            node.api.made("DELETE", f"keys/{revocable['id']}?wait=5s")
            assert node.reason(revocable["token"]) == "REVOKED"
            watch.until_seen(20)
        assert {it.answer for it in watch.seen} == {ACCEPTED}
        assert {node.reason(it["token"]) for it in answered} == {None}
        made = len(answered) - 1 + 1
        grown = {it: count - before[it] for it, count in counts(node).items()}
        assert grown == {"keys": made, "versions": made, "audit": made + 1, "changes": made + 1}
        for half, query in HALVES.items():
            assert rows(query, node.folder, None, None) == "", half
        assert node.compared() == ""
        node.restart()
        assert (node.reason(kept["token"]), node.reason(revocable["token"])) == (None, "REVOKED")


def create_or_none(node: Node, app: Json) -> Json | None:
    answer = node.api.call("POST", f"apps/{app['id']}/keys", json={"name": "Key"})
    return dict(answer.json()) if answer.is_success else None
