"""The look-up that verification rests on: one indexed query from a digest to all that a verdict needs."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from keystead.domain.tenants import Role
from keystead.domain.verdict import Known
from keystead.storage.sql.apps import COLUMNS as APP_COLUMNS
from keystead.storage.sql.apps import decode_app
from keystead.storage.sql.organizations import COLUMNS as ORGANIZATION_COLUMNS
from keystead.storage.sql.organizations import decode_organization
from keystead.storage.sql.schema import apps, keys, members, organizations, users, versions
from keystead.storage.sql.seam import Work
from keystead.storage.sql.users import COLUMNS as USER_COLUMNS
from keystead.storage.sql.users import decode_user
from keystead.storage.sql.versions import (
    KEY_COLUMNS,
    VERSION_COLUMNS,
    decode_key,
    decode_version,
)

_GROUPS = (VERSION_COLUMNS, KEY_COLUMNS, APP_COLUMNS, ORGANIZATION_COLUMNS, USER_COLUMNS)


def _cuts() -> list[slice]:
    cuts, start = [], 0
    for group in _GROUPS:
        cuts.append(slice(start, start + len(group)))
        start += len(group)
    return cuts


_VERSION, _KEY, _APP, _ORGANIZATION, _USER = _cuts()
_ROLE = _USER.stop

_SOURCE = (
    versions.join(keys, keys.c.id == versions.c.key_id)
    .outerjoin(apps, apps.c.id == keys.c.app_id)
    .outerjoin(organizations, organizations.c.id == keys.c.organization_id)
    .outerjoin(users, users.c.id == keys.c.user_id)
    .outerjoin(
        members,
        sa.and_(members.c.organization_id == keys.c.organization_id, members.c.user_id == keys.c.user_id),
    )
)

# Made once: SQLAlchemy then finds the compiled text by the statement, and rows are read by position.
KNOWN = (
    sa.select(*(column for group in _GROUPS for column in group), members.c.role)
    .select_from(_SOURCE)
    .where(versions.c.digest == sa.bindparam("digest"))
)


async def find_known(work: Work, digest: bytes) -> Known | None:
    """One query by unique indexes, one row, however often the key was rotated.

    Rows of deleted apps and organizations are joined all the same: their keys are revoked, not unknown.
    """
    row = await work.row(KNOWN, {"digest": digest})
    if row is None:
        return None
    return _decode(row)


def _decode(row: Sequence[Any]) -> Known:
    version = decode_version(row[_VERSION])
    app, organization, user = row[_APP], row[_ORGANIZATION], row[_USER]
    return Known(
        key=decode_key(row[_KEY], (version,)),
        version=version,
        organization=None if organization[0] is None else decode_organization(organization),
        app=None if app[0] is None else decode_app(app),
        user=None if user[0] is None else decode_user(user),
        role=None if row[_ROLE] is None else Role(row[_ROLE]),
    )
