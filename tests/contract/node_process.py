"""A process of a node, which applies or stands by until it is killed: `node_process.py PRIMARY FOLDER`."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from keystead.domain.ids import IdKind, NodeId, make_id
from keystead.ports.replica import Refusal
from keystead.ports.store import Node
from keystead.replica.applier import Applier
from keystead.replica.files import Files, Folder
from keystead.replica.stamp import Stamp
from keystead.storage.sql.source import SqlSource


async def run(primary: str | Path, folder: Folder, stop: asyncio.Event) -> None:
    """Stand by, or apply, until `stop` is set."""
    source, files, stamp = SqlSource(primary), Files(folder), Stamp(folder.stamp)
    applier = Applier(
        files=files,
        stamp=stamp,
        source=source,
        node=Node(id=NodeId(make_id(IdKind.NODE, bytes(16))), name="here", applied_epoch=0),
        resubmit=_nothing,
        fresh_for=timedelta(seconds=2),
    )
    await applier.run(stop)
    await source.close()
    files.close()
    stamp.close()


async def _nothing(_refusals: Sequence[Refusal]) -> None:
    pass


if __name__ == "__main__":
    given = sys.argv[1]
    primary = given if given.startswith("postgresql") else Path(given)
    asyncio.run(run(primary, Folder(Path(sys.argv[2])), asyncio.Event()))
