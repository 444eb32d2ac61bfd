"""The primary is put back to an earlier state: what was refused since then is refused throughout."""

import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.scenario.servers import Json
from tests.servers import Postgres
from tests.survival.nodes import Node, some_nodes, soon, start_all
from tests.survival.watch import ACCEPTED, Watch, watching

RATE = 250
LOST = ("key.revoke", "key.disable", "key.retire_version", "app.update")


class Primary(Protocol):
    """A database that can be put back to an earlier state; `url` is None for SQLite."""

    url: str | None

    def copy(self, node: Node) -> None:
        """Keep it as it is now, while it serves."""

    def put_back(self, node: Node) -> None:
        """Let the copy take its place; nobody has it open."""


class Sqlite:
    """The file in a node's data directory."""

    url = None

    def __init__(self, folder: Path) -> None:
        self._copy = folder / "copy.sqlite3"

    def copy(self, node: Node) -> None:
        with (
            closing(sqlite3.connect(node.data / "keystead.sqlite3")) as now,
            closing(sqlite3.connect(self._copy)) as copy,
        ):
            now.backup(copy)

    def put_back(self, node: Node) -> None:
        assert list(node.data.glob("keystead.sqlite3-*")) == [], "its log was moved into it"
        (node.data / "keystead.sqlite3").write_bytes(self._copy.read_bytes())


