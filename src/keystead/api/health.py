"""Liveness, readiness and metrics."""

from typing import Any

from litestar import MediaType, Request, Response, Router, get

from keystead.api.desk import AtDesk, Door, admit, provide_desk
from keystead.api.metrics import CONTENT_TYPE
from keystead.api.problem import MEDIA_TYPE, Problem, unavailable_problem
from keystead.api.problems import request_id
from keystead.api.wire import View
from keystead.domain.errors import Unavailable
from keystead.domain.powers import Power
from keystead.services.access import require


class Health(View):
    """A word on how we are."""

    status: str


@get("/healthz", include_in_schema=False)
async def get_health() -> Health:
    """Whether this process answers."""
    return Health(status="ok")


@get("/readyz", include_in_schema=False)
async def get_readiness(request: Request[Any, Any, Any]) -> Response[Health] | Response[Problem]:
    """Whether keys can be judged here."""
    door: Door = request.app.state.door
    try:
        async with door.context.store.read() as tables:
            await tables.changes.newest()
    except Unavailable as error:
        problem = unavailable_problem(str(error), request_id(request))
        return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE)
    return Response(Health(status="ready"))


@get(
    "/metrics",
    guards=[admit],
    dependencies={"desk": provide_desk},
    include_in_schema=False,
    media_type=MediaType.TEXT,
)
async def get_metrics(desk: AtDesk) -> Response[bytes]:
    """Prometheus' text format; needs `metrics:read`."""
    require(desk.actor.principal, Power.READ_METRICS)
    return Response(desk.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


HEALTH_ROUTES = Router(path="/", route_handlers=[get_health, get_readiness, get_metrics])
