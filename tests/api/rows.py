"""How much stands in the tables."""

import sqlalchemy as sa

from keystead.storage.sql.schema import METADATA
from tests.api.world import World


async def row_counts(world: World) -> dict[str, int]:
    """The number of rows in every table."""
    async with world.instance.engine.connect() as connection:
        return {
            table.name: (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            for table in METADATA.sorted_tables
        }
