"""What the presenting key may know about itself."""

from keystead.domain.errors import Denied, NotFound
from keystead.domain.keys import Key
from keystead.domain.powers import Operator, PublicKey, System
from keystead.ports import Tables
from keystead.services.context import Actor, Context


async def read_self(context: Context, actor: Actor) -> Key:
    """The key that asks."""
    async with context.store.read() as tables:
        return await own_key(tables, actor)


async def own_key(tables: Tables, actor: Actor) -> Key:
    """The key that asks, as it is now. Raises Denied for public keys, and for who comes without a key."""
    if isinstance(actor.principal, Operator | System | PublicKey):
        raise Denied("A public key opens nothing here. Ask with a secret key.")
    found = await tables.keys.find(actor.principal.key_id)
    if found is None:
        raise NotFound("key", actor.principal.key_id)
    return found
