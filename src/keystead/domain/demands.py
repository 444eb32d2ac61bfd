"""What a route asks of a key, read from where its operator wrote it; never from what a client sends."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment, KeyType, OwnerKind
from keystead.domain.scopes import make_scopes
from keystead.domain.verdict import Demands

MAX_COST = 1_000_000

T = TypeVar("T")

_ENVIRONMENTS: Mapping[str, Environment | None] = {
    "live": Environment.LIVE,
    "test": Environment.TEST,
    "any": None,
}
_TYPES: Mapping[str, KeyType | None] = {
    "any": None,
    "secret": KeyType.SECRET,
    "public": KeyType.PUBLIC,
}
_OWNERS: Mapping[str, OwnerKind | None] = {"app": OwnerKind.APP, "user": OwnerKind.USER, "any": None}


def make_demands(
    *,
    scopes: Sequence[str] = (),
    environment: str = "live",
    type: str = "any",  # noqa: A002 - the word of the wire
    owner: str = "app",
    cost: int = 1,
) -> Demands:
    """Demands from their words. Raises InvalidInput naming the one that is not understood."""
    if not 0 <= cost <= MAX_COST:
        raise InvalidInput("cost", f"write a whole number from 0 to {MAX_COST}", rule="cost")
    return Demands(
        scopes=make_scopes(scopes, field="scopes"),
        environment=_chosen(_ENVIRONMENTS, environment, "environment"),
        type=_chosen(_TYPES, type, "type"),
        owner=_chosen(_OWNERS, owner, "owner"),
        cost=cost,
    )


def _chosen(choices: Mapping[str, T], word: str, field: str) -> T:
    if word not in choices:
        raise InvalidInput(field, f"write one of {', '.join(choices)}", rule="one-of")
    return choices[word]
