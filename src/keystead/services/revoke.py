"""Revoking keys: final, at once, with a reason; the row stays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keystead.domain.errors import Conflict, Denied
from keystead.domain.ids import AppId, KeyId
from keystead.domain.keys import Key, OwnerKind, RevokedReason, Status
from keystead.domain.powers import Principal
from keystead.ports.store import KeyFilter, Page, Tables
from keystead.services.access import may_change, reach_key
from keystead.services.acknowledge import acknowledged
from keystead.services.change import save_key
from keystead.services.context import Actor, Context
from keystead.services.making import replayed_key, subject_of
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.own import acting_key

_LOOKED_AT = 20
"""Active keys are usable but for rare ones whose newest token was lost with a history: a few tell enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """A revoked key, and the ids of those revoked with it because it had made them."""

    key: Key
    descendants: tuple[KeyId, ...]


@acknowledged
async def revoke_key(
    context: Context, actor: Actor, key_id: KeyId, *, reason: RevokedReason, descendants: bool = False
) -> Changed[Revoked]:
    """Revoke a key, and with `descendants` all that it made, generation by generation, in one epoch.

    A key already revoked stays as it is, with its first reason. Raises Conflict (`last-key`) where an app
    would be left without a usable key, unless `reason` is compromised or the app says otherwise, Denied
    where the principal may not manage a descendant, and ProofNeeded for a person who says compromised, which
    takes even the last key: then nothing is revoked.
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        if reason is RevokedReason.COMPROMISED:
            work.require_proven()
        made = await _descendants(work.tables, key) if descendants else ()
        _require_power(work.principal, made)
        doomed = [it for it in (key, *made) if it.revoked_at is None]
        revoked = await revoke_all(work, doomed, reason)
        if reason is not RevokedReason.COMPROMISED:
            await _require_keys_left(work, doomed)
    ended = revoked.get(key.id, key)
    return Changed(value=Revoked(key=ended, descendants=tuple(it.id for it in made)), epoch=work.epoch)


async def count_descendants(context: Context, actor: Actor, key_id: KeyId) -> int:
    """How many keys would be revoked together with a key: those that it made, and these in turn."""
    async with context.store.read() as tables:
        key = await reach_key(tables, actor.principal, key_id, change=False)
        return sum(it.revoked_at is None for it in await _descendants(tables, key))


async def is_last_key(context: Context, actor: Actor, key_id: KeyId) -> bool:
    """Whether revoking a key would be refused now, because its app would be left without a usable one."""
    async with context.store.read() as tables:
        key, now = await reach_key(tables, actor.principal, key_id, change=False), context.clock()
        if key.owner.kind is not OwnerKind.APP or not key.is_usable(now):
            return False
        app = await tables.apps.find(AppId(str(key.owner.id)))
        if app is None or not app.last_key_protection:
            return False
        wanted = KeyFilter(now=now, owner_kind=OwnerKind.APP, owner_id=app.id, status=Status.ACTIVE)
        others = (await tables.keys.list(wanted, Page(limit=_LOOKED_AT))).items
        return not any(it.is_usable(now) for it in others if it.id != key.id)


@acknowledged
async def revoke_self(context: Context, actor: Actor) -> Changed[Key]:
    """Revoke the key that asks, as compromised: whoever holds a token may always end it."""
    async with mutation(context, actor) as work:
        key = acting_key(work)
        if (earlier := await work.earlier(subject_of(key))) is not None:
            return await replayed_key(work, earlier)
        revoked = await revoke_all(work, [key], RevokedReason.COMPROMISED)
    return Changed(value=revoked[key.id], epoch=work.epoch)


async def revoke_all(work: Mutation, keys: Iterable[Key], reason: RevokedReason) -> dict[KeyId, Key]:
    """Revoke keys not yet revoked, as part of a mutation; the caller has judged that it may."""
    return {
        key.id: await save_key(
            work, "key.revoke", key, replace(key, revoked_at=work.now, revoked_reason=reason)
        )
        for key in keys
    }


async def _descendants(tables: Tables, key: Key) -> tuple[Key, ...]:
    found: dict[KeyId, Key] = {}
    generation: Sequence[Key] = (key,)
    while generation:
        made = await tables.keys.made_by([parent.id for parent in generation])
        generation = [child for child in made if child.id not in found]
        found |= {child.id: child for child in generation}
    return tuple(found.values())


def _require_power(principal: Principal, keys: Iterable[Key]) -> None:
    if not all(may_change(principal, key) for key in keys):
        problem = "This key may not revoke all the keys that this one made. Revoke it without descendants."
        raise Denied(problem)


async def _require_keys_left(work: Mutation, revoked: Sequence[Key]) -> None:
    """Raise Conflict, which undoes it all, if an app that protects its last usable key has lost it.

    `revoked` are the keys as they were. Asked afterwards, so that however many they are, none need be named.
    """
    losing = {key.owner.id for key in revoked if key.owner.kind is OwnerKind.APP and key.is_usable(work.now)}
    for app_id in map(AppId, sorted(str(it) for it in losing)):
        if await work.tables.keys.any_usable(app_id, work.now):
            continue
        app = await work.tables.apps.find(app_id)
        if app is not None and app.last_key_protection:
            raise Conflict(
                f"It is the last usable key of the app {app.id}. Create another key first, or give "
                "reason=compromised if it was exposed.",
                code="last-key",
            )
