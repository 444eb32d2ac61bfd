"""Liveness, readiness and metrics."""

from typing import Any

import msgspec
from litestar import MediaType, Request, Response, Router, get
from msgspec import UNSET, UnsetType

from keystead.api.desk import Door, admit_reader, is_reader
from keystead.api.metrics import CONTENT_TYPE
from keystead.api.problem import MEDIA_TYPE, Problem
from keystead.api.problems import RETRY
from keystead.api.refusals import refusal_problem
from keystead.api.wire import View
from keystead.domain.verdict import Reason
from keystead.ports.replica import EVER_MS
from keystead.web.request_id import request_id


class Health(View):
    """A word on how we are."""

    status: str


class Rebuild(View):
    """How many tokens of about how many a rebuild has written."""

    done: int
    expected: int


class Level(View):
    """How level this node's replica is; `age_s` is how long ago it was proved so, null if it never was."""

    applied_epoch: int
    age_s: float | None
    degraded: bool
    rebuild: Rebuild | None


class Readiness(Health, kw_only=True):
    """Keys are judged here; `replica` only for who may read metrics."""

    replica: Level | UnsetType = UNSET


class NotReady(Problem, kw_only=True):
    """Keys cannot be judged here now."""

    replica: Level | UnsetType = UNSET


@get("/healthz", include_in_schema=False)
async def get_health() -> Health:
    """Whether this process answers."""
    return Health(status="ok")


@get("/readyz", include_in_schema=False)
async def get_readiness(request: Request[Any, Any, Any]) -> Response[Readiness] | Response[NotReady]:
    """Whether keys can be judged here; asks this node's replica alone."""
    door: Door = request.app.state.door
    age_ms = door.context.replica.age_ms()
    level = _level(door, age_ms) if is_reader(request) else UNSET
    if age_ms < door.context.freshness.stale_limit_ms:
        return Response(Readiness(status="ready", replica=level))
    told = msgspec.structs.asdict(refusal_problem(Reason.STALE, request_id(request)))
    return Response(NotReady(**told, replica=level), status_code=503, media_type=MEDIA_TYPE, headers=RETRY)


@get("/metrics", guards=[admit_reader], include_in_schema=False, media_type=MediaType.TEXT)
async def get_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Prometheus' text format, of the whole node; needs `metrics:read`, but on the internal listener."""
    door: Door = request.app.state.door
    return Response(door.metrics.render(door.context), headers={"Content-Type": CONTENT_TYPE})


def _level(door: Door, age_ms: int) -> Level:
    rebuilding = door.rebuilding()
    return Level(
        applied_epoch=door.context.replica.applied_epoch(),
        age_s=age_ms / 1000 if age_ms < EVER_MS else None,
        degraded=age_ms >= door.context.freshness.fresh_for_ms,
        rebuild=None if rebuilding is None else Rebuild(done=rebuilding[0], expected=rebuilding[1]),
    )


HEALTH_ROUTES = Router(path="/", route_handlers=[get_health, get_readiness, get_metrics])
