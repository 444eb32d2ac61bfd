"""`?wait=`: a change is answered once every node has applied it, and names those that have not."""

import asyncio
import secrets
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.api.app import MANAGEMENT
from keystead.api.openapi import openapi_document
from keystead.domain.errors import Unavailable
from keystead.domain.ids import IdKind, NodeId, make_id
from keystead.domain.instants import MILLISECOND
from keystead.ports.store import Node
from keystead.services.acknowledge import MARGIN
from keystead.storage.sql.schema import changes, nodes
from tests.api.world import Json, World

NEVER_AN_EPOCH = {
    *("create_scope", "change_scope", "delete_scope"),
    *("create_invitation", "create_password_reset_link", "create_sign_in_link"),
    *("verify", "lookup_key", "reveal_key"),
}
SECOND = timedelta(seconds=1)
FAR = "far"


def operations() -> dict[str, Json]:
    document = msgspec.json.decode(openapi_document(MANAGEMENT))
    return {
        operation["operationId"]: operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/v1/") and method != "get"
    }


async def report(world: World, applied_epoch: int, *, unseen_for: timedelta = 0 * SECOND) -> None:
    """Let a node far away say which epoch it has applied; put back when it was seen."""
    async with world.instance.engine.connect() as connection:
        mark = await connection.scalar(sa.select(changes.c.mark).where(changes.c.epoch == applied_epoch))
    node = far(applied_epoch, mark or b"")
    async with world.instance.store.write() as tables:
        await tables.nodes.upsert(node)
    if unseen_for:
        await put_back(world.instance.engine, node, unseen_for)


def far(applied_epoch: int, mark: bytes) -> Node:
    return Node(
        id=NodeId(make_id(IdKind.NODE, FAR.encode())), name=FAR, applied_epoch=applied_epoch, mark=mark
    )


async def put_back(engine: AsyncEngine, node: Node, span: timedelta) -> None:
    earlier = sa.type_coerce(nodes.c.seen_at, sa.BigInteger) - span // MILLISECOND
    stored = sa.type_coerce(earlier, nodes.c.seen_at.type)
    async with engine.begin() as connection:
        await connection.execute(sa.update(nodes).where(nodes.c.id == node.id).values(seen_at=stored))


def names(answer: Json) -> tuple[list[str], list[str]]:
    """Who has confirmed and who lags, sorted; the node that answers is `own`."""
    confirmed, lagging = (
        sorted(FAR if it["name"] == FAR else "own" for it in answer[field])
        for field in ("confirmed", "lagging")
    )
    return confirmed, lagging


async def waited(world: World, method: str, path: str, body: Json | None = None, **options) -> Json:
    joint = "&" if "?" in path else "?"
    return await world.made(method, f"{path}{joint}wait=1s", body, **options)


def test_every_change_that_can_make_an_epoch_can_be_waited_for():
    waiting = {
        name
        for name, operation in operations().items()
        if any(it["name"] == "wait" for it in operation.get("parameters", ()))
    }
    assert waiting == operations().keys() - NEVER_AN_EPOCH


async def test_every_change_names_the_nodes_that_have_applied_it(world: World):
    done: list[Json] = []

    async def do(method: str, path: str, body: Json | None = None, **options) -> Json:
        done.append(await waited(world, method, path, body, **options))
        return done[-1]

    org = await do("POST", "organizations", {"name": "Acme"})
    external = secrets.token_hex(8)
    await do("PUT", f"organizations/external/{external}", {"name": "Beta"})
    beta = await do("PUT", f"organizations/external/{external}", {"name": "Gamma"})
    await do("DELETE", f"organizations/{beta['id']}")
    await do("PATCH", f"organizations/{org['id']}", {"disabled": True})
    await do("PATCH", f"organizations/{org['id']}", {"disabled": False})
    user = await do("POST", "users", {"email": f"{external}@example.com", "name": "Ada"})
    await do("PATCH", f"users/{user['id']}", {"name": "Ada Lovelace"})
    await do("PUT", "users/external/u_7", {"email": "eve@example.com", "name": "Eve"})
    members = f"organizations/{org['id']}/members"
    await do("POST", members, {"user_id": user["id"], "role": "admin"})
    await do("PATCH", f"{members}/{user['id']}", {"role": "developer"})
    app = await do("POST", f"organizations/{org['id']}/apps", {"name": "Web"})
    await do("PATCH", f"apps/{app['id']}", {"allowed_origins": ["https://a.example"]})
    key = await do("POST", f"apps/{app['id']}/keys", {"name": "Key"})
    await do("PATCH", f"keys/{key['id']}", {"name": "New"})
    await do("POST", f"keys/{key['id']}/disable")
    await do("POST", f"keys/{key['id']}/enable")
    rotated = await do("POST", f"keys/{key['id']}/rotate")
    await do("DELETE", f"keys/{key['id']}/versions/{rotated['versions'][0]['id']}")
    await do("POST", f"users/{user['id']}/keys", {"name": "Mine"})
    root = await do("POST", "root-keys", {"name": "Root", "scopes": []})
    root = await do("POST", "self/rotate", token=root["token"])
    await do("POST", "self/revoke", token=root["token"])
    await do("DELETE", f"{members}/{user['id']}")
    await do("DELETE", f"keys/{key['id']}?reason=compromised&descendants=true")
    await do("DELETE", f"apps/{app['id']}")
    assert [names(it) for it in done] == [(["own"], [])] * len(done)
    epochs = [it["epoch"] for it in done]
    assert epochs == sorted(set(epochs))
    for it in done:
        [own] = it["confirmed"]
        assert own.keys() == {"id", "name", "applied_epoch"}
        assert own["applied_epoch"] >= it["epoch"]


