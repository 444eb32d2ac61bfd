"""An app's Overview: its keys at a glance, what is worth a look at them, and the first steps of a new one."""

from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Response, get
from litestar.params import FromPath

from keystead.dashboard.door import AtDoor
from keystead.dashboard.render import is_scripted, page, redirect
from keystead.dashboard.standing import InApp, in_app, say
from keystead.dashboard.viewer import Crumb
from keystead.domain.checkup import Finding, Steps
from keystead.domain.keys import Key
from keystead.domain.powers import Power
from keystead.services.checkup import Checkup, check_up

SHOWN = 5
NAMED = 3
"""So many keys are named at each finding; the list that it leads to has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fix:
    """Where a finding is mended: of one key, `below` its page; `path` below the app's, if for all at once."""

    below: str
    path: str | None = None


_FIXES = {
    Finding.IN_BROWSER: _Fix(below="/roll"),
    Finding.PUBLIC_WITHOUT_ORIGINS: _Fix(below="/edit", path="/settings#f-allowed_origins"),
    Finding.NO_CONSTRAINTS: _Fix(below="/edit"),
    Finding.UNUSED: _Fix(below=""),
    Finding.NOT_ROLLED: _Fix(below="/roll"),
    Finding.NO_EXPIRY: _Fix(below="/edit"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding about `count` keys, some of them named.

    `fix` is below a key's path, `path` where it is mended, `every` the list of all that it is about.
    """

    name: str
    count: int
    keys: Sequence[Key]
    fix: str
    path: str
    every: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an app has come; `narrow_at` is where its newest key, or without one the app, is narrowed."""

    steps: Steps
    narrow_at: str
    may_make: bool


@get("/apps/{app_id:str}")
async def get_overview(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The Overview of an app."""
    here = await in_app(caller, app_id)
    found = await check_up(caller.context, here.actor, here.app.id, few=NAMED, newest=SHOWN)
    return page(
        caller.request,
        "apps/overview.html",
        place=here.place("app-overview", Crumb(say(caller.request, "apps.tab-overview"))),
        app=here.app,
        shown=found.newest,
        active=found.survey.active,
        findings=[_found(here, found, finding) for finding in found.about],
        progress=_progress(here, found),
    )


@get("/apps/{app_id:str}/steps")
async def get_steps(caller: AtDoor, app_id: FromPath[str]) -> Response[str]:
    """The first steps of an app alone: what the Overview asks for again while one is left."""
    here = await in_app(caller, app_id)
    if not is_scripted(caller.request):
        # No page: whoever had to sign in meanwhile comes back to it.
        return redirect(caller.request, here.path())
    found = await check_up(caller.context, here.actor, here.app.id, few=0, newest=1)
    return page(caller.request, "apps/steps.html", app=here.app, progress=_progress(here, found))


def _found(here: InApp, found: Checkup, finding: Finding) -> Found:
    fix, keys = _FIXES[finding], found.about[finding]
    count = found.survey.found[finding]
    every = here.path(f"/keys?finding={finding}")
    path = f"/keys/{keys[0].id}{fix.below}" if count == 1 else every
    if fix.path is not None and here.may(Power.CHANGE_APPS):
        path = here.path(fix.path)
    return Found(
        name=finding.value,
        count=count,
        keys=keys,
        fix=fix.below,
        path=path,
        every=every,
    )


def _progress(here: InApp, found: Checkup) -> Progress:
    newest = next(iter(found.newest), None)
    return Progress(
        steps=found.steps,
        narrow_at=here.path("/settings#f-allowed_origins") if newest is None else f"/keys/{newest.id}/edit",
        may_make=here.may(Power.CHANGE_APP_KEYS),
    )


ROUTES = (get_overview, get_steps)
