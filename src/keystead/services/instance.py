"""What an instance settles as it starts: its secret key, and the root key that its settings pin."""

from keystead.domain.errors import Misconfigured
from keystead.domain.ids import IdKind, KeyId, VersionId
from keystead.domain.keys import INSTANCE, Environment, Key, KeyType, Version
from keystead.domain.powers import System
from keystead.domain.tokens import Token
from keystead.ports.store import Store
from keystead.services.context import Actor, Context, Seals
from keystead.services.making import insert_key
from keystead.services.mutation import mutation

SECRET_KEY_CHECK = "secret_key_check"  # noqa: S105 - the name of a fact


async def settle_secret_key(context: Context) -> None:
    """Remember what the secret key is known by, or compare. Raises Misconfigured for another key.

    All nodes on one primary need the same, else cursors and repeated requests of one fail on the other.
    """
    if await compare_secret_key(context.store, context.seals) is None:
        async with context.store.write() as tables:
            if await tables.facts.find(SECRET_KEY_CHECK) is None:
                await tables.facts.insert(SECRET_KEY_CHECK, _check(context.seals))
    if not await compare_secret_key(context.store, context.seals):
        problem = "is not the key that this database was set up with; give every node the same one"
        raise Misconfigured("KEYSTEAD_SECRET_KEY", problem)


async def compare_secret_key(store: Store, seals: Seals) -> bool | None:
    """Whether the secret key is the one the primary knows; None while it knows none."""
    async with store.read() as tables:
        known = await tables.facts.find(SECRET_KEY_CHECK)
    return None if known is None else known == _check(seals)


async def pin_root_key(context: Context, token: Token) -> None:
    """Make the root key that the settings give, with every power, unless its token was ever seen.

    A revoked one stays revoked.
    """
    async with mutation(context, Actor(principal=System())) as work:
        if await work.tables.keys.find_digest(token.digest) is not None:
            return
        version = Version(
            id=VersionId(context.new_id(IdKind.VERSION)),
            digest=token.digest,
            start=token.start,
            last4=token.last4,
            created_at=work.now,
        )
        key = Key(
            id=KeyId(context.new_id(IdKind.KEY)),
            name="KEYSTEAD_ROOT_KEY",
            type=KeyType.SECRET,
            environment=Environment.LIVE,
            owner=INSTANCE,
            organization_id=None,
            ephemeral=False,
            created_at=work.now,
            created_by=System().by,
            expires_at=None,
            lifetime=None,
            constraints=(),
            allowed_origins=(),
            allowed_networks=(),
            scopes=("*",),
            labels={},
            metadata={},
            versions=(version,),
        )
        await insert_key(work, key)


def _check(seals: Seals) -> str:
    return seals.seal("check", b"keystead").hex()
