"""What a server does from its start to its end."""

import asyncio
import gc
import resource
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import structlog
import uvloop

from keystead import logs
from keystead.api.app import make_app
from keystead.api.metrics import Metrics
from keystead.api.server import Server, Site
from keystead.api.surface import Surface
from keystead.services.housekeeping import purge
from keystead.settings import Settings
from keystead.settings.risks import require_startable, risky
from keystead.sockets import Listeners
from keystead.storage.data import replica_folder
from keystead.wiring.instance import Instance, joined, set_up
from keystead.wiring.pages import pages_of

_LOG = structlog.get_logger()
_SET_UP_EVERY_S = 1.0
_TELL_EVERY_S = 1.0
_HOUSEKEEPING_EVERY = timedelta(hours=1)


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
    _allow_many_descriptors()
    uvloop.run(_work(settings, listeners, on_listening, stop))


def _allow_many_descriptors() -> None:
    """Take as many as we may have: each connection is one, and systems give 1024 unless asked."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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
        apps = make_app(instance.door(metrics), surfaces, pages=pages_of(instance))
        sites = [
            Site(app=app, hot=app.hot, sockets=sockets)
            for app, sockets in zip(apps.values(), listeners, strict=False)
        ]
        # What is there now stays: to have it looked through for garbage would take some 70 ms each time, in
        # which nobody is answered.
        gc.freeze()
        server = Server(*sites, on_listening=on_listening, stop=stop)
        beside = [
            asyncio.create_task(_keep_house(instance)),
            asyncio.create_task(_tell_dropped(instance, metrics)),
        ]
        try:
            await server.serve()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
            metrics.close()


async def _tell_dropped(instance: Instance, metrics: Metrics) -> None:
    while True:
        metrics.tell_dropped(instance.context.uses.dropped)
        await asyncio.sleep(_TELL_EVERY_S)


async def _keep_house(instance: Instance) -> None:
    while True:
        try:
            gone = await purge(instance.context, instance.settings.ephemeral_retention)
            if gone:
                _LOG.info("ephemeral keys purged", keys=gone)
        except Exception:  # noqa: BLE001 - whatever it was, keys go on being judged
            _LOG.exception("housekeeping put off")
        await asyncio.sleep(_HOUSEKEEPING_EVERY.total_seconds())
