"""Several nodes on one database: what one acknowledges all have applied, and who has not is named."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.scenario.servers import Json
from tests.servers import Postgres
from tests.survival.nodes import Node, named, some_nodes, soon, start_all, told
from tests.survival.watch import ACCEPTED, watching

NAMES = ("east", "north", "west")
STALE_LIMIT_S = 3
# Beyond the stale limit a node is waited for a little longer, since it may not have refused yet.
MARGIN_S = 5


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[list[Node]]:
    """Three nodes on one database, started."""
    folder, urls = tmp_path_factory.mktemp("nodes"), dict.fromkeys(NAMES, postgres.new_database())
    with some_nodes(folder, urls, FRESH_FOR="1s", STALE_LIMIT=f"{STALE_LIMIT_S}s") as nodes:
        start_all(nodes)
        for node in nodes:
            node.until_level()
        yield nodes


def acknowledged(node: Node, method: str, path: str, body: Json | None = None, wait: str = "5s") -> Json:
    return node.api.made(method, f"{path}?wait={wait}", body)


def test_a_revocation_that_is_acknowledged_is_refused_by_every_node_at_that_instant(nodes: list[Node]):
    everyone = [node.as_listed for node in nodes]
    app = nodes[0].app()
    for number in range(12):
        node = nodes[number % 3]
        made = acknowledged(node, "POST", f"apps/{app['id']}/keys", {"name": "Key"})
        assert (named(made["confirmed"]), made["lagging"]) == (sorted(everyone), [])
        assert [it.reason(made["token"]) for it in nodes] == [None] * 3
        with watching(nodes, made["token"], rate=200) as watch:
            watch.until_seen(6)
            gone = acknowledged(node, "DELETE", f"keys/{made['id']}")
            at = time.monotonic()
            watch.until_seen(12)
        assert (named(gone["confirmed"]), gone["lagging"]) == (sorted(everyone), [])
        assert {it["applied_epoch"] >= gone["epoch"] for it in gone["confirmed"]} == {True}
        assert {it.answer for it in watch.of(made["token"], since=at)} <= {"REVOKED", "401 revoked"}
        assert [it.reason(made["token"]) for it in nodes] == ["REVOKED"] * 3


def test_a_node_that_stands_still_is_named_as_lagging_and_waited_for_no_longer_than_it_could_accept(
    nodes: list[Node],
):
    asked, other, stopped = nodes
    app = asked.app()
    first, second = (acknowledged(asked, "POST", f"apps/{app['id']}/keys", {"name": "Key"}) for _ in range(2))
    stopped.send(signal.SIGSTOP)
    try:
        since = time.monotonic()
        gone = acknowledged(asked, "DELETE", f"keys/{first['id']}", wait="1s")
        assert 1 <= time.monotonic() - since < 2
        assert named(gone["confirmed"]) == sorted([asked.as_listed, other.as_listed])
        [lagging] = gone["lagging"]
        assert (lagging["id"], lagging["name"]) == stopped.as_listed
        assert lagging["applied_epoch"] < gone["epoch"]
        listed = {it["name"]: it for it in asked.api.made("GET", "nodes")["items"]}
        assert {name: it["lag"] for name, it in listed.items()} == {"east": 0, "north": 0, "west": 1}
        # Unseen for so long it refuses by itself, and need not be waited for.
        late = acknowledged(asked, "DELETE", f"keys/{second['id']}", wait="30s")
        waited = time.monotonic() - since
        assert STALE_LIMIT_S < waited < STALE_LIMIT_S + MARGIN_S + 3
        assert (named(late["confirmed"]), late["lagging"]) == (named(gone["confirmed"]), [])
    finally:
        with watching([stopped], first["token"], second["token"], rate=200) as watch:
            stopped.send(signal.SIGCONT)
            watch.until_seen(60)
    assert ACCEPTED not in {it.answer for it in watch.seen}
    soon(lambda: stopped.reason(second["token"]) == "REVOKED")
    assert acknowledged(asked, "POST", f"apps/{app['id']}/keys", {"name": "Key"})["lagging"] == []


def test_nodes_are_listed_by_the_api_and_the_command_line(nodes: list[Node]):
    asked, *_ = nodes
    made = asked.api.made("POST", "organizations?wait=5s", {"name": "Acme"})
    assert named(made["confirmed"]) == sorted(node.as_listed for node in nodes)
    remote = {"KEYSTEAD_URL": f"http://127.0.0.1:{asked.port}", "KEYSTEAD_TOKEN": asked.root}
    items = told(asked.cli("node", "list", "--json", **remote))["items"]
    assert [it["name"] for it in items] == list(NAMES)
    assert named(items) == named(asked.api.made("GET", "nodes")["items"])
    assert [it["this_node"] for it in items] == [True, False, False]
    assert {it["lag"] for it in items} == {0}
    shown = asked.cli("node", "list", **remote).stdout
    assert all(name in shown for name in NAMES), shown


def test_a_node_keeps_its_id_when_it_starts_again(nodes: list[Node]):
    asked, other, _ = nodes
    before = other.id
    other.restart()
    assert other.id == before
    other.until_level()
    listed = asked.api.made("GET", "nodes")["items"]
    assert named(listed) == sorted(node.as_listed for node in nodes)