@pytest.mark.parametrize("text", ["1s", "1", "2s", "30s", "30"])
async def test_wait_is_seconds_from_1_to_30(sqlite_world: World, text):
    answer = await sqlite_world.made("POST", f"organizations?wait={text}", {"name": "Acme"})
    assert names(answer) == (["own"], [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0s",
        "31s",
        "300",
        "1m",
        "1.5s",
        "500ms",
        "-1s",
        "+1",
        "02s",
        "2%20s",
        "2s%0A",
        "s",
        "null",
        "true",
    ],
)
async def test_anything_else_is_refused_before_anything_is_changed(sqlite_world: World, text):
    before = await sqlite_world.rows()
    problem = await sqlite_world.refused(
        422, "invalid-input", "POST", f"organizations?wait={text}", {"name": "Acme"}
    )
    assert [it["field"] for it in problem["errors"]] == ["wait"]
    assert await sqlite_world.rows() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "organizations", None),
        ("POST", "scopes", {"name": "jobs:read"}),
        ("POST", "verify", {"token": "t"}),
        ("POST", "keys/lookup", {"token": "t"}),
    ],
)
async def test_what_makes_no_epoch_has_no_wait(sqlite_world: World, method, path, body):
    await sqlite_world.refused(422, "invalid-input", method, f"{path}?wait=1s", body)


async def test_without_wait_nobody_is_named(sqlite_world: World):
    await report(sqlite_world, 0)
    answer = await sqlite_world.organization()
    assert "epoch" in answer
    assert answer.keys().isdisjoint({"confirmed", "lagging"})


async def test_a_change_is_answered_when_its_own_node_has_applied_it(world: World):
    context = world.instance.context
    for _ in range(20):
        answer = await world.organization()
        assert context.replica.applied_epoch() >= answer["epoch"]


async def test_a_look_since_the_epoch_was_made_is_enough_for_the_answer(world: World, monkeypatch):
    replica, store = world.instance.context.replica, world.instance.store
    really, ended_at_ns, since = store.write, [], []

    @asynccontextmanager
    async def write():
        async with really() as tables:
            yield tables
            ended_at_ns.append(replica.instant_ns())

    async def await_applied(_epoch, _within, since_ns):
        since.append(since_ns)

    monkeypatch.setattr(store, "write", write)
    monkeypatch.setattr(replica, "await_applied", await_applied)
    began_at_ns = replica.instant_ns()
    await world.organization()
    assert began_at_ns < since[0] < ended_at_ns[0]


async def test_a_node_that_has_not_applied_it_lags(world: World):
    key = await world.key()
    await report(world, key["epoch"])
    began = monotonic()
    answer = await waited(world, "POST", f"keys/{key['id']}/disable")
    assert monotonic() - began >= 1
    assert names(answer) == (["own"], [FAR])
    assert answer["lagging"] == [
        {"id": make_id(IdKind.NODE, b"far"), "name": FAR, "applied_epoch": key["epoch"]}
    ]
    assert await world.reason(key["token"]) == "DISABLED"


async def test_a_node_that_applied_the_epochs_of_another_history_lags(world: World):
    organization = await world.organization()
    async with world.instance.store.write() as tables:
        await tables.nodes.upsert(far(organization["epoch"] + 100, b"of another"))
    answer = await waited(world, "PATCH", f"organizations/{organization['id']}", {"disabled": True})
    assert names(answer) == (["own"], [FAR])


