"""Many keys at once: rows as the store would have written them, in bulk."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from keystead.domain.constraints import make_constraints
from keystead.domain.ids import IdKind
from keystead.domain.keys import Environment
from keystead.domain.tenants import Ceiling
from keystead.domain.tokens import TOKEN_ENTROPY_BYTES, Token, TokenKind, make_token
from keystead.storage.sql.engine import WRITE, is_postgresql
from keystead.storage.sql.schema import apps, keys, organizations, versions
from keystead.storage.sql.shapes import ceiling_to_json, constraints_to_json
from keystead.wiring import Instance

SAMPLE = 10_000
CHUNK = 10_000
CONSTRAINTS = constraints_to_json(
    make_constraints([("prefix", f"v1/resource{i}/", ("GET", "POST")) for i in range(10)])
)
PATH = "/v1/resource7/items/42"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """Some of the tokens that were made, chosen evenly."""

    tokens: tuple[Token, ...]


async def seed(instance: Instance, count: int) -> Seeded:
    """Add `count` secret keys of one app, each with ten prefix constraints; hands back a sample of tokens."""
    now = instance.context.clock()
    organization_id, app_id = await _tenants(instance, now)
    first = await _next_number(instance)
    step, kept = max(1, count // SAMPLE), []
    common = {"app_id": app_id, "organization_id": organization_id, "created_at": now}
    rows = (_row(instance, common, number) for number in range(first, first + count))
    made = 0
    while chunk := list(islice(rows, CHUNK)):
        await _insert(instance, chunk)
        kept += [token for i, (token, _, _) in enumerate(chunk, start=made) if i % step == 0]
        made += len(chunk)
    return Seeded(tokens=tuple(kept))


async def _tenants(instance: Instance, now: datetime) -> tuple[str, str]:
    organization_id = instance.context.new_id(IdKind.ORGANIZATION)
    app_id = instance.context.new_id(IdKind.APP)
    named = {
        "name": "Bench",
        "name_folded": "bench",
        "labels": {},
        "metadata": {},
        "created_at": now,
        "revision": 1,
    }
    async with instance.engine.connect() as connection:
        await connection.execution_options(**WRITE[is_postgresql(instance.engine)])
        ceiling = ceiling_to_json(Ceiling())
        await connection.execute(
            sa.insert(organizations).values(id=organization_id, ceiling=ceiling, **named)
        )
        app = {"environment": "live", "allowed_origins": [], "allowed_networks": []}
        switches = {"last_key_protection": True, "self_rotation": True}
        await connection.execute(
            sa.insert(apps).values(id=app_id, organization_id=organization_id, **app, **switches, **named)
        )
        await connection.commit()
    return organization_id, app_id


async def _next_number(instance: Instance) -> int:
    async with instance.engine.connect() as connection:
        found = await connection.execute(sa.select(sa.func.coalesce(sa.func.max(keys.c.number), 0)))
        return int(found.scalar_one()) + 1


def _row(
    instance: Instance, common: dict[str, Any], number: int
) -> tuple[Token, dict[str, Any], dict[str, Any]]:
    token = make_token("ks", TokenKind.SECRET, Environment.LIVE, secrets.token_bytes(TOKEN_ENTROPY_BYTES))
    key_id = instance.context.new_id(IdKind.KEY)
    shown = {"start": token.start, "last4": token.last4}
    used = {"use_count": 0, "last_used_at": None}
    key = {
        "id": key_id,
        "number": number,
        "name": "Bench",
        "name_folded": "bench",
        "type": "secret",
        "environment": "live",
        "owner_kind": "app",
        "ephemeral": False,
        "created_by_kind": "operator",
        "created_by_id": "bench",
        "constraints": CONSTRAINTS,
        "allowed_origins": [],
        "allowed_networks": [],
        "scopes": [],
        "labels": {},
        "metadata": {},
        "revision": 1,
        **common,
        **shown,
        **used,
    }
    version = {
        "id": instance.context.new_id(IdKind.VERSION),
        "key_id": key_id,
        "position": 0,
        "digest": token.digest,
        "created_at": common["created_at"],
        **shown,
        **used,
    }
    return token, key, version


async def _insert(instance: Instance, chunk: list[tuple[Token, dict[str, Any], dict[str, Any]]]) -> None:
    async with instance.engine.connect() as connection:
        await connection.execution_options(**WRITE[is_postgresql(instance.engine)])
        await connection.execute(sa.insert(keys), [key for _, key, _ in chunk])
        await connection.execute(sa.insert(versions), [version for _, _, version in chunk])
        await connection.commit()
