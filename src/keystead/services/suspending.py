"""Suspending and resuming organizations, apps and users: keys below are refused, and not touched."""

from datetime import datetime

from msgspec import UnsetType

from keystead.domain.errors import Denied
from keystead.domain.powers import Principal, is_provider
from keystead.domain.tenants import Suspension


def suspension(
    current: Suspension | None,
    disabled: bool | UnsetType,  # noqa: FBT001 - as it was sent
    principal: Principal,
    now: datetime,
) -> Suspension | None:
    """The suspension after `disabled` was asked for; UNSET leaves it.

    The provider's suspension replaces a customer's. Raises Denied (`disabled-by-provider`) for a customer
    who would end the provider's.
    """
    if isinstance(disabled, UnsetType):
        return current
    by_provider = is_provider(principal)
    if disabled:
        keeps = current is not None and (current.by.is_provider or not by_provider)
        return current if keeps else Suspension(at=current.at if current else now, by=principal.by)
    if current is not None and current.by.is_provider and not by_provider:
        raise Denied("The provider suspended it; only the provider resumes it.", code="disabled-by-provider")
    return None