async def test_a_node_that_catches_up_meanwhile_ends_the_waiting(world: World):
    key = await world.key()
    await report(world, key["epoch"])
    began = monotonic()
    changing = asyncio.create_task(world.made("POST", f"keys/{key['id']}/disable?wait=30s"))
    await asyncio.sleep(0.3)
    assert not changing.done()
    # Neither the lock nor a connection is held meanwhile: others go on changing things.
    await world.organization()
    await report(world, key["epoch"] + 1)
    assert names(await changing) == ([FAR, "own"], [])
    assert monotonic() - began < 10


@pytest.mark.parametrize("beyond", [-1, 1], ids=["just seen", "unseen for too long"])
async def test_a_node_unseen_beyond_the_stale_limit_is_in_neither(world: World, beyond):
    stale = timedelta(milliseconds=world.instance.context.freshness.stale_limit_ms)
    key = await world.key()
    await report(world, key["epoch"], unseen_for=stale + MARGIN + 3 * beyond * SECOND)
    answer = await waited(world, "DELETE", f"keys/{key['id']}?reason=compromised")
    assert names(answer) == (["own"], [FAR] if beyond < 0 else [])


async def test_a_replay_waits_for_the_epoch_that_was_recorded(world: World):
    app = await world.app()
    await report(world, app["epoch"])
    sent = {"headers": {"Idempotency-Key": "once"}}
    first = await waited(world, "POST", f"apps/{app['id']}/keys", {"name": "Key"}, **sent)
    assert names(first) == (["own"], [FAR])
    await world.organization()
    await report(world, first["epoch"])
    again = await waited(world, "POST", f"apps/{app['id']}/keys", {"name": "Key"}, **sent)
    assert (again["id"], again["epoch"], again["lagging"]) == (first["id"], first["epoch"], [])
    assert len(again["confirmed"]) == 2


async def test_a_retry_runs_while_the_first_one_still_waits(world: World):
    app = await world.app()
    await report(world, app["epoch"])
    sent = {"headers": {"Idempotency-Key": "once"}}
    path = f"apps/{app['id']}/keys?wait=2s"
    first = asyncio.create_task(world.made("POST", path, {"name": "Key"}, **sent))
    await asyncio.sleep(0.5)
    again = await waited(world, "POST", f"apps/{app['id']}/keys", {"name": "Key"}, **sent)
    assert again["id"] == (await first)["id"]


async def test_revoking_again_says_whether_it_holds_everywhere_by_now(world: World):
    key = await world.key()
    await report(world, key["epoch"])
    path = f"keys/{key['id']}?reason=compromised"
    first = await waited(world, "DELETE", path)
    assert names(first) == (["own"], [FAR])
    again = await waited(world, "DELETE", path)
    assert "epoch" not in again
    assert names(again) == (["own"], [FAR])
    await report(world, first["epoch"])
    assert (await waited(world, "DELETE", path))["lagging"] == []


async def test_revoking_with_descendants_is_one_epoch_to_wait_for(world: World):
    parent = await world.root_key("root_keys:*")
    child = await world.made("POST", "root-keys", {"name": "C", "scopes": []}, token=parent["token"])
    await report(world, child["epoch"])
    answer = await waited(world, "DELETE", f"keys/{parent['id']}?descendants=true")
    assert answer["descendants"] == [child["id"]]
    assert answer["epoch"] == child["epoch"] + 1
    assert names(answer) == (["own"], [FAR])


async def test_a_primary_that_goes_away_leaves_the_unheard_lagging(world: World, monkeypatch):
    key = await world.key()
    await report(world, key["epoch"])
    store = world.instance.store
    really, looks = store.read, []

    @asynccontextmanager
    async def read():
        looks.append(1)
        if len(looks) > 1:
            raise Unavailable("database")
        async with really() as tables:
            yield tables

    monkeypatch.setattr(store, "read", read)
    answer = await world.call("DELETE", f"keys/{key['id']}?reason=compromised&wait=1s")
    monkeypatch.undo()
    assert answer.status_code == 200
    assert names(answer.json()) == (["own"], [FAR])
    assert len(looks) > 5
    assert await world.reason(key["token"]) == "REVOKED"


async def test_what_is_refused_does_not_wait(sqlite_world: World):
    await report(sqlite_world, 0)
    began = monotonic()
    await sqlite_world.refused(404, "not-found", "DELETE", f"keys/key_{'0' * 22}?wait=30s")
    await sqlite_world.refused(422, "invalid-input", "POST", "organizations?wait=30s", {"name": ""})
    assert monotonic() - began < 10
