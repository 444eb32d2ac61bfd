"""What is worth a look at an app's keys, from facts alone; and how far a new app has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from keystead.domain.keys import Key, KeyType, Status
from keystead.domain.tenants import App

UNUSED_AFTER = timedelta(days=90)
UNROLLED_AFTER = timedelta(days=180)


class Finding(StrEnum):
    """What of a key is worth a look, the most pressing first."""

    IN_BROWSER = "in-browser"
    PUBLIC_WITHOUT_ORIGINS = "public-without-origins"
    NO_CONSTRAINTS = "no-constraints"
    UNUSED = "unused"
    NOT_ROLLED = "not-rolled"
    NO_EXPIRY = "no-expiry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What all keys of an app come to.

    `made`, `used` and `narrowed` say whether any of them, revoked ones too, ever was. `active` is how many
    are now, and `found` how many of those each finding is about; ephemeral keys are in neither.
    """

    made: bool
    used: bool
    narrowed: bool
    active: int
    found: Mapping[Finding, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a new app has behind it: a key, a request accepted with it, something that narrows it."""

    key_made: bool
    request_accepted: bool
    narrowed: bool

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.key_made and self.request_accepted and self.narrowed


def find(app: App, keys: Sequence[Key], now: datetime) -> Mapping[Finding, Sequence[Key]]:
    """The keys that each finding is about, of those that are active; a finding about none is there too."""
    active = [key for key in keys if key.status(now) is Status.ACTIVE]
    return {finding: [key for key in active if _holds(finding, app, key, now)] for finding in Finding}


def steps(app: App, survey: Survey) -> Steps:
    """How far an app has come with its keys."""
    return Steps(
        key_made=survey.made,
        request_accepted=survey.used,
        narrowed=bool(app.allowed_origins) or survey.narrowed,
    )


def _holds(finding: Finding, app: App, key: Key, now: datetime) -> bool:
    match finding:
        case Finding.IN_BROWSER:
            return key.type is KeyType.SECRET and any(
                it.origin_seen_at is not None and it.is_live(now) for it in key.versions
            )
        case Finding.PUBLIC_WITHOUT_ORIGINS:
            return key.type is KeyType.PUBLIC and not (key.allowed_origins or app.allowed_origins)
        case Finding.NO_CONSTRAINTS:
            # What a public key may do at most is in the ceiling: it is narrow without constraints of its own.
            return key.type is KeyType.SECRET and not key.constraints
        case Finding.UNUSED:
            return now - (key.last_used_at or key.created_at) >= UNUSED_AFTER
        case Finding.NOT_ROLLED:
            return key.type is KeyType.SECRET and now - key.newest.created_at >= UNROLLED_AFTER
        case Finding.NO_EXPIRY:
            return key.type is KeyType.SECRET and key.expires_at is None
