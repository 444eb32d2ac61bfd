"""A customer cannot widen: what a key may make or change is provably no wider than itself."""

from dataclasses import dataclass
from datetime import timedelta

from keystead.domain.constraints import Constraint, covers
from keystead.domain.keys import Key
from keystead.domain.networks import networks_cover
from keystead.domain.origins import origins_cover
from keystead.domain.scopes import scopes_cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a key goes. An empty list is no restriction; `lifetime` None is for ever."""

    constraints: tuple[Constraint, ...]
    allowed_origins: tuple[str, ...]
    allowed_networks: tuple[str, ...]
    scopes: tuple[str, ...]
    lifetime: timedelta | None


def reach_of(key: Key) -> Reach:
    """The reach of `key`; its lifetime is the one it was given, not what is left of it."""
    return Reach(
        constraints=key.constraints,
        allowed_origins=key.allowed_origins,
        allowed_networks=key.allowed_networks,
        scopes=key.scopes,
        lifetime=key.lifetime,
    )


def wider_in(outer: Reach, inner: Reach) -> str | None:
    """The first field in which `inner` is not proved to be within `outer`, or None when it is all within."""
    within = {
        "constraints": covers(outer.constraints, inner.constraints),
        "allowed_origins": origins_cover(outer.allowed_origins, inner.allowed_origins),
        "allowed_networks": networks_cover(outer.allowed_networks, inner.allowed_networks),
        "scopes": scopes_cover(outer.scopes, inner.scopes),
        "expires_at": _lives_within(outer.lifetime, inner.lifetime),
    }
    return next((field for field, proved in within.items() if not proved), None)


def _lives_within(outer: timedelta | None, inner: timedelta | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)
