"""Rotation: a new version on one stable key id, and the end of the old ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from keystead.domain.errors import Conflict, NotFound
from keystead.domain.ids import VersionId
from keystead.domain.keys import Key, Version

MAX_LIVE_VERSIONS = 5
MAX_GRACE = timedelta(days=30)
DEFAULT_GRACE = timedelta(hours=12)
MIN_SELF_GRACE = timedelta(hours=1)
"""Through `self` the old token lives at least this long: a thief cannot lock its owner out at once."""

NO_GRACE = timedelta(0)

QUIET_FOR = timedelta(hours=24)
"""How long an old token must not have been used before it is safe to retire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExpiry:
    """An expiry that was asked for; `at` None means that the key no longer expires."""

    at: datetime | None


def rotate(key: Key, version: Version, *, now: datetime, grace: timedelta, expiry: NewExpiry | None) -> Key:
    """`key` with `version` as its newest; the current one retires at `retire_at(…)`.

    Versions already in grace keep their promise, unless `grace` is zero, which ends every earlier version at
    `now`. An expired key is revived only by a new expiry, and that ends all its earlier versions too; a
    disabled key stays disabled. Raises Conflict for a revoked key (`revoked`), an expired one without
    a new expiry (`expired`), and more than five live versions (`too-many-versions`, never for grace zero).
    """
    if key.revoked_at is not None:
        raise Conflict("A revoked key cannot be rotated. Create a new key.", code="revoked")
    expired = key.is_expired(now)
    if expired and expiry is None:
        raise Conflict("The key has expired. Give expires_at or expires_in to revive it.", code="expired")
    ends_all = expired or grace == NO_GRACE
    earlier = tuple(_ended(v, now) if ends_all else v for v in key.versions)
    if not ends_all:
        ends_at = retire_at(now, grace, key.expires_at)
        # It has an end already where the version after it was lost with a primary's history.
        if key.newest.retires_at is None or ends_at < key.newest.retires_at:
            earlier = (*earlier[:-1], replace(key.newest, retires_at=ends_at))
    if 1 + sum(v.is_live(now) for v in earlier) > MAX_LIVE_VERSIONS:
        problem = f"The key has {MAX_LIVE_VERSIONS} live versions. Retire one, or rotate with grace_s 0."
        raise Conflict(problem, code="too-many-versions", most=MAX_LIVE_VERSIONS)
    rotated = replace(key, versions=(*earlier, version))
    return rotated if expiry is None else with_expiry(rotated, expiry.at, now)


def retire_at(now: datetime, grace: timedelta, expires_at: datetime | None) -> datetime:
    """First instant the old token stops working: `now + grace`, or the key's expiry before the rotation."""
    return now + grace if expires_at is None else min(now + grace, expires_at)


def retire(key: Key, version_id: VersionId, now: datetime) -> Key:
    """`key` with one version retired at `now`; one that has retired already stays as it is.

    Raises NotFound for a version the key does not have, Conflict (`newest-version`) for its newest.
    """
    if all(v.id != version_id for v in key.versions):
        raise NotFound("version", version_id)
    if key.newest.id == version_id:
        problem = (
            "The newest version cannot be retired by itself. Rotate the key with grace_s 0, or revoke it."
        )
        raise Conflict(problem, code="newest-version")
    return _with_versions(key, lambda v: _ended(v, now) if v.id == version_id else v)


def is_safe_to_retire(key: Key, version: Version, now: datetime) -> bool:
    """Whether nobody seems to need an old version: a newer one was accepted, and this one not for a day.

    Uses are known with the delay of the flush interval. False for the newest, and for one that has retired.
    """
    newer = key.versions[[it.id for it in key.versions].index(version.id) + 1 :]
    quiet_since = version.last_used_at or version.created_at
    return (
        version.is_live(now)
        and any(it.last_used_at is not None for it in newer)
        and now - quiet_since >= QUIET_FOR
    )


def with_expiry(key: Key, expires_at: datetime | None, now: datetime) -> Key:
    """`key` expiring at `expires_at`, and its lifetime counted from `now`."""
    return replace(key, expires_at=expires_at, lifetime=None if expires_at is None else expires_at - now)


def _with_versions(key: Key, change: Callable[[Version], Version]) -> Key:
    return replace(key, versions=tuple(change(v) for v in key.versions))


def _ended(version: Version, now: datetime) -> Version:
    return replace(version, retires_at=now) if version.is_live(now) else version
