"""The only file that names concrete things: which store, which clock, which server."""

import asyncio
import secrets
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
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
from keystead.api.server import Server, Site
from keystead.api.surface import Surface
from keystead.domain.errors import Unavailable
from keystead.domain.gcra import Rate
from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, NodeId, make_id
from keystead.domain.instants import MILLISECOND, at
from keystead.ports import Replica
from keystead.replica.applier import Applier
from keystead.replica.files import Files, Folder
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp
from keystead.services.context import Bounds, Context, Freshness, Seals
from keystead.services.housekeeping import purge
from keystead.services.instance import compare_secret_key, pin_root_key, settle_secret_key
from keystead.services.nodes import own_node
from keystead.services.resubmit import resubmit
from keystead.services.throttle import Throttle
from keystead.settings import Settings
from keystead.settings.risks import require_startable, risky
from keystead.sockets import Listeners
from keystead.storage.data import (
    DATABASE,
    find_secret_key,
    generated_secret_key,
    kept_node_id,
    prepare,
    replica_folder,
)
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from keystead.usage.counter import UseCounter

_LOG = structlog.get_logger()
FIRST_LEVEL_WITHIN = timedelta(seconds=5)
"""How long opening waits for the replica; building one for the first time may take longer, and goes on."""

_RENEW_EVERY_S = 1.0
_SET_UP_EVERY_S = 1.0
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
    stamp: Stamp

    def app(self, *, as_operator: bool = False) -> ASGIApp:
        """The HTTP application; `as_operator` lets whoever calls it do all: for this process only."""
        return make_app(self.door(Metrics(), as_operator=as_operator))[Surface.ALL]

    def door(self, metrics: Metrics, *, as_operator: bool = False) -> Door:
        """What the API needs to know at its door."""
        per_minute = self.settings.management_rate_per_minute
        rate = Rate(units=per_minute, period_s=_MINUTE_S, burst=self.settings.management_burst)
        return Door(
            context=self.context,
            throttle=Throttle(rate),
            metrics=metrics,
            places=self.settings.token_places,
            trusted_proxies=self.settings.trusted_proxies,
            as_operator=as_operator,
            rebuilding=lambda: self.stamp.rebuilding,
        )


def now_ms() -> int:
    """The wall clock, in whole milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def now() -> datetime:
    """The wall clock, as aware UTC in whole milliseconds."""
    return at(now_ms())


async def set_up(settings: Settings) -> bool:
    """Bring an empty database to our schema, settle the secret key, and pin the root key that settings give.

    False when the database is away and this node has a replica to serve from meanwhile: to be called again.
    Raises Misconfigured for a data directory, schema or secret key that will not do, Unavailable.
    """
    # Alembic is only needed here; what only verifies need not carry it.
    from keystead.storage.sql import migrate as schema  # noqa: PLC0415

    prepare(settings.data)
    engine = _engine(settings)
    try:
        await schema.set_up(engine, now=now(), data=settings.data)
        with _files(settings) as (files, stamp):
            context = _context(settings, SqlStore(engine), UseCounter(), ReplicaIndex(files, stamp))
            await settle_secret_key(context)
            if settings.root_key is not None:
                await pin_root_key(context, settings.root_key)
    except Unavailable:
        with _files(settings) as (_, stamp):
            if stamp.generation == 0:
                raise
        return False
    finally:
        await engine.dispose()
    return True


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Instance]:
    """An instance on the settings' database, set up if it was empty. Raises what `set_up` does."""
    await set_up(settings)
    async with joined(settings) as instance:
        yield instance


@asynccontextmanager
async def joined(settings: Settings) -> AsyncIterator[Instance]:
    """An instance on a database that is set up; its uses are flushed, its replica kept level until it closes.

    Waits a little for the replica to be level first. Of several on one data directory one keeps it for all.
    """
    engine, stop = _engine(settings), asyncio.Event()
    with _files(settings) as (files, stamp):
        try:
            store, counter, source = SqlStore(engine), UseCounter(), SqlSource(_primary(settings))
            index = ReplicaIndex(files, stamp)
            context = _context(settings, store, counter, index)
            applier = Applier(
                files=files,
                stamp=stamp,
                source=source,
                node=own_node(context),
                resubmit=partial(resubmit, context),
                fresh_for=settings.fresh_for,
            )
            index.on_wait(applier.nudge)
            tasks = [
                asyncio.create_task(_flush(counter, store, stop)),
                asyncio.create_task(applier.run(stop)),
                asyncio.create_task(_renew(index, stop)),
            ]
            try:
                await index.await_level(FIRST_LEVEL_WITHIN)
                yield Instance(settings=settings, engine=engine, store=store, context=context, stamp=stamp)
            finally:
                stop.set()
                await asyncio.gather(*tasks)
                index.close()
                await source.close()
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


