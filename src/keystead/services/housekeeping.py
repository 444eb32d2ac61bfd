"""What goes by itself: ephemeral keys, once their retention has passed."""

from datetime import timedelta

from keystead.services.context import Context


async def purge(context: Context, ephemeral_retention: timedelta) -> int:
    """Delete ephemeral keys that ended longer than `ephemeral_retention` ago; says how many.

    Their audit entries stay.
    """
    async with context.store.write() as tables:
        return await tables.keys.purge_ephemeral(context.clock() - ephemeral_retention)
