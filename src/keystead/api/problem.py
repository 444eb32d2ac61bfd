"""The shape of an error: problem details (RFC 9457)."""

import msgspec

MEDIA_TYPE = "application/problem+json"


class FieldProblem(msgspec.Struct, kw_only=True):
    """One fault in what was sent: the field, and how to mend it."""

    field: str
    problem: str


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An error. `type` is a stable slug and what programs look at; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = msgspec.field(default_factory=list)


def unavailable_problem(detail: str, request_id: str) -> Problem:
    """The database did not answer."""
    return Problem(type="unavailable", title="Unavailable", status=503, detail=detail, request_id=request_id)


def internal_problem(request_id: str) -> Problem:
    """A fault of ours: the log has it, the answer only the request id to find it by."""
    detail = "Something went wrong on our side. Tell the operator the request id."
    return Problem(
        type="internal-error", title="Internal error", status=500, detail=detail, request_id=request_id
    )


def missing_problem(request_id: str) -> Problem:
    """No such path."""
    detail = "There is nothing here. `/api/docs` lists what there is."
    return Problem(type="not-found", title="Not found", status=404, detail=detail, request_id=request_id)
