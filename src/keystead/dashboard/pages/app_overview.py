"""An app's Overview: its keys at a glance, what is worth a look at them, and the first steps of a new one."""

from dataclasses import dataclass
from datetime import datetime

from litestar import Response, get
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor, Caller
from keystead.dashboard.render import page
from keystead.dashboard.standing import InApp, in_app, say
from keystead.dashboard.viewer import Crumb
from keystead.domain.checkup import Finding, Steps, find, steps
from keystead.domain.keys import Key
from keystead.domain.powers import Power
from keystead.ports.store import KeyFilter, Listing, Page
from keystead.services.reading import list_app_keys

LOOKED_AT = 200
"""So many keys are looked at, the newest ones: an app with thousands costs no more than one with these."""

SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fix:
    """Where a finding is mended: of one key, `below` its page, and of all, `path` below the app's."""

    below: str
    path: str


_FIXES = {
    Finding.PUBLIC_WITHOUT_ORIGINS: _Fix(below="/edit", path="/settings#f-allowed_origins"),
    Finding.NO_CONSTRAINTS: _Fix(below="/edit", path="/keys"),
    Finding.UNUSED: _Fix(below="", path="/keys?unused=90d"),
    Finding.NOT_ROLLED: _Fix(below="/roll", path="/keys"),
    Finding.NO_EXPIRY: _Fix(below="/edit", path="/keys"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding with the keys that it is about; `fix` is below a key's path, `path` where all are mended."""

    name: str
    keys: list[Key]
    fix: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an app has come; `narrow_at` is where its first key, or without one the app, is narrowed."""

    steps: Steps
    narrow_at: str
    may_make: bool


@get("/apps/{app_id:str}")
async def get_overview(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The Overview of an app."""
    here = await in_app(caller, app_id)
    now = caller.context.clock()
    keys = await _keys(caller, here, now)
    return page(
        caller.request,
        "apps/overview.html",
        place=here.place("app-overview", Crumb(say(caller.request, "apps.tab-overview"))),
        app=here.app,
        shown=keys.items[:SHOWN],
        looked_at=len(keys.items),
        partly=keys.more,
        findings=_found(here, keys, now),
        progress=_progress(here, keys),
    )


@get("/apps/{app_id:str}/steps")
async def get_steps(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The first steps of an app alone: what the Overview asks for again while one is left."""
    here = await in_app(caller, app_id)
    keys = await _keys(caller, here, caller.context.clock())
    return page(caller.request, "apps/steps.html", app=here.app, progress=_progress(here, keys))


async def _keys(caller: Caller, here: InApp, now: datetime) -> Listing[Key]:
    return await list_app_keys(
        caller.context, here.actor, here.app.id, KeyFilter(now=now), Page(limit=LOOKED_AT)
    )


def _found(here: InApp, keys: Listing[Key], now: datetime) -> list[Found]:
    return [
        Found(
            name=finding.value,
            keys=list(about),
            fix=_FIXES[finding].below,
            path=here.path(_FIXES[finding].path),
        )
        for finding, about in find(here.app, keys.items, now).items()
        if about
    ]


def _progress(here: InApp, keys: Listing[Key]) -> Progress:
    first = keys.items[-1] if keys.items else None
    return Progress(
        steps=steps(here.app, keys.items),
        narrow_at=f"/keys/{first.id}/edit" if first else here.path("/settings#f-allowed_origins"),
        may_make=here.may(Power.CHANGE_APP_KEYS),
    )


ROUTES = (get_overview, get_steps)
