"""What may be granted: the catalogue says which scopes exist, the ceiling how far an organization goes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from keystead.domain.errors import Denied, InvalidInput
from keystead.domain.scopes import scopes_cover
from keystead.domain.tenants import CatalogueScope, Ceiling

MAX_LIFETIME = timedelta(days=36_525)
"""A hundred years: what lives longer is written as no expiry."""

MAX_EPHEMERAL_LIFETIME = timedelta(days=1)
DEFAULT_EPHEMERAL_LIFETIME = timedelta(hours=1)


def require_grantable(
    wanted: Sequence[str], catalogue: Mapping[str, CatalogueScope], ceiling: Ceiling, *, by_provider: bool
) -> None:
    """Raise for the first of `wanted` (the scopes newly granted) that may not be granted.

    InvalidInput for one outside the catalogue, a wildcard not listed as such included; Denied
    (`above-ceiling`) for one that is the provider's to grant, or that the ceiling does not cover.
    """
    for scope in wanted:
        listed = catalogue.get(scope)
        if listed is None:
            raise InvalidInput(
                "scopes",
                f"{scope} is not in the scope catalogue; add it there first, or leave it out",
                rule="scope-not-listed",
                scope=scope,
            )
        if not by_provider and not listed.customer_grantable:
            problem = f"The scope {scope} is granted by the provider only."
            raise _above(problem, rule="scope-of-provider", field="scopes", scope=scope)
        if ceiling.scopes is not None and not scopes_cover(ceiling.scopes, (scope,)):
            problem = f"The scope {scope} is above the organization's ceiling."
            raise _above(problem, rule="scope-above-ceiling", field="scopes", scope=scope)


def choose_expiry(
    asked: datetime | None, *, given: bool, now: datetime, ceiling: Ceiling | None, ephemeral: bool
) -> datetime | None:
    """When a key expires: as `asked`, else what the ceiling or being ephemeral says, else never (None).

    `given` tells an expiry that was asked for, none included, from one that was not. Raises InvalidInput for
    an expiry that is not in the future or, for an ephemeral key, over a day away, and Denied
    (`above-ceiling`) for one beyond the ceiling's lifetime.
    """
    most = ceiling.max_lifetime if ceiling is not None else None
    if not given:
        usual = DEFAULT_EPHEMERAL_LIFETIME if ephemeral else most
        lifetime = min((it for it in (usual, most) if it is not None), default=None)
        return None if lifetime is None else now + lifetime
    if asked is not None and not now < asked <= now + MAX_LIFETIME:
        problem = "must be in the future, and at most a hundred years from now"
        raise InvalidInput("expires_at", problem, rule="expiry-out-of-range")
    if ephemeral and (asked is None or asked > now + MAX_EPHEMERAL_LIFETIME):
        raise InvalidInput("expires_at", "an ephemeral key lives a day at most", rule="ephemeral-too-long")
    if most is not None and (asked is None or asked > now + most):
        problem = (
            f"Keys of this organization live {int(most.total_seconds())} seconds at most (max_lifetime_s)."
        )
        raise _above(problem, rule="expiry-above-ceiling", field="expires_at", most=most)
    return asked


def _above(problem: str, *, rule: str, field: str, **values: object) -> Denied:
    return Denied(problem, code="above-ceiling", rule=rule, field=field, **values)