class PostgresDatabase:
    """A database of a server, which goes on running."""

    def __init__(self, server: Postgres) -> None:
        self.url = server.new_database()
        self._server = server
        self._name = self.url.rpartition("/")[2]

    def copy(self, node: Node) -> None:
        self._server.execute(f"CREATE DATABASE {self._name}_copy")
        dump = [self._server.psql.with_name("pg_dump"), self.url]
        text = subprocess.run(dump, check=True, capture_output=True).stdout
        command = [self._server.psql, "-qXd", f"{self.url}_copy", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(command, input=text, check=True, capture_output=True)

    def put_back(self, node: Node) -> None:
        self._server.execute(f"ALTER DATABASE {self._name} RENAME TO {self._name}_lost")
        self._server.execute(f"ALTER DATABASE {self._name}_copy RENAME TO {self._name}")


@dataclass(slots=True)
class Story:
    """What was made before the copy, and when what of it was acknowledged as refused after that."""

    node: Node
    organization: Json
    app: Json
    suspended_app: Json
    keys: dict[str, Json]
    refused_from: dict[str, float] = field(default_factory=dict)
    epoch: int = 0

    def token(self, name: str) -> str:
        return str(self.keys[name]["token"])

    def change(self, method: str, path: str, body: Json | None = None, *, refuses: str = "") -> None:
        """A mutation that every node has applied; `refuses` names the key whose first token it ends."""
        done = self.node.api.made(method, f"{path}?wait=5s", body)
        assert done["lagging"] == []
        self.epoch = done["epoch"]
        if refuses:
            self.refused_from[self.token(refuses)] = time.monotonic()

    def key_path(self, name: str) -> str:
        return f"keys/{self.keys[name]['id']}"


def begun(node: Node) -> Story:
    """Keys as they are before the copy is made."""
    api = node.api
    app = node.app()
    organization = api.made("GET", f"organizations/{app['organization_id']}")
    suspended = api.made("POST", f"organizations/{organization['id']}/apps", {"name": "Suspended"})
    names = ("kept", "revoked", "disabled", "retired", "enabled", "paused a while")
    keys = {name: api.key(app, name=name) for name in names}
    keys["suspended"] = api.key(suspended, name="suspended")
    story = Story(node=node, organization=organization, app=app, suspended_app=suspended, keys=keys)
    story.change("POST", f"{story.key_path('retired')}/rotate", {"grace_s": 86400})
    story.change("POST", f"{story.key_path('enabled')}/disable")
    story.change("POST", f"{story.key_path('enabled')}/enable")
    return story


def go_on(story: Story, watch: Watch) -> None:
    """What happens after the copy, all of it acknowledged, and forgotten by the copy."""
    api = story.node.api
    story.change("DELETE", story.key_path("revoked"), refuses="revoked")
    watch.tokens = [story.token("revoked"), story.token("kept")]
    story.change("POST", f"{story.key_path('disabled')}/disable", refuses="disabled")
    [old, _] = api.made("GET", story.key_path("retired"))["versions"]
    story.change("DELETE", f"{story.key_path('retired')}/versions/{old['id']}", refuses="retired")
    story.change("PATCH", f"apps/{story.suspended_app['id']}", {"disabled": True}, refuses="suspended")
    story.change("POST", f"{story.key_path('paused a while')}/disable")
    story.change("POST", f"{story.key_path('paused a while')}/enable")
    watch.tokens = [story.token(name) for name in story.keys]
    watch.until_seen(RATE // 4)


def overtake(node: Node, story: Story) -> None:
    """Mutations beside what was forgotten, until their epochs are beyond the lost ones."""
    epoch = 0
    while epoch <= story.epoch + 3:
        epoch = node.api.made("POST", f"apps/{story.app['id']}/keys", {"name": "Later"})["epoch"]


def bring_again(story: Story) -> list[Json]:
    """The audit entries of the system, once there is one for each thing that was forgotten."""

    def entries() -> list[Json]:
        path = f"organizations/{story.organization['id']}/audit?limit=100"
        found = story.node.api.made("GET", path)["items"]
        ours = [it for it in found if it["by"]["kind"] == "system"]
        return ours if {it["action"] for it in ours} >= set(LOST) else []

    return soon(entries)


def judge(story: Story, watch: Watch, nodes: Sequence[Node]) -> None:
    """Nothing refused was accepted, in any attempt begun after its acknowledgement."""
    assert len(story.refused_from) == 4
    for token, since in story.refused_from.items():
        answers = watch.of(token, since=since)
        assert {it.port for it in answers} == {node.port for node in nodes}
        assert [str(it) for it in answers if it.answer == ACCEPTED] == []
    for name in ("kept", "enabled"):
        assert {it.answer for it in watch.of(story.token(name))} == {ACCEPTED}, name


def settle(story: Story, nodes: Sequence[Node]) -> None:
    """All is in the primary again: nothing is held locally, and a pause can be ended as any other."""
    actions = sorted(it["action"] for it in bring_again(story))
    assert actions == sorted(LOST), "each was brought once"
    for node in nodes:
        soon(lambda: node.standing() == 0)  # noqa: B023 - called at once
        expected = {
            "revoked": "REVOKED",
            "disabled": "DISABLED",
            "retired": "RETIRED",
            "suspended": "DISABLED",
        }
        expected |= {"kept": None, "enabled": None, "paused a while": None}
        assert {name: node.reason(story.token(name)) for name in expected} == expected


def resume(story: Story, nodes: Sequence[Node]) -> None:
    """The provider ends what the system began."""
    story.change("POST", f"{story.key_path('disabled')}/enable")
    story.change("PATCH", f"apps/{story.suspended_app['id']}", {"disabled": False})
    for node in nodes:
        assert [node.reason(story.token(name)) for name in ("disabled", "suspended")] == [None, None]


@contextmanager
def told(folder: Path, primary: Primary, count: int) -> Iterator[tuple[list[Node], Story, Watch]]:
    """The story up to where the nodes are stopped and the copy is in the primary's place."""
    urls = {f"node-{number}": primary.url for number in range(count)}
    with some_nodes(folder, urls, STALE_LIMIT="60s") as nodes:
        start_all(nodes)
        story = begun(nodes[0])
        soon(lambda: len(nodes[0].api.made("GET", "nodes")["items"]) == count)
        primary.copy(nodes[0])
        with watching(nodes, rate=RATE) as watch:
            go_on(story, watch)
            for node in nodes:
                node.stop()
            primary.put_back(nodes[0])
            yield nodes, story, watch


def end_well(story: Story, watch: Watch, nodes: Sequence[Node]) -> None:
    """What every ending has in common."""
    settle(story, nodes)
    watch.until_seen(RATE // 4)
    watch.stop()
    judge(story, watch, nodes)
    resume(story, nodes)
    assert [node.compared() for node in nodes] == [""] * len(nodes)


def test_a_node_that_sees_the_copy_overtake_its_epoch_refuses_throughout(tmp_path: Path):
    with told(tmp_path, Sqlite(tmp_path), 1) as (nodes, story, watch):
        nodes[0].start()
        overtake(nodes[0], story)
        end_well(story, watch, nodes)


def test_a_node_that_finds_the_copy_ahead_of_its_epoch_refuses_throughout(tmp_path: Path):
    with told(tmp_path, Sqlite(tmp_path), 1) as (nodes, story, watch):
        with some_nodes(tmp_path, {"elsewhere": None}, root=nodes[0].root) as [elsewhere]:
            elsewhere.data.mkdir(mode=0o700)
            copy_database(nodes[0], elsewhere)
            elsewhere.start()
            overtake(elsewhere, story)
            elsewhere.stop()
            copy_database(elsewhere, nodes[0])
        with closing(sqlite3.connect(nodes[0].data / "keystead.sqlite3")) as database, database:
            database.execute("DELETE FROM nodes WHERE name = 'elsewhere'")
        nodes[0].start()
        end_well(story, watch, nodes)


def test_of_two_nodes_the_one_that_was_away_refuses_throughout_too(tmp_path: Path, postgres: Postgres):
    with told(tmp_path, PostgresDatabase(postgres), 2) as (nodes, story, watch):
        first, second = nodes
        first.start()
        overtake(first, story)
        second.start()
        end_well(story, watch, nodes)


def copy_database(source: Node, target: Node) -> None:
    """Between nodes that do not run."""
    (target.data / "keystead.sqlite3").write_bytes((source.data / "keystead.sqlite3").read_bytes())
