"""What is worth a look at an app's keys, counted by the database; the rules are those of `domain.checkup`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

import sqlalchemy as sa

from keystead.domain.checkup import UNROLLED_AFTER, UNUSED_AFTER, Finding, Survey
from keystead.domain.ids import AppId
from keystead.domain.keys import KeyType, Status
from keystead.storage.sql.key_filter import Condition, has_status
from keystead.storage.sql.schema import apps, keys, versions
from keystead.storage.sql.seam import Work

_K = keys.c
_V = versions.c
_SECRET = _K.type == KeyType.SECRET
# As `shapes.constraints_to_json` has them.
_CONSTRAINED = sa.cast(_K.constraints["any"].as_string(), sa.Text) != "[]"


def _filled(column: sa.Column[Any]) -> Condition:
    """Whether a list has anything in it."""
    return sa.cast(column, sa.Text) != "[]"


_EVER: tuple[Condition, ...] = (
    sa.true(),
    _K.last_used_at.is_not(None),
    sa.or_(_CONSTRAINED, _filled(_K.allowed_origins)),
)
"""Whether it is a key, was ever used, and is narrow: how far an app has come."""


def worth_a_look(finding: Finding, now: datetime) -> Condition:
    """Whether a finding is about a key, as `checkup.find` says it."""
    return sa.and_(has_status(Status.ACTIVE, now), _holds(finding, now))


async def survey(work: Work, app_id: AppId, now: datetime) -> Survey:
    """Reads the app's keys that are not revoked once, by their index; of their versions only those it must.

    Revoked ones are looked at only for what no other key shows.
    """
    lasting = sa.not_(_K.ephemeral)
    counted = [sa.and_(lasting, worth_a_look(finding, now)) for finding in Finding]
    active = sa.and_(lasting, has_status(Status.ACTIVE, now))
    kept = await _counts(work, app_id, _K.revoked_at.is_(None), (*_EVER, active, *counted))
    ever = kept[: len(_EVER)]
    if not all(ever):
        revoked = await _counts(work, app_id, _K.revoked_at.is_not(None), _EVER)
        ever = [one + other for one, other in zip(ever, revoked, strict=True)]
    made, used, narrowed = (count > 0 for count in ever)
    found = dict(zip(Finding, kept[len(_EVER) + 1 :], strict=True))
    return Survey(made=made, used=used, narrowed=narrowed, active=kept[len(_EVER)], found=found)


async def _counts(
    work: Work, app_id: AppId, which: Condition, conditions: Sequence[Condition]
) -> Sequence[int]:
    """How many of an app's keys of which `which` holds each condition holds of."""
    counts = [sa.func.count(sa.case((condition, 1))) for condition in conditions]
    rows = await work.rows(sa.select(*counts).select_from(keys).where(_K.app_id == app_id, which))
    return tuple(rows[0])


def _holds(finding: Finding, now: datetime) -> Condition:
    match finding:
        case Finding.IN_BROWSER:
            live = sa.or_(_V.retires_at.is_(None), _V.retires_at > now)
            seen = sa.exists().where(_V.key_id == _K.id, _V.origin_seen_at.is_not(None), live)
            return sa.and_(_SECRET, seen)
        case Finding.PUBLIC_WITHOUT_ORIGINS:
            bound = sa.exists().where(apps.c.id == _K.app_id, _filled(apps.c.allowed_origins))
            return sa.and_(sa.not_(_SECRET), sa.not_(_filled(_K.allowed_origins)), sa.not_(bound))
        case Finding.NO_CONSTRAINTS:
            return sa.and_(_SECRET, sa.not_(_CONSTRAINED))
        case Finding.UNUSED:
            return sa.func.coalesce(_K.last_used_at, _K.created_at) <= now - UNUSED_AFTER
        case Finding.NOT_ROLLED:
            # No token is older than its key: the tokens of young keys need not be looked at.
            rolled = sa.select(sa.func.max(_V.created_at)).where(_V.key_id == _K.id).scalar_subquery()
            before = now - UNROLLED_AFTER
            return sa.and_(_SECRET, _K.created_at <= before, rolled <= before)
        case Finding.NO_EXPIRY:
            return sa.and_(_SECRET, _K.expires_at.is_(None))
        case _:
            assert_never(finding)
