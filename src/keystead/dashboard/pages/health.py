"""The instance, for operators: how it is doing, and which settings are in effect."""

from dataclasses import dataclass
from itertools import groupby
from typing import cast

from litestar import Response, get

from keystead.dashboard.door import AtDoor, Caller, Entrance
from keystead.dashboard.render import page
from keystead.dashboard.standing import instance_place
from keystead.domain.powers import Power
from keystead.ports.replica import EVER_MS
from keystead.services.access import require
from keystead.services.nodes import list_nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How level this node's replica is. `age_ms` None: it never was."""

    age_ms: int | None
    fresh: bool
    serves: bool


@get("/instance/health")
async def get_health(caller: AtDoor) -> Response[str]:
    """Nodes with their epochs, this node's replica, and the database."""
    context = caller.context
    began_ms = context.clock_ms()
    nodes = await list_nodes(context, caller.actor(None))
    took_ms = context.clock_ms() - began_ms
    age_ms = context.replica.age_ms()
    freshness = context.freshness
    own = next(it for it in nodes if it.own)
    return page(
        caller.request,
        "instance/health.html",
        place=instance_place(caller.request, "health"),
        nodes=nodes,
        own=own,
        newest=own.node.applied_epoch + own.lag,
        level=Level(
            age_ms=age_ms if age_ms < EVER_MS else None,
            fresh=age_ms < freshness.fresh_for_ms,
            serves=age_ms < freshness.stale_limit_ms,
        ),
        freshness=freshness,
        database=_entrance(caller).database,
        took_ms=took_ms,
    )


@get("/instance/settings")
async def get_settings(caller: AtDoor) -> Response[str]:
    """Every setting in effect, with where it was given."""
    require(caller.actor(None).principal, Power.MANAGE_OPERATORS)
    settings = _entrance(caller).in_effect
    return page(
        caller.request,
        "instance/settings.html",
        place=instance_place(caller.request, "instance-settings"),
        groups=[(name, list(items)) for name, items in groupby(settings, key=lambda it: it.group)],
    )


def _entrance(caller: Caller) -> Entrance:
    return cast("Entrance", caller.request.app.state.entrance)


ROUTES = (get_health, get_settings)
