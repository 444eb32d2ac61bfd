"""What an edge makes of a policy, kept for as long as the policy itself is likely to be."""

from collections.abc import Callable
from typing import Generic, TypeVar

from keystead.domain.policy import Policy, Rules, Tenant

T = TypeVar("T")

MOST = 10_000
"""How many are kept; beyond, all are forgotten, since those still in use are soon made again."""


class ByPolicy(Generic[T]):
    """`make` of a policy, which must rest on its rules, its organization and its app alone.

    Holds those parts and not the policy, whose compiled constraints may be large. They are compared by
    identity: a policy is never changed, and one that is made anew is made of new parts.
    """

    def __init__(self, make: Callable[[Policy], T]) -> None:
        self._make = make
        self._kept: dict[int, tuple[Rules, Tenant | None, Tenant | None, T]] = {}

    def __call__(self, policy: Policy) -> T:
        """What `make` gave for this policy, now or before."""
        kept = self._kept.get(id(policy.rules))
        if (
            kept is not None
            and kept[0] is policy.rules
            and kept[1] is policy.organization
            and kept[2] is policy.app
        ):
            return kept[3]
        return self._made(policy)

    def _made(self, policy: Policy) -> T:
        if len(self._kept) >= MOST:
            self._kept.clear()
        made = self._make(policy)
        self._kept[id(policy.rules)] = (policy.rules, policy.organization, policy.app, made)
        return made
