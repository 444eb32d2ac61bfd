"""Changing what a key is allowed and called; its type, environment and owner never change."""

from dataclasses import replace

from msgspec import UNSET

from keystead.domain.errors import Conflict, InvalidInput, Stale
from keystead.domain.granting import MAX_EPHEMERAL_LIFETIME, choose_expiry
from keystead.domain.ids import KeyId
from keystead.domain.keys import Key, KeyType, OwnerKind
from keystead.domain.powers import Principal
from keystead.domain.rotation import NewExpiry, with_expiry
from keystead.domain.tenants import Ceiling
from keystead.domain.text import make_name
from keystead.ports.store import Tables
from keystead.services.access import reach_key, require_provider
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import (
    KeyChange,
    asked_expiry,
    drafted_constraints,
    drafted_labels,
    drafted_metadata,
    drafted_networks,
    drafted_origins,
)
from keystead.services.making import given, require_scopes, require_within, scopes_for, subject_of
from keystead.services.mutation import Changed, Mutation, mutation


@acknowledged
async def change_key(
    context: Context, actor: Actor, key_id: KeyId, draft: KeyChange, *, revision: int | None = None
) -> Changed[Key]:
    """Change a key; what the draft leaves out stays.

    Raises Stale when `revision` is given and no longer the newest, Conflict (`revoked`) for a revoked key and
    (`expired`) for a new expiry of an expired one, and Denied when the key is or would become wider than the
    acting key of its kind (`beyond-reach`), or something is granted above the organization's ceiling
    (`above-ceiling`).
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        require_revision(key, revision)
        require_unrevoked(key)
        require_within(work.maker, key)
        changed = await _changed(work, work.principal, key, draft)
        require_within(work.maker, changed)
        saved = await save_key(work, "key.update", key, changed)
    return Changed(value=saved, epoch=work.epoch)


async def save_key(work: Mutation, action: str, before: Key, after: Key) -> Key:
    """Write a changed key as its next revision and record it; what did not change is not written.

    `before` is the key as this mutation read it, so that nobody has changed it since. Raises ProofNeeded
    where a person touches a root key or gets a new secret token, and must prove to be there.
    """
    if after == before:
        return before
    new_secret = after.type is KeyType.SECRET and after.newest.id != before.newest.id
    if new_secret or after.owner.kind is OwnerKind.INSTANCE:
        work.require_proven()
    saved = replace(after, revision=before.revision + 1)
    await work.tables.keys.update(before, saved)
    work.record(action, subject_of(saved), saved.organization_id, before=before, after=saved)
    return saved


def require_unrevoked(key: Key) -> None:
    """Raise Conflict (`revoked`) for a revoked key: revoking is final."""
    if key.revoked_at is not None:
        raise Conflict("The key is revoked, which is final. Create a new key.", code="revoked")


def require_revision(key: Key, revision: int | None) -> None:
    """Raise Stale unless the revision that the caller read is still the newest."""
    if revision is not None and revision != key.revision:
        raise Stale("key", key.id)


async def ceiling_of(tables: Tables, key: Key) -> Ceiling | None:
    """The ceiling above a key; None for root keys."""
    if key.organization_id is None:
        return None
    organization = await tables.organizations.find(key.organization_id)
    return None if organization is None else organization.ceiling


def granted_expiry(work: Mutation, key: Key, asked: NewExpiry, ceiling: Ceiling | None) -> NewExpiry:
    """The new expiry that was asked for an existing key, judged."""
    at = choose_expiry(asked.at, given=True, now=work.now, ceiling=ceiling, ephemeral=key.ephemeral)
    if key.ephemeral and at is not None and at > key.created_at + MAX_EPHEMERAL_LIFETIME:
        problem = "an ephemeral key ends a day after it was made at the latest"
        raise InvalidInput("expires_at", problem, rule="ephemeral-too-long")
    return NewExpiry(at=at)


async def _changed(work: Mutation, principal: Principal, key: Key, draft: KeyChange) -> Key:
    ceiling = await ceiling_of(work.tables, key)
    if draft.metadata is not UNSET:
        require_provider(principal, "metadata")
    scopes = given(draft.scopes, lambda items: scopes_for(key.owner.kind, items), key.scopes)
    await require_scopes(work.tables, principal, tuple(s for s in scopes if s not in key.scopes), ceiling)
    changed = replace(
        key,
        name=given(draft.name, make_name, key.name),
        constraints=given(draft.constraints, drafted_constraints, key.constraints),
        allowed_origins=given(draft.allowed_origins, drafted_origins, key.allowed_origins),
        allowed_networks=given(draft.allowed_networks, drafted_networks, key.allowed_networks),
        scopes=scopes,
        labels=given(draft.labels, drafted_labels, dict(key.labels)),
        metadata=given(draft.metadata, drafted_metadata, dict(key.metadata)),
    )
    asked = asked_expiry(draft, work.now)
    if asked is None or asked.at == key.expires_at:
        return changed
    if key.is_expired(work.now):
        # Its tokens may be anywhere by now: only a rotation, which ends them, brings it back.
        problem = "The key has expired. Rotate it with expires_at or expires_in to revive it."
        raise Conflict(problem, code="expired")
    return with_expiry(changed, granted_expiry(work, key, asked, ceiling).at, work.now)
