"""The only file that names concrete things: which store, which clock, which server."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog
import uvloop
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead import logs
from keystead.api.app import make_app
from keystead.api.desk import Door
from keystead.api.metrics import Metrics
from keystead.api.server import Server
from keystead.domain.gcra import Rate
from keystead.services.context import Bounds, Context, Seals
from keystead.services.housekeeping import purge
from keystead.services.instance import compare_secret_key, pin_root_key, settle_secret_key
from keystead.services.throttle import Throttle
from keystead.settings import Settings
from keystead.settings.risks import require_startable, risky
from keystead.storage.data import DATABASE, find_secret_key, generated_secret_key, prepare
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore
from keystead.usage.counter import UseCounter

_LOG = structlog.get_logger()
_HOUSEKEEPING_EVERY = timedelta(hours=1)
_SECRET_KEY_BYTES = 32
_MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process's Keystead, open."""

    settings: Settings
    engine: AsyncEngine
    store: SqlStore
    context: Context

    def app(self, *, as_operator: bool = False) -> ASGIApp:
        """The HTTP application; `as_operator` lets whoever calls it do all: for this process only."""
        per_minute = self.settings.management_rate_per_minute
        rate = Rate(units=per_minute, period_s=_MINUTE_S, burst=self.settings.management_burst)
        return make_app(
            Door(
                context=self.context,
                throttle=Throttle(rate),
                metrics=Metrics(),
                places=self.settings.token_places,
                trusted_proxies=self.settings.trusted_proxies,
                as_operator=as_operator,
            )
        )


def now() -> datetime:
    """The wall clock, as aware UTC in whole milliseconds."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Instance]:
    """An instance on the settings' database, set up if it was empty; uses are flushed until it closes.

    Raises Misconfigured for a data directory, schema or secret key that will not do, Unavailable.
    """
    # Alembic is only needed here; what only verifies need not carry it.
    from keystead.storage.sql.migrate import set_up  # noqa: PLC0415

    prepare(settings.data)
    engine = _engine(settings)
    try:
        await set_up(engine, now=now(), data=settings.data)
        store, counter = SqlStore(engine), UseCounter()
        context = _context(settings, store, counter, _secret_key(settings))
        await settle_secret_key(context)
        stop = asyncio.Event()
        flushing = asyncio.create_task(_flush(counter, store, stop))
        try:
            yield Instance(settings=settings, engine=engine, store=store, context=context)
        finally:
            stop.set()
            await flushing
    finally:
        await engine.dispose()


@asynccontextmanager
async def local_client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The API on the data directory without a server, acting as the operator who stands there."""
    logs.configure_logging(json=False, stream=sys.stderr, quiet=True)
    async with opened(settings) as instance:
        app: Any = instance.app(as_operator=True)  # two libraries' names for one ASGI
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://keystead.local") as client:
            yield client


def serve(settings: Settings, on_listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in flight are answered first.

    `on_listening` is called once requests are taken. Raises what `opened` does, and Misconfigured for
    settings that would show tokens to the network.
    """
    require_startable(settings)
    logs.configure_logging(json=not sys.stderr.isatty(), stream=sys.stderr)
    uvloop.run(_serve(settings, on_listening))


async def migrate(settings: Settings) -> str:
    """Bring the database's schema to this program's; says what was done."""
    from keystead.storage.sql import migrate as schema  # noqa: PLC0415 - see `opened`

    prepare(settings.data)
    engine = _engine(settings, statement_timeout=None)
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
        from keystead.storage.sql.migrate import schema_state  # noqa: PLC0415 - see `opened`

        if self._settings.database_url is None and not (self._settings.data / DATABASE).exists():
            return "empty", "there is no file yet"
        state = await schema_state(self._engine)
        return state.kind, f"{state.database or 'none'} of {state.program}"

    async def newest_audit_at(self) -> datetime | None:
        """The last audit entry's instant."""
        async with self._store.read() as tables:
            return await tables.audit.newest_at()

    async def database_now(self) -> datetime | None:
        """The database server's clock; None for SQLite, which has ours."""
        return await self._store.now()

    async def secret_key(self) -> str:
        """`absent`, `unrecorded` (nothing to compare with), `same` or `different`."""
        given = self._settings.secret_key
        secret_key = given.encode() if given is not None else find_secret_key(self._settings.data)
        if secret_key is None:
            return "absent"
        context = _context(self._settings, self._store, UseCounter(), secret_key)
        match await compare_secret_key(context):
            case None:
                return "unrecorded"
            case same:
                return "same" if same else "different"


@asynccontextmanager
async def sounding(settings: Settings) -> AsyncIterator[Sounding]:
    """The database as it stands, whatever its schema; an absent one is not made."""
    engine = _engine(settings)
    try:
        yield Sounding(settings, engine)
    finally:
        await engine.dispose()


async def _flush(counter: UseCounter, store: SqlStore, stop: asyncio.Event) -> None:
    try:
        await counter.run(store, stop=stop)
    except Exception:
        # Keys go on being judged; that nothing is counted any more must not go unnoticed.
        _LOG.exception("uses are no longer counted")
        raise


async def _serve(settings: Settings, on_listening: Callable[[], None]) -> None:
    for risk in risky(settings):
        _LOG.warning("risky setting", setting=risk.setting, problem=risk.problem, fix=risk.fix)
    async with opened(settings) as instance:
        if settings.root_key is not None:
            await pin_root_key(instance.context, settings.root_key)
        server = Server(instance.app(), host=settings.host, port=settings.port, on_listening=on_listening)
        keeping = asyncio.create_task(_keep_house(instance))
        try:
            await server.serve()
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


async def _keep_house(instance: Instance) -> None:
    while True:
        try:
            gone = await purge(instance.context, instance.settings.ephemeral_retention)
            if gone:
                _LOG.info("ephemeral keys purged", keys=gone)
        except Exception:  # noqa: BLE001 - whatever it was, keys go on being judged
            _LOG.exception("housekeeping put off")
        await asyncio.sleep(_HOUSEKEEPING_EVERY.total_seconds())


def _engine(settings: Settings, **options: None) -> AsyncEngine:
    return make_engine(settings.database_url or settings.data / DATABASE, **options)


def _secret_key(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return settings.secret_key.encode()
    return generated_secret_key(settings.data, secrets.token_bytes(_SECRET_KEY_BYTES))


def _context(settings: Settings, store: SqlStore, counter: UseCounter, secret_key: bytes) -> Context:
    return Context(
        store=store,
        index=store,
        uses=counter,
        clock=now,
        entropy=secrets.token_bytes,
        seals=Seals(secret_key),
        bounds=Bounds(
            keys_per_owner=settings.max_keys_per_app,
            apps_per_organization=settings.max_apps_per_organization,
            members_per_organization=settings.max_members_per_organization,
        ),
        token_prefix=settings.token_prefix,
    )
