"""Disabling keys and enabling them again: a pause that can be undone."""

from dataclasses import replace

from keystead.domain.errors import Denied
from keystead.domain.ids import KeyId
from keystead.domain.keys import Key
from keystead.domain.powers import is_provider
from keystead.services.access import reach_key
from keystead.services.acknowledge import acknowledged
from keystead.services.change import require_unrevoked, save_key
from keystead.services.context import Actor, Context
from keystead.services.making import replayed_key, require_within, subject_of
from keystead.services.mutation import Changed, Mutation, mutation


@acknowledged
async def disable_key(context: Context, actor: Actor, key_id: KeyId) -> Changed[Key]:
    """Pause a key at once; one already disabled stays so.

    The provider's pause replaces a customer's, and only the provider ends it.
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        if (earlier := await work.earlier(subject_of(key))) is not None:
            return await replayed_key(work, earlier)
        require_unrevoked(key)
        saved = await save_key(work, "key.disable", key, _disabled(work, key))
    return Changed(value=saved, epoch=work.epoch)


@acknowledged
async def enable_key(context: Context, actor: Actor, key_id: KeyId) -> Changed[Key]:
    """End a key's pause; one that is not disabled stays as it is.

    Raises Denied (`disabled-by-provider`) for a customer where the provider disabled it, and `beyond-reach`.
    """
    async with mutation(context, actor) as work:
        key = await reach_key(work.tables, work.principal, key_id, change=True)
        require_within(work.maker, key)
        if (earlier := await work.earlier(subject_of(key))) is not None:
            return await replayed_key(work, earlier)
        require_unrevoked(key)
        if key.disabled_by is not None and key.disabled_by.is_provider and not is_provider(work.principal):
            raise Denied(
                "The provider disabled this key; only the provider enables it.", code="disabled-by-provider"
            )
        saved = await save_key(work, "key.enable", key, replace(key, disabled_at=None, disabled_by=None))
    return Changed(value=saved, epoch=work.epoch)


def _disabled(work: Mutation, key: Key) -> Key:
    by = work.principal.by
    if key.disabled_by is not None and (key.disabled_by.is_provider or not by.is_provider):
        return key
    return replace(key, disabled_at=key.disabled_at or work.now, disabled_by=by)
