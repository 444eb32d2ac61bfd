"""A whole Keystead in this process, on a real store, with a clock that tests move, driven through HTTP."""

import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa

from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from keystead.logs import configure_logging
from keystead.services.instance import pin_root_key
from keystead.settings import load_settings
from keystead.storage.sql.engine import GLANCE, is_postgresql
from keystead.storage.sql.schema import METADATA
from keystead.wiring import Instance, opened
from tests.clock import FakeClock

Json = dict[str, Any]


@dataclass
class World:
    """One instance with a root key of every power, and shorthand for what most tests begin with."""

    instance: Instance
    clock: FakeClock
    client: httpx.AsyncClient
    root: str

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = "root",  # noqa: S107 - stands for the root key's
        headers: Mapping[str, str] | None = None,
        **sent: Any,
    ) -> httpx.Response:
        """One request to `/api/v1/{path}`, as the root key unless `token` is another; None for no token."""
        bearer = self.root if token == "root" else token
        given = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return await self.client.request(
            method, f"/api/v1/{path}", headers={**given, **(headers or {})}, **sent
        )

    async def made(self, method: str, path: str, body: Json | None = None, **options: Any) -> Json:
        """What a request that must succeed answers with."""
        answer = await self.call(method, path, json=body, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return dict(answer.json())

    async def organization(self, **fields: Any) -> Json:
        """A new organization."""
        return await self.made("POST", "organizations", {"name": "Acme", **fields})

    async def app(self, organization: Json | None = None, **fields: Any) -> Json:
        """A new app, in a new organization unless one is given."""
        owner = organization or await self.organization()
        return await self.made("POST", f"organizations/{owner['id']}/apps", {"name": "Web", **fields})

    async def key(self, app: Json | None = None, **fields: Any) -> Json:
        """A new app key with its token, in a new app unless one is given."""
        owner = app or await self.app()
        return await self.made("POST", f"apps/{owner['id']}/keys", {"name": "Key", **fields})

    async def member(self, organization: Json, role: str) -> Json:
        """A new user who is a member with `role`."""
        email = f"{secrets.token_hex(6)}@example.com"
        path = f"organizations/{organization['id']}/members"
        return await self.made("POST", path, {"email": email, "role": role})

    async def personal_key(self, member: Json, **fields: Any) -> Json:
        """A new personal key of a member, with its token."""
        body = {"name": "Mine", "organization_id": member["organization_id"], **fields}
        return await self.made("POST", f"users/{member['user_id']}/keys", body)

    async def root_key(self, *scopes: str, **fields: Any) -> Json:
        """A new root key with these scopes, with its token."""
        return await self.made("POST", "root-keys", {"name": "Root", "scopes": list(scopes), **fields})

    async def scope(self, name: str, *, customer_grantable: bool = True) -> Json:
        """A new scope in the catalogue."""
        return await self.made("POST", "scopes", {"name": name, "customer_grantable": customer_grantable})

    async def verdict(self, token: str, **attempt: Any) -> Json:
        """What verify says of a token; a GET of `/` unless said."""
        return await self.made("POST", "verify", {"token": token, "method": "GET", "path": "/", **attempt})

    async def refused(
        self, status: int, slug: str, method: str, path: str, body: Json | None = None, **options: Any
    ) -> Json:
        """The problem that a request must be refused with, in the one shape that errors have."""
        answer = await self.call(method, path, **({} if body is None else {"json": body}), **options)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
            status,
            "application/problem+json",
        ), f"{method} {path}: {answer.status_code} {answer.text}"
        problem = dict(answer.json())
        assert (problem["type"], problem["status"]) == (slug, status), problem
        assert problem["title"]
        assert problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
        return problem

    async def reason(self, token: str, **attempt: Any) -> str | None:
        """Why verify refuses a token, or None when it is accepted; a GET of `/` unless said."""
        reason: str | None = (await self.verdict(token, **attempt))["reason"]
        return reason

    async def first_app(self, organization: Json) -> Json:
        """The app that an organization began with."""
        return dict((await self.made("GET", f"organizations/{organization['id']}/apps"))["items"][-1])

    async def flush(self) -> None:
        """Write down the uses counted so far, as each second does."""
        counter: Any = self.instance.context.uses
        await counter.flush(self.instance.store)

    async def rows(self) -> dict[str, Sequence[tuple[Any, ...]]]:
        """All that the database holds, by table, but for uses and nodes, which are written when they are."""
        engine = self.instance.engine
        async with engine.connect() as connection:
            glance = await connection.execution_options(**GLANCE[is_postgresql(engine)])
            return {
                name: [tuple(row) for row in await glance.execute(_all_of(table))]
                for name, table in METADATA.tables.items()
                if name != "nodes"
            }

    async def row_counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {name: len(rows) for name, rows in (await self.rows()).items()}


def _all_of(table: sa.Table) -> sa.Select[Any]:
    kept = [column for column in table.c if column.name not in {"use_count", "last_used_at"}]
    return sa.select(*kept).order_by(*table.primary_key)


@asynccontextmanager
async def opened_world(environ: Mapping[str, str]) -> AsyncIterator[World]:
    """A world on the store that `environ` names."""
    clock = FakeClock()
    configure_logging(json=True, stream=sys.stderr)
    async with opened(load_settings(environ)) as real:
        instance = replace(real, context=replace(real.context, clock_ms=clock.ms))
        root = make_token("ks", TokenKind.ROOT, Environment.LIVE, secrets.token_bytes(32))
        await pin_root_key(instance.context, root)
        async with instance.store.read() as tables:
            pinned = await tables.changes.newest()
        await instance.context.replica.await_applied(pinned, timedelta(seconds=10))
        app: Any = instance.app()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://keystead.test") as client:
            yield World(instance=instance, clock=clock, client=client, root=root.reveal())
