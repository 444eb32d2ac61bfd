"""What an edge makes of a policy, kept with the policy: it is gone when that is."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from keystead.domain.policy import Policy

T = TypeVar("T")


class ByPolicy(Generic[T]):
    """`make` of a policy, made once for each."""

    def __init__(self, make: Callable[[Policy], T]) -> None:
        self._make = make

    def __call__(self, policy: Policy) -> T:
        """What `make` gave for this policy, now or before; it is never None."""
        kept = policy.kept.get(self)
        if kept is None:
            kept = policy.kept[self] = self._make(policy)
        return cast("T", kept)