def begin(settings: Settings) -> None:
    """What a server does first: judge its settings, and log to stderr.

    Raises Misconfigured for settings that would show tokens to the network.
    """
    require_startable(settings)
    logs.configure_logging(json=not sys.stderr.isatty(), stream=sys.stderr)
    for risk in risky(settings):
        _LOG.warning("risky setting", setting=risk.setting, problem=risk.problem, fix=risk.fix)


def set_up_later(settings: Settings) -> None:
    """Try `set_up` again each second until it succeeds, in a thread that ends with the process."""
    threading.Thread(target=lambda: asyncio.run(_set_up_later(settings)), daemon=True).start()


def work(
    settings: Settings,
    listeners: Listeners,
    *,
    on_listening: Callable[[], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Serve on `listeners` until SIGTERM, Ctrl-C or `stop`; requests in flight are answered first.

    The database must be set up. `on_listening` is called once requests are taken.
    """
    uvloop.run(_work(settings, listeners, on_listening, stop))


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
        match await compare_secret_key(self._store, Seals(secret_key)):
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


async def _renew(index: ReplicaIndex, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(Unavailable):
            index.renew()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RENEW_EVERY_S)


async def _set_up_later(settings: Settings) -> None:
    done = False
    while not done:
        await asyncio.sleep(_SET_UP_EVERY_S)
        try:
            done = await set_up(settings)
        except Exception:  # noqa: BLE001 - keys go on being judged, and somebody must read of it
            _LOG.exception("the database could not be set up")


async def _work(
    settings: Settings,
    listeners: Listeners,
    on_listening: Callable[[], None],
    stop: Callable[[], bool],
) -> None:
    async with joined(settings) as instance:
        metrics = Metrics(replica_folder(settings.data))
        surfaces = [Surface.PUBLIC, Surface.INTERNAL] if listeners.internal else [Surface.ALL]
        apps = make_app(instance.door(metrics), surfaces)
        sites = [
            Site(app=app, hot=app.hot, sockets=sockets)
            for app, sockets in zip(apps.values(), listeners, strict=False)
        ]
        server = Server(*sites, on_listening=on_listening, stop=stop)
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


def _primary(settings: Settings) -> str | Path:
    return settings.database_url or settings.data / DATABASE


def _engine(settings: Settings, **options: None) -> AsyncEngine:
    return make_engine(_primary(settings), **options)


@contextmanager
def _files(settings: Settings) -> Iterator[tuple[Files, Stamp]]:
    files = Files(Folder(replica_folder(settings.data)))
    stamp = Stamp(files.folder.stamp)
    try:
        yield files, stamp
    finally:
        files.close()
        stamp.close()


def _secret_key(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return settings.secret_key.encode()
    return generated_secret_key(settings.data, secrets.token_bytes(_SECRET_KEY_BYTES))


def _context(settings: Settings, store: SqlStore, counter: UseCounter, replica: Replica) -> Context:
    fresh_id = make_id(IdKind.NODE, secrets.token_bytes(ID_ENTROPY_BYTES))
    return Context(
        store=store,
        replica=replica,
        uses=counter,
        clock_ms=now_ms,
        entropy=secrets.token_bytes,
        seals=Seals(_secret_key(settings)),
        bounds=Bounds(
            keys_per_owner=settings.max_keys_per_app,
            apps_per_organization=settings.max_apps_per_organization,
            members_per_organization=settings.max_members_per_organization,
        ),
        freshness=Freshness(
            fresh_for_ms=settings.fresh_for // MILLISECOND,
            stale_limit_ms=settings.stale_limit // MILLISECOND,
        ),
        token_prefix=settings.token_prefix,
        node_id=NodeId(kept_node_id(settings.data, fresh_id)),
        node_name=settings.node_name or socket.gethostname(),
    )
