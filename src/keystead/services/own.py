"""What the presenting key may know about itself."""

from keystead.domain.errors import Denied, NotFound
from keystead.domain.keys import Key
from keystead.domain.powers import PublicKey, key_of
from keystead.services.context import Actor, Context
from keystead.services.mutation import Mutation

_OPENS_NOTHING = "A public key opens nothing here. Ask with a secret key."


async def read_self(context: Context, actor: Actor) -> Key:
    """The key that asks, as it is now. Raises Denied for public keys, and for who comes without a key."""
    acting = key_of(actor.principal)
    if acting is None or isinstance(actor.principal, PublicKey):
        raise Denied(_OPENS_NOTHING)
    async with context.store.read() as tables:
        found = await tables.keys.find(acting)
    if found is None:
        raise NotFound("key", acting)
    return found


def acting_key(work: Mutation) -> Key:
    """The key that asks, as it was judged in this transaction. Raises Denied as `read_self` does."""
    if work.maker is None or isinstance(work.principal, PublicKey):
        raise Denied(_OPENS_NOTHING)
    return work.maker
