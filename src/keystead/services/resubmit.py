"""Bringing refusals to a primary that was put back to an earlier state, and so forgot them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Unavailable
from keystead.domain.ids import AppId, IdKind, KeyId, OrganizationId, UserId, is_id
from keystead.domain.instants import at
from keystead.domain.keys import Key, RevokedReason
from keystead.domain.powers import System
from keystead.domain.tenants import App, Organization, Suspension, User
from keystead.ports.replica import Refusal, RefusalKind
from keystead.services.change import save_key
from keystead.services.context import Actor, Context
from keystead.services.mutation import Mutation, mutation

T = TypeVar("T", Organization, App, User)

_LOG = structlog.get_logger()
_SYSTEM = Actor(principal=System())


async def resubmit(context: Context, refusals: Sequence[Refusal]) -> None:
    """Refuse in the primary what a node refuses: a mutation each, by the system; no rule stands in its way.

    What the primary refuses already stays as it is, without another audit entry: every node brings the same.
    What it does not know cannot be refused there. Who had done it, and why, went with the lost history: a key
    is revoked as `unspecified`, and a pause is the provider's to end. One that cannot be taken, say of a key
    that a newer program wrote, is logged and stands in no other's way. Raises Unavailable.
    """
    for refusal in refusals:
        try:
            await _refuse(context, refusal)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - the others are to be brought all the same
            _LOG.exception("the primary could not take a refusal", kind=refusal.kind, id=refusal.id)


async def _refuse(context: Context, refusal: Refusal) -> None:
    async with mutation(context, _SYSTEM) as work:
        if refusal.kind is RefusalKind.SUSPENDED:
            await _suspend(work, refusal.id)
        else:
            await _refuse_key(work, refusal)


async def _refuse_key(work: Mutation, refusal: Refusal) -> None:
    key = await work.tables.keys.find(KeyId(refusal.key_id))
    if key is None or key.revoked_at is not None:
        return
    match refusal.kind:
        case RefusalKind.REVOKED:
            ended = replace(key, revoked_at=work.now, revoked_reason=RevokedReason.UNSPECIFIED)
            await save_key(work, "key.revoke", key, ended)
        case RefusalKind.DISABLED if key.disabled_at is None:
            paused = replace(key, disabled_at=work.now, disabled_by=work.principal.by)
            await save_key(work, "key.disable", key, paused)
        case RefusalKind.RETIRED:
            await save_key(work, "key.retire_version", key, _retired(key, refusal))
        case _:
            pass


def _retired(key: Key, refusal: Refusal) -> Key:
    """The version ends when it did, the key's newest too: the one that came after it was lost."""
    ends_at = at(refusal.retires_at_ms)
    return replace(
        key,
        versions=tuple(
            replace(version, retires_at=ends_at)
            if version.id == refusal.id and version.is_live(ends_at)
            else version
            for version in key.versions
        ),
    )


async def _suspend(work: Mutation, identifier: str) -> None:
    tables = work.tables
    if is_id(IdKind.ORGANIZATION, identifier):
        organization = await tables.organizations.find(OrganizationId(identifier))
        if organization is not None and organization.suspension is None:
            suspended = _suspended(work, organization)
            await tables.organizations.update(suspended)
            _record(work, SubjectKind.ORGANIZATION, organization.id, organization, suspended)
    elif is_id(IdKind.APP, identifier):
        app = await tables.apps.find(AppId(identifier))
        if app is not None and app.suspension is None:
            paused = _suspended(work, app)
            await tables.apps.update(paused)
            _record(work, SubjectKind.APP, app.organization_id, app, paused)
    else:
        user = await tables.users.find(UserId(identifier))
        if user is not None and user.suspension is None:
            barred = _suspended(work, user)
            await tables.users.update(barred)
            _record(work, SubjectKind.USER, None, user, barred)


def _suspended(work: Mutation, tenant: T) -> T:
    suspension = Suspension(at=work.now, by=work.principal.by)
    return replace(tenant, suspension=suspension, revision=tenant.revision + 1)


def _record(
    work: Mutation, kind: SubjectKind, organization_id: OrganizationId | None, before: T, after: T
) -> None:
    subject = Subject(kind=kind, id=after.id)
    work.record(f"{kind}.update", subject, organization_id, before=before, after=after)
