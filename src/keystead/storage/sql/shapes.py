"""How values without columns of their own are kept as JSON.

Compatibility: each carries its shape's number `v`. A reader knows every shape that was ever written; one it
does not know is an error, never a rule left out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from keystead.domain.constraints import Constraint, ConstraintType
from keystead.domain.instants import MILLISECOND
from keystead.domain.keys import By, ByKind
from keystead.domain.tenants import Ceiling, Suspension
from keystead.storage.sql.seam import Refused

_SHAPE = 1


def constraints_to_json(constraints: Sequence[Constraint]) -> object:
    return {"v": _SHAPE, "any": [[c.type, c.pattern, c.methods] for c in constraints]}


def constraints_from_json(stored: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """The constraints as they were validated when they were made; a rule of today is not applied to them."""
    _require_known(stored)
    return tuple(
        Constraint(type=ConstraintType(type_), pattern=pattern, methods=tuple(methods))
        for type_, pattern, methods in stored["any"]
    )


def ceiling_to_json(ceiling: Ceiling) -> object:
    return {
        "v": _SHAPE,
        "scopes": ceiling.scopes,
        "max_lifetime_ms": None if ceiling.max_lifetime is None else ceiling.max_lifetime // MILLISECOND,
        "public_methods": ceiling.public_methods,
    }


def ceiling_from_json(stored: Mapping[str, Any]) -> Ceiling:
    _require_known(stored)
    scopes, lifetime_ms = stored["scopes"], stored["max_lifetime_ms"]
    return Ceiling(
        scopes=None if scopes is None else tuple(scopes),
        max_lifetime=None if lifetime_ms is None else timedelta(milliseconds=lifetime_ms),
        public_methods=tuple(stored["public_methods"]),
    )


def suspension_to_row(suspension: Suspension | None) -> dict[str, object]:
    """The three columns of a suspension, empty for none."""
    return {
        "suspended_at": None if suspension is None else suspension.at,
        "suspended_by_kind": None if suspension is None else suspension.by.kind,
        "suspended_by_id": None if suspension is None else suspension.by.id,
    }


def suspension_from_row(at: datetime | None, kind: str | None, identifier: str | None) -> Suspension | None:
    by = by_from_row(kind, identifier)
    return None if at is None or by is None else Suspension(at=at, by=by)


def by_from_row(kind: str | None, identifier: str | None) -> By | None:
    """Who did it, from two columns; None when nobody did."""
    return None if kind is None or identifier is None else By(kind=ByKind(kind), id=identifier)


def _require_known(stored: Mapping[str, Any]) -> None:
    if stored.get("v") != _SHAPE:
        raise Refused("a stored value has a shape that this version does not know")
