"""Counted uses, written beside everything else that is kept of a key."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from keystead.ports.store import Seen, Used
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.seam import Work


async def add_uses(work: Work, used: Sequence[Used]) -> None:
    """Two statements by primary keys, whatever the number of rows: they go along as one JSON text.

    The database adds up what belongs to one key: here that would keep attempts waiting.
    """
    if not used:
        return
    rows = {"rows": msgspec.json.encode(used).decode()}
    for statement in _ADD[work.is_postgresql]:
        await work.change(statement, rows)


async def see_origins(work: Work, seen: Sequence[Seen]) -> None:
    """One statement by primary keys, likewise."""
    if seen:
        await work.change(_SEE[work.is_postgresql], {"rows": msgspec.json.encode(seen).decode()})


# SQLAlchemy has no words for a table of JSON that both databases understand. A row is a `Used`, as an array.
_ROWS = {
    True: "SELECT it->>0 AS key_id, it->>1 AS version_id, CAST(it->>2 AS bigint) AS uses,"
    " CAST(it->>3 AS bigint) AS at FROM json_array_elements(CAST(:rows AS json)) AS it",
    # Its arrows came with SQLite 3.38, which not every system has.
    False: "SELECT json_extract(value, '$[0]') AS key_id, json_extract(value, '$[1]') AS version_id,"
    " json_extract(value, '$[2]') AS uses, json_extract(value, '$[3]') AS at FROM json_each(:rows)",
}


def _add_to(table: str, column: str, rows: str) -> sa.TextClause:
    totals = (
        f"SELECT {column} AS id, sum(uses) AS uses, max(at) AS at FROM ({rows}) AS used GROUP BY {column}"  # noqa: S608 - names of ours
    )
    return sa.text(
        f"UPDATE {table} SET use_count = use_count + total.uses,"  # noqa: S608 - likewise
        " last_used_at = CASE WHEN last_used_at >= total.at THEN last_used_at ELSE total.at END"
        f" FROM ({totals}) AS total WHERE {table}.id = total.id"
    )


_ADD = {
    is_postgresql: (_add_to(versions.name, "version_id", rows), _add_to(keys.name, "key_id", rows))
    for is_postgresql, rows in _ROWS.items()
}

# A row is a `Seen`.
_SEEN = {
    True: "SELECT it->>0 AS id, CAST(it->>1 AS bigint) AS at"
    " FROM json_array_elements(CAST(:rows AS json)) AS it",
    False: "SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS at"
    " FROM json_each(:rows)",
}
_SEE = {
    is_postgresql: sa.text(
        f"UPDATE {versions.name} SET origin_seen_at = seen.at FROM ({rows}) AS seen"  # noqa: S608 - names of ours
        f" WHERE {versions.name}.id = seen.id"
        f" AND ({versions.name}.origin_seen_at IS NULL OR {versions.name}.origin_seen_at < seen.at)"
    )
    for is_postgresql, rows in _SEEN.items()
}
