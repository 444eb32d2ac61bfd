"""In a replica's folder other formats are left alone, and what is damaged is made anew, never trusted."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from keystead.replica.format import FORMAT
from tests.scenario.servers import Json
from tests.survival.nodes import Node, one_node, soon
from tests.survival.watch import ACCEPTED, watching

RATE = 200
PAGE = 4096
MANY = 60
"""So many keys that the file has many pages of records."""


class Prepared(NamedTuple):
    """A node that runs, with a valid token and a revoked one among many."""

    node: Node
    app: Json
    kept: str
    gone: str


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A node that is damaged again and again."""
    # Of a file that is cut short the system ends whoever reads on: so there is a supervisor.
    with one_node(tmp_path_factory.mktemp("lasting"), WORKERS="2") as node:
        node.start()
        app = node.app()
        kept, gone = node.api.key(app), node.api.key(app)
        for _ in range(MANY):
            node.api.key(app)
        node.api.made("DELETE", f"keys/{gone['id']}?wait=5s")
        yield Prepared(node, app, kept["token"], gone["token"])


@pytest.fixture
def prepared(lasting: Prepared) -> Prepared:
    """That node, started and level."""
    lasting.node.restart()
    lasting.node.until_level()
    return lasting


# Other formats


def others_files(folder: Path) -> dict[str, bytes]:
    """What programs of an older and a newer format might have there."""
    names = [
        f"v{number}{end}" for number in (FORMAT - 1, FORMAT + 1) for end in (".stamp", ".lock", "-7.mdb")
    ]
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: os.urandom(3 * PAGE) for name in [*names, f"v{FORMAT + 1}-7.mdb-lock"]}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


@pytest.mark.parametrize("workers", ["1", "2"])
def test_files_of_another_format_are_left_alone_and_do_no_harm(workers: str, tmp_path: Path):
    with one_node(tmp_path, WORKERS=workers) as node:
        node.data.mkdir(mode=0o700)
        files = others_files(node.replica.path)
        lives_beside(node, files)


def lives_beside(node: Node, files: dict[str, bytes]) -> None:
    """All that a node does with its own files, and what the others are after that."""
    node.start()
    app = node.app()
    key, gone = node.api.key(app), node.api.key(app)
    node.api.made("DELETE", f"keys/{gone['id']}?wait=5s")
    done = node.cli("replica", "rebuild")
    assert done.returncode == 0, done.stderr
    time.sleep(3)  # its own old generations are removed by then
    node.restart()
    assert (node.reason(key["token"]), node.reason(gone["token"])) == (None, "REVOKED")
    assert node.compared() == ""
    assert {name: (node.replica.path / name).read_bytes() for name in files} == files


# Damage


def current(node: Node) -> Path:
    return node.replica.file(node.replica.generations()[-1])


def overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def cut(path: Path) -> None:
    os.truncate(path, 5 * PAGE)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def fill_with_garbage(path: Path) -> None:
    overwrite(path, 0, os.urandom(path.stat().st_size))


def remove(path: Path) -> None:
    path.unlink()


def spoil_meta_pages(path: Path) -> None:
    overwrite(path, 0, os.urandom(2 * PAGE))


def spoil_records(path: Path) -> None:
    """Every page but the first two, which say where the others are, and of each what is not its head."""
    for at in range(2 * PAGE, path.stat().st_size, PAGE):
        overwrite(path, at + PAGE // 2, os.urandom(PAGE // 2))


def spoil_pages(path: Path) -> None:
    """Every page but the first two, their heads too."""
    overwrite(path, 2 * PAGE, os.urandom(path.stat().st_size - 2 * PAGE))


DAMAGES = [cut, empty, fill_with_garbage, remove, spoil_meta_pages, spoil_records, spoil_pages]
Damage = Callable[[Path], None]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda it: it.__name__)
def test_a_damaged_file_is_made_anew_at_the_start(prepared: Prepared, damage: Damage):
    node, _, kept, gone = prepared
    node.stop()
    damage(current(node))
    with watching([node], kept, gone, rate=RATE) as watch:
        node.start()
        soon(lambda: [answered(node, it) for it in (kept, gone)] == ["None", "REVOKED"])
        watch.until_seen(RATE // 2)
    assert ACCEPTED not in {it.answer for it in watch.of(gone)}
    assert node.compared() == ""


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda it: it.__name__)
def test_a_file_damaged_while_it_is_read_is_made_anew(prepared: Prepared, damage: Damage):
    node, app, kept, gone = prepared
    with watching([node], kept, gone, rate=RATE) as watch:
        watch.until_seen(20)
        damage(current(node))
        # This has to be written to the file; whoever writes may end by that.
        made = soon(lambda: created(node, app))
        soon(lambda: [answered(node, it) for it in (kept, gone, made)] == ["None", "REVOKED", "None"])
        soon(lambda: node.compared() == "", every=0.5)
        watch.until_seen(RATE // 2)
    assert ACCEPTED not in {it.answer for it in watch.of(gone)}


def created(node: Node, app: Json) -> str | None:
    """A new key's token, if anybody answers."""
    with suppress(httpx.TransportError):
        answer = node.api.call("POST", f"apps/{app['id']}/keys", json={"name": "Key"})
        return str(answer.json()["token"]) if answer.is_success else None
    return None


def answered(node: Node, token: str) -> str:
    """What verify says, if anybody answers."""
    with suppress(httpx.TransportError, AssertionError):
        return str(node.reason(token))
    return "nothing"
