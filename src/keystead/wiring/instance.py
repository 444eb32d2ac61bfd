"""One process's Keystead: its database set up, its replica kept level, its uses written down."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
from litestar.types import ASGIApp
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead import logs
from keystead.api.app import make_app
from keystead.api.desk import Door
from keystead.api.metrics import Metrics
from keystead.api.surface import Surface
from keystead.domain.errors import Unavailable
from keystead.domain.gcra import Rate
from keystead.domain.instants import MILLISECOND
from keystead.ports.replica import Source
from keystead.replica.applier import Applier
from keystead.replica.files import Files
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp
from keystead.services.context import Context
from keystead.services.instance import pin_root_key, settle_secret_key
from keystead.services.nodes import own_node
from keystead.services.resubmit import resubmit
from keystead.services.throttle import Throttle
from keystead.settings import Settings
from keystead.storage.data import prepare
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from keystead.usage.counter import UseCounter
from keystead.wiring.parts import context_of, engine_of, now, primary_of, replica_files

FIRST_LEVEL_WITHIN = timedelta(seconds=5)
"""How long opening waits for the replica; building one for the first time may take longer, and goes on."""

_RENEW_EVERY_S = 1.0
_MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process's Keystead, open."""

    settings: Settings
    engine: AsyncEngine
    store: SqlStore
    context: Context
    source: Source
    files: Files
    stamp: Stamp

    @property
    def management_rate(self) -> Rate:
        """How often anybody may call the management API, or ask for pages."""
        per_minute = self.settings.management_rate_per_minute
        return Rate(units=per_minute, period_s=_MINUTE_S, burst=self.settings.management_burst)

    def app(self, *, as_operator: bool = False) -> ASGIApp:
        """The HTTP application; `as_operator` lets whoever calls it do all: for this process only."""
        return make_app(self.door(Metrics(), as_operator=as_operator))[Surface.ALL]

    def door(self, metrics: Metrics, *, as_operator: bool = False) -> Door:
        """What the API needs to know at its door."""
        return Door(
            context=self.context,
            throttle=Throttle(self.management_rate),
            metrics=metrics,
            places=self.settings.token_places,
            trusted_proxies=self.settings.trusted_proxies,
            as_operator=as_operator,
            rebuilding=lambda: self.stamp.rebuilding,
        )


async def set_up(settings: Settings) -> bool:
    """Bring an empty database to our schema, settle the secret key, and pin the root key that settings give.

    False when the database is away and this node has a replica to serve from meanwhile: to be called again.
    Raises Misconfigured for a data directory, schema or secret key that will not do, Unavailable.
    """
    # Alembic is only needed here; what only verifies need not carry it.
    from keystead.storage.sql import migrate as schema  # noqa: PLC0415

    prepare(settings.data)
    engine = engine_of(settings)
    try:
        await schema.set_up(engine, now=now(), data=settings.data)
        with replica_files(settings) as (files, stamp):
            context = context_of(settings, SqlStore(engine), UseCounter(), ReplicaIndex(files, stamp))
            await settle_secret_key(context)
            if settings.root_key is not None:
                await pin_root_key(context, settings.root_key)
    except Unavailable:
        with replica_files(settings) as (_, stamp):
            if stamp.generation == 0:
                raise
        return False
    finally:
        await engine.dispose()
    return True


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Instance]:
    """An instance on the settings' database, set up if it was empty, and fresh. Raises what `set_up` does.

    When it is not fresh within `FIRST_LEVEL_WITHIN`, it is opened as it is.
    """
    await set_up(settings)
    async with joined(settings, younger_than=settings.fresh_for) as instance:
        yield instance


@asynccontextmanager
async def joined(settings: Settings, *, younger_than: timedelta | None = None) -> AsyncIterator[Instance]:
    """An instance on a database that is set up; its uses are flushed, its replica kept level until it closes.

    Waits a little until the replica was level less than `younger_than` ago, or not too long to judge keys: it
    may be opened long after it was closed. Of several on one data directory one keeps it for all.
    """
    bound_ms = (younger_than or settings.stale_limit) // MILLISECOND
    engine, stop = engine_of(settings), asyncio.Event()
    with replica_files(settings) as (files, stamp):
        try:
            store, counter, source = SqlStore(engine), UseCounter(), SqlSource(primary_of(settings))
            index = ReplicaIndex(files, stamp)
            context = context_of(settings, store, counter, index)
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
                asyncio.create_task(counter.run(store, stop=stop)),
                asyncio.create_task(applier.run(stop)),
                asyncio.create_task(_renew(index, stop)),
            ]
            try:
                await index.await_level(FIRST_LEVEL_WITHIN, bound_ms)
                yield Instance(
                    settings=settings,
                    engine=engine,
                    store=store,
                    context=context,
                    source=source,
                    files=files,
                    stamp=stamp,
                )
            finally:
                stop.set()
                # Each logs its own trouble; the files are let go of whatever it was.
                await asyncio.gather(*tasks, return_exceptions=True)
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


async def _renew(index: ReplicaIndex, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(Unavailable):
            index.renew()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _RENEW_EVERY_S)
