"""What a change of a key asks of the database: few statements, and none that is compiled anew."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import CacheStats

from tests.api.world import World

CHANGES = [
    # The acting key, the app, its organization, its live keys; the key, its version.
    pytest.param("POST", "apps/{app}/keys", {"name": "New"}, 6, id="create"),
    # The acting key, the key; the key, its last version, its new one.
    pytest.param("POST", "keys/{key}/rotate", {}, 5, id="rotate"),
    # The acting key, the key; the key; whether the app has a usable one left.
    pytest.param("DELETE", "keys/{key}", None, 4, id="revoke"),
    pytest.param("DELETE", "keys/{key}?reason=compromised", None, 3, id="revoke an exposed one"),
]


@asynccontextmanager
async def asked(world: World) -> AsyncIterator[list[tuple[str, CacheStats]]]:
    """The statements of the block, with whether each was compiled before; without the uses' own."""
    sent: list[tuple[str, CacheStats]] = []

    def note(_connection: Any, _cursor: Any, text: str, _values: Any, context: Any, _many: Any) -> None:
        if "use_count = use_count" not in text:
            sent.append((text, context.cache_hit))

    engine = world.instance.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("method", "path", "body", "count"), CHANGES)
async def test_a_change_is_so_many_statements_none_compiled_anew(
    world: World, method: str, path: str, body: Any, count: int
):
    app = await world.app()
    keys = [await world.key(app) for _ in range(4)]
    await world.made("POST", f"keys/{keys[1]['id']}/rotate")
    first, second = [path.format(app=app["id"], key=key["id"]) for key in keys[:2]]
    await world.made(method, first, body)
    async with asked(world) as sent:
        await world.made(method, second, body)
    # To each come the audit entry and the epoch: the newest and the next on SQLite, and on PostgreSQL, which
    # says both at once, the lock by which writers take turns.
    assert len(sent) == count + 3, [text for text, _ in sent]
    assert {hit for _, hit in sent} == {CacheStats.CACHE_HIT}, sent


async def test_each_app_is_asked_once_for_a_usable_key_however_many_it_loses(sqlite_world: World):
    maker = await sqlite_world.root_key("*")
    for app in (await sqlite_world.app(), await sqlite_world.app()):
        await sqlite_world.key(app)
        for _ in range(3):
            await sqlite_world.made("POST", f"apps/{app['id']}/keys", {"name": "Made"}, token=maker["token"])
    async with asked(sqlite_world) as sent:
        revoked = await sqlite_world.made("DELETE", f"keys/{maker['id']}?descendants=true")
    assert len(revoked["descendants"]) == 6
    assert len([text for text, _ in sent if "EXISTS" in text]) == 2
