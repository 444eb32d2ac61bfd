"""A write that fails half-way leaves nothing behind: not a row, not an epoch, not an audit entry."""

from typing import Any

import pytest
import sqlalchemy as sa

from keystead.domain.errors import Unavailable
from keystead.storage.sql.log import SqlAudit, SqlChanges
from keystead.storage.sql.schema import METADATA, nodes
from keystead.storage.sql.small import SqlIdempotency
from tests.api.world import Json, World


async def _scene(world: World) -> Json:
    """One of everything, so that each mutation has something to change."""
    await world.scope("jobs:read")
    organization = await world.organization()
    app = await world.app(organization)
    member = await world.member(organization, "developer")
    keys = [await world.key(app) for _ in range(2)]
    await world.made("POST", f"keys/{keys[0]['id']}/rotate", {})
    disabled = await world.key(app)
    await world.made("POST", f"keys/{disabled['id']}/disable")
    return {
        "organization": organization["id"],
        "app": app["id"],
        "user": member["user_id"],
        "key": keys[0]["id"],
        "version": keys[0]["versions"][0]["id"],
        "disabled": disabled["id"],
    }


MUTATIONS = [
    ("POST", "organizations", {"name": "New"}),
    ("PUT", "organizations/external/cus_9", {"name": "New"}),
    ("PATCH", "organizations/{organization}", {"disabled": True}),
    ("DELETE", "organizations/{organization}", None),
    ("POST", "organizations/{organization}/members", {"email": "new@example.com", "role": "admin"}),
    ("PATCH", "organizations/{organization}/members/{user}", {"role": "viewer"}),
    ("DELETE", "organizations/{organization}/members/{user}", None),
    ("POST", "organizations/{organization}/apps", {"name": "New"}),
    ("PATCH", "apps/{app}", {"name": "New"}),
    ("DELETE", "apps/{app}", None),
    ("POST", "users", {"email": "ada@example.com", "name": "Ada"}),
    ("PUT", "users/external/u_9", {"email": "ada@example.com", "name": "Ada"}),
    ("PATCH", "users/{user}", {"name": "Ada"}),
    ("POST", "apps/{app}/keys", {"name": "New", "scopes": ["jobs:read"]}),
    ("POST", "users/{user}/keys", {"name": "New"}),
    ("POST", "root-keys", {"name": "New", "scopes": ["verify"]}),
    ("PATCH", "keys/{key}", {"name": "New"}),
    ("POST", "keys/{key}/rotate", {"grace_s": 60}),
    ("DELETE", "keys/{key}/versions/{version}", None),
    ("POST", "keys/{key}/disable", None),
    ("POST", "keys/{disabled}/enable", None),
    ("DELETE", "keys/{key}", None),
    ("POST", "scopes", {"name": "jobs:write"}),
    ("PATCH", "scopes/jobs:read", {"description": "Reads."}),
    ("DELETE", "scopes/jobs:read", None),
]

# The last writes of a mutation, with those that come to it: whatever was written before must go with them.
FAILING = [
    pytest.param(SqlAudit, "append", MUTATIONS, id="audit"),
    pytest.param(SqlChanges, "append", [it for it in MUTATIONS if "scopes" not in it[1]], id="epoch"),
    pytest.param(SqlIdempotency, "insert", [it for it in MUTATIONS if it[0] == "POST"], id="idempotency"),
]


@pytest.mark.parametrize(("table", "method", "mutations"), FAILING)
async def test_a_mutation_that_fails_half_way_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, table: type, method: str, mutations: list[Any]
):
    scene = await _scene(world)
    before = await _everything(world)

    async def fail(*_: object, **__: object) -> None:
        raise Unavailable("database")

    monkeypatch.setattr(table, method, fail)
    for verb, path, body in mutations:
        headers = {"Idempotency-Key": path} if verb == "POST" else {}
        answer = await world.call(verb, path.format(**scene), json=body, headers=headers)
        assert answer.status_code == 503, f"{verb} {path}: {answer.text}"
        assert answer.json()["type"] == "unavailable"
        assert await _everything(world) == before, f"{verb} {path} left something behind"


async def _everything(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for the uses that calls leave, and what the node reports meanwhile."""
    async with world.instance.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, (await connection.execute(_settled(table))).all()), key=repr)
            for table in METADATA.sorted_tables
            if table is not nodes
        }


def _settled(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(column for column in table.c if column.name not in {"use_count", "last_used_at"}))
