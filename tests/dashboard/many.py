"""Thousands of keys in one app, at once."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from keystead.domain.ids import IdKind, KeyId, VersionId, make_id
from keystead.domain.keys import Key
from keystead.storage.sql.schema import keys, versions
from keystead.storage.sql.versions import encode_key, encode_version

_FIRST_NUMBER = 1_000
"""Of the integers beside ids: those before it belong to keys made one by one."""

_PORTION = 2_000


async def add_keys(engine: AsyncEngine, like: Key, count: int) -> None:
    """Add keys like one that is there, numbered from 1 on, each made and used a second before the last."""
    made = [_made(like, number) for number in range(1, count + 1)]
    async with engine.begin() as connection:
        for at in range(0, count, _PORTION):
            some = made[at : at + _PORTION]
            rows = [
                {**encode_key(it), "use_count": 1, "last_used_at": it.created_at, "number": number}
                for number, it in enumerate(some, _FIRST_NUMBER + at)
            ]
            await connection.execute(sa.insert(keys), rows)
            await connection.execute(sa.insert(versions), [encode_version(it, 0) for it in some])


def key_id_of(number: int) -> KeyId:
    """The id of a key that was added."""
    return KeyId(make_id(IdKind.KEY, number.to_bytes(16)))


def _made(like: Key, number: int) -> Key:
    made_at = like.created_at - timedelta(seconds=number)
    version = replace(
        like.newest,
        id=VersionId(make_id(IdKind.VERSION, number.to_bytes(16))),
        digest=b"\x01" + number.to_bytes(32),
        created_at=made_at,
    )
    return replace(
        like,
        id=key_id_of(number),
        name=f"Worker {number:05}",
        created_at=made_at,
        versions=(version,),
    )
