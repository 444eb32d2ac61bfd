"""What the audit log holds: who did what, to what, from where and when; never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keystead.domain.ids import OrganizationId
from keystead.domain.keys import By


class SubjectKind(StrEnum):
    """The kinds of things that mutations change."""

    ORGANIZATION = "organization"
    APP = "app"
    USER = "user"
    MEMBER = "member"
    KEY = "key"
    SCOPE = "scope"
    SESSION = "session"
    LINK = "link"
    DIGEST = "digest"
    """Of a token whose key is gone for good, in hexadecimal; only among changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The one thing a mutation is about. A member's id is `org_…/usr_…`, a scope's its name."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change to one subject; `before` and `after` hold only what differs.

    `before` is None for what was made. `epoch` is None where no verdict can change by it.
    """

    id: str
    at: datetime
    by: By
    action: str
    subject: Subject
    organization_id: OrganizationId | None
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    address: str | None
    request_id: str | None
    epoch: int | None
