"""Rotating a key, and retiring one of its versions."""

from datetime import timedelta

from keystead.domain.errors import Conflict, Denied, InvalidInput
from keystead.domain.ids import AppId, KeyId, VersionId
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.rotation import MIN_SELF_GRACE, retire, rotate
from keystead.services.access import reach_key
from keystead.services.acknowledge import acknowledged
from keystead.services.change import ceiling_of, granted_expiry, save_key
from keystead.services.context import Actor, Context
from keystead.services.drafts import Rotation, asked_expiry
from keystead.services.making import (
    new_version,
    replayed_key,
    require_room,
    require_within,
    subject_of,
    token_kind,
)
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.own import acting_key


@acknowledged
async def rotate_key(context: Context, actor: Actor, key_id: KeyId, draft: Rotation) -> Changed[Key]:
    """Add a version to a key; the new token is in this answer only.

    Raises what `rotation.rotate` does, and Denied as `change_key` does.
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        require_within(work.maker, key)
        if (earlier := await work.earlier(subject_of(key))) is not None:
            return await replayed_key(work, earlier)
        rotated = await _rotated(context, work, key, draft)
    return Changed(value=rotated.value, epoch=work.epoch, token=rotated.token)


@acknowledged
async def rotate_self(context: Context, actor: Actor, draft: Rotation) -> Changed[Key]:
    """Rotate the key that asks.

    Only its newest version may (Conflict `not-newest-version`), with a grace of an hour at least, and not
    where the app switched it off (Denied `self-rotation-off`).
    """
    async with mutation(context, actor) as work:
        key = acting_key(work)
        await _require_self_rotation(work, key)
        if (earlier := await work.earlier(subject_of(key))) is not None:
            return await replayed_key(work, earlier)
        if actor.version_id != key.newest.id:
            raise Conflict("Only the newest version of a key may rotate it.", code="not-newest-version")
        if draft.grace < MIN_SELF_GRACE:
            least = int(MIN_SELF_GRACE / timedelta(seconds=1))
            problem = f"must be {least} at least when a key rotates itself"
            raise InvalidInput("grace_s", problem, rule="self-grace", least=MIN_SELF_GRACE)
        rotated = await _rotated(context, work, key, draft)
    return Changed(value=rotated.value, epoch=work.epoch, token=rotated.token)


@acknowledged
async def retire_version(
    context: Context, actor: Actor, key_id: KeyId, version_id: VersionId
) -> Changed[Key]:
    """Retire one version now; one that has retired already stays as it is.

    Raises Conflict (`newest-version`) for the newest, NotFound for a version the key does not have.
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        retired = retire(key, version_id, work.now)
        saved = await save_key(work, "key.retire_version", key, retired)
    return Changed(value=saved, epoch=work.epoch)


async def _rotated(context: Context, work: Mutation, key: Key, draft: Rotation) -> Changed[Key]:
    asked = asked_expiry(draft, work.now)
    expiry = None
    if asked is not None:
        expiry = granted_expiry(work, key, asked, await ceiling_of(work.tables, key))
    if key.is_expired(work.now):
        # Reviving makes it one of the owner's live keys again.
        await require_room(context, work, key.owner)
    token = context.new_token(token_kind(key.type, key.owner.kind), key.environment)
    version = new_version(context, token, key.type, work)
    rotated = rotate(key, version, now=work.now, grace=draft.grace, expiry=expiry)
    require_within(work.maker, rotated)
    return Changed(value=await save_key(work, "key.rotate", key, rotated), epoch=None, token=token)


async def _require_self_rotation(work: Mutation, key: Key) -> None:
    if key.owner.kind is not OwnerKind.APP or key.owner.id is None:
        return
    app = await work.tables.apps.find(AppId(key.owner.id))
    if app is None or not app.self_rotation:
        raise Denied("The app does not let its keys rotate themselves.", code="self-rotation-off")
