"""The database by itself: migrating it, and looking at it as it stands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.services.context import Seals
from keystead.services.instance import compare_secret_key
from keystead.settings import Settings
from keystead.storage.data import DATABASE, find_secret_key, prepare
from keystead.storage.sql.store import SqlStore
from keystead.wiring.parts import engine_of, now


async def migrate(settings: Settings) -> str:
    """Bring the database's schema to this program's; says what was done."""
    from keystead.storage.sql import migrate as schema  # noqa: PLC0415 - see `set_up`

    prepare(settings.data)
    engine = engine_of(settings, statement_timeout=None)
    try:
        before = await schema.migrate(engine, now=now(), data=settings.data)
    finally:
        await engine.dispose()
    match before.kind:
        case schema.SchemaKind.EMPTY:
            return f"The database was empty; it has schema {before.program} now."
        case schema.SchemaKind.OLDER:
            return f"The schema was migrated from {before.database} to {before.program}."
        case _:
            return f"The schema is {before.program} already; nothing to do."


class Sounding:
    """What `doctor` asks of the database; changes nothing."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._store = SqlStore(engine)

    async def schema(self) -> tuple[str, str]:
        """`empty`, `current`, `older` or `newer` than this program, and the revisions."""
        from keystead.storage.sql.migrate import schema_state  # noqa: PLC0415 - see `set_up`

        if self._settings.database_url is None and not (self._settings.data / DATABASE).exists():
            return "empty", "there is no file yet"
        state = await schema_state(self._engine)
        return state.kind, f"{state.database or 'none'} of {state.program}"

    async def newest_audit_at(self) -> datetime | None:
        """The last audit entry's instant."""
        async with self._store.read() as tables:
            return await tables.audit.newest_at()

    async def newest_epoch(self) -> int:
        """The number of the primary's last change, 0 before the first."""
        async with self._store.read() as tables:
            return await tables.changes.newest()

    async def database_now(self) -> datetime | None:
        """The database server's clock; None for SQLite, which has ours."""
        return await self._store.now()

    async def secret_key(self) -> str:
        """`absent`, `unrecorded` (nothing to compare with), `same` or `different`."""
        given = self._settings.secret_key
        secret_key = given.encode() if given is not None else find_secret_key(self._settings.data)
        if secret_key is None:
            return "absent"
        match await compare_secret_key(self._store, Seals(secret_key)):
            case None:
                return "unrecorded"
            case same:
                return "same" if same else "different"


@asynccontextmanager
async def sounding(settings: Settings) -> AsyncIterator[Sounding]:
    """The database as it stands, whatever its schema; an absent one is not made."""
    engine = engine_of(settings)
    try:
        yield Sounding(settings, engine)
    finally:
        await engine.dispose()
