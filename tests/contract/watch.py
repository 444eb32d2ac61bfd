"""What is sent to the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine


@asynccontextmanager
async def statements(engine: AsyncEngine) -> AsyncIterator[list[tuple[str, Any]]]:
    """What is sent to the database in the block, with its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    sa.event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(engine.sync_engine, "before_cursor_execute", note)
