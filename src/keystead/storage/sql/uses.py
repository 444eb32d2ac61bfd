"""Counted uses, written beside everything else that is kept of a key."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from keystead.ports import Used
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.seam import Work


async def add_uses(work: Work, used: Sequence[Used]) -> None:
    """Two statements by primary keys, whatever the number of rows: they go along as one JSON text."""
    if not used:
        return
    statements = _ADD_TO[work.is_postgresql]
    await work.change(statements[versions.name].bindparams(rows=_by_version(used)))
    await work.change(statements[keys.name].bindparams(rows=_by_key(used)))


# SQLAlchemy has no words for a table of JSON that both databases understand.
_ROWS = {
    True: "json_to_recordset(CAST(:rows AS json)) AS used (id text, uses bigint, at bigint)",
    False: "(SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.uses') AS uses,"
    " json_extract(value, '$.at') AS at FROM json_each(:rows)) AS used",
}


def _add_to(table: str, rows: str) -> sa.TextClause:
    return sa.text(
        f"UPDATE {table} SET use_count = use_count + used.uses,"  # noqa: S608 - names of ours
        " last_used_at = CASE WHEN last_used_at >= used.at THEN last_used_at ELSE used.at END"
        f" FROM {rows} WHERE {table}.id = used.id"
    )


_ADD_TO = {
    is_postgresql: {table.name: _add_to(table.name, rows) for table in (versions, keys)}
    for is_postgresql, rows in _ROWS.items()
}


def _by_version(used: Sequence[Used]) -> str:
    return _json({use.version_id: (use.uses, use.last_used_ms) for use in used})


def _by_key(used: Sequence[Used]) -> str:
    totals: dict[str, tuple[int, int]] = {}
    for use in used:
        count, last_ms = totals.get(use.key_id, (0, use.last_used_ms))
        totals[use.key_id] = (count + use.uses, max(last_ms, use.last_used_ms))
    return _json(totals)


def _json(totals: dict[str, tuple[int, int]]) -> str:
    rows = [{"id": name, "uses": count, "at": at_ms} for name, (count, at_ms) in totals.items()]
    return msgspec.json.encode(rows).decode()
