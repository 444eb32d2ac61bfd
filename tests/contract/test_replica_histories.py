"""A copy from before in the primary's place, on a real database, with a node that applies by itself."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from keystead.domain.ids import IdKind, NodeId
from keystead.domain.instants import at_ms
from keystead.domain.keys import RevokedReason
from keystead.domain.powers import Operator
from keystead.domain.verdict import Attempt, Demands, Reason, decide
from keystead.ports.store import Node
from keystead.replica.applier import Applier
from keystead.replica.files import Files, Folder
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp
from keystead.services.context import Actor, Context, Seals
from keystead.services.drafts import Rotation
from keystead.services.pause import disable_key
from keystead.services.resubmit import resubmit
from keystead.services.revoke import revoke_key
from keystead.services.rotate import rotate_key
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.source import SqlSource
from keystead.storage.sql.store import SqlStore
from tests.contract.conftest import set_up_now
from tests.contract.samples import NOW, digest, identifier, key, key_id, populate
from tests.people import people

OPERATOR = Actor(principal=Operator())
ATTEMPT, ANY = Attempt(now_ms=at_ms(NOW)), Demands(environment=None, owner=None)
_CHANCE = count(1_000)


@dataclass
class Running:
    context: Context
    index: ReplicaIndex
    stamp: Stamp
    applier: Applier

    async def level(self) -> None:
        """Wait until all that is in the primary, and nothing else, is here."""
        async with self.context.store.read() as tables:
            epoch = await tables.changes.newest()
        self.applier.nudge()
        await eventually(lambda: self.index.applied_epoch() == epoch and self.index.age_ms() < 500)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(primary: Path, folder: Folder) -> AsyncIterator[Running]:
    """A node that applies, on its own folder."""
    engine = make_engine(primary)
    source, files, stamp = SqlSource(primary), Files(folder), Stamp(folder.stamp)
    index = ReplicaIndex(files, stamp)
    unused: Any = None
    context = Context(
        store=SqlStore(engine),
        replica=index,
        uses=unused,
        clock_ms=lambda: at_ms(NOW),
        entropy=lambda length: next(_CHANCE).to_bytes(length),
        seals=Seals(b"x" * 32),
        people=people(),
    )
    applier = Applier(
        files=files,
        stamp=stamp,
        source=source,
        node=Node(id=NodeId(identifier(IdKind.NODE, 1)), name="here", applied_epoch=0),
        resubmit=partial(resubmit, context),
        fresh_for=timedelta(seconds=2),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(applier.run(stop))
    try:
        yield Running(context, index, stamp, applier)
    finally:
        stop.set()
        await task
        index.close()
        files.close()
        stamp.close()
        await source.close()
        await engine.dispose()


def refused(node: Running, number: int) -> Reason | None:
    known = node.index.find(digest(number))
    return Reason.UNKNOWN if known is None else decide(known, ATTEMPT, ANY)


async def test_what_was_acknowledged_is_refused_throughout(tmp_path: Path) -> None:
    primary, backup, path = tmp_path / "primary.sqlite3", tmp_path / "backup.sqlite3", tmp_path / "replica"
    path.mkdir()
    folder = Folder(path)
    await asyncio.to_thread(set_up_now, primary)
    engine = make_engine(primary)
    store = SqlStore(engine)
    await populate(store)
    async with store.write() as tables:
        for number in range(1, 9):
            await tables.keys.insert(key(number))
    await engine.dispose()

    async with running(primary, folder) as node:
        await eventually(lambda: node.stamp.age_ms() < 500)
        # One epoch that both histories will have.
        await disable_key(node.context, OPERATOR, key_id(8))
        await node.level()
    shutil.copy(primary, backup)

    async with running(primary, folder) as node:
        await revoke_key(node.context, OPERATOR, key_id(1), reason=RevokedReason.COMPROMISED)
        await rotate_key(node.context, OPERATOR, key_id(2), Rotation(grace_s=0))
        await disable_key(node.context, OPERATOR, key_id(3))
        await node.level()
        before = [refused(node, number) for number in range(1, 9)]
    assert before == [Reason.REVOKED, Reason.RETIRED, Reason.DISABLED, *[None] * 4, Reason.DISABLED]

    # Another node works on the copy, which goes beyond the old number before this node sees it.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with running(backup, Folder(elsewhere)) as other:
        await eventually(lambda: other.stamp.age_ms() < 500)
        for number in (4, 5, 6, 7):
            await disable_key(other.context, OPERATOR, key_id(number))
        assert refused(other, 1) is None

    async with running(backup, folder) as node:
        for _ in range(300):
            assert [refused(node, number) for number in (1, 2, 3)] == before[:3]
            await asyncio.sleep(0.005)
        await node.level()
        after = [refused(node, number) for number in range(1, 9)]
        assert after == [*before[:3], *[Reason.DISABLED] * 5]
        async with node.context.store.read() as tables:
            held = [await tables.keys.find(key_id(number)) for number in (1, 2, 3)]
            assert await tables.changes.newest() == 1 + 4 + 3
    revoked, retired, disabled = held
    assert revoked is not None
    assert revoked.revoked_reason is RevokedReason.UNSPECIFIED
    assert retired is not None
    assert retired.newest.retires_at == NOW
    assert disabled is not None
    assert disabled.disabled_at == NOW
