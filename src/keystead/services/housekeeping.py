"""What goes by itself: ephemeral keys after their retention, nodes gone for good, sessions and links past."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.ids import IdKind
from keystead.domain.keys import Key
from keystead.domain.powers import System
from keystead.ports.store import Tables
from keystead.services.context import Context
from keystead.services.mutation import MARK_BYTES

PURGED_AT_ONCE = 1_000
"""How many keys one transaction deletes at most: other writers need not wait for all."""

NODE_RETENTION = timedelta(days=30)
"""How long a node is listed after it was last seen; far beyond every stale limit."""


LINK_RETENTION = timedelta(days=30)
"""How long a link stays after it expired, so that one may still be asked about."""


async def purge(context: Context, ephemeral_retention: timedelta) -> int:
    """Delete ephemeral keys that ended longer than `ephemeral_retention` ago; says how many.

    Each transaction is one epoch, which tells the replicas which digests are gone. Audit entries stay. Nodes
    unseen for `NODE_RETENTION` go too, without an epoch, and so do sessions and links that are past.
    """
    ended_before, purged = context.clock() - ephemeral_retention, 0
    async with context.store.write() as tables:
        await tables.sessions.purge(context.clock())
        await tables.links.purge(context.clock() - LINK_RETENTION)
    while gone := await _purge_some(context, ended_before):
        purged += gone
    return purged


async def _purge_some(context: Context, ended_before: datetime) -> int:
    async with context.store.write() as tables:
        await tables.nodes.purge(NODE_RETENTION)
        gone = await tables.keys.purge_ephemeral(ended_before, limit=PURGED_AT_ONCE)
        if gone:
            await _record(context, tables, gone)
    return len(gone)


async def _record(context: Context, tables: Tables, gone: Sequence[Key]) -> None:
    digests = [version.digest for key in gone for version in key.versions]
    forgotten = [Subject(kind=SubjectKind.DIGEST, id=digest.hex()) for digest in digests]
    epoch = await tables.changes.append(forgotten, context.entropy(MARK_BYTES))
    await tables.audit.append([_entry(context, key, epoch) for key in gone])


def _entry(context: Context, key: Key, epoch: int) -> Entry:
    return Entry(
        id=context.new_id(IdKind.AUDIT),
        at=context.clock(),
        by=System().by,
        action="key.purge",
        subject=Subject(kind=SubjectKind.KEY, id=key.id),
        organization_id=key.organization_id,
        before={"name": key.name},
        after=None,
        address=None,
        request_id=None,
        epoch=epoch,
    )
