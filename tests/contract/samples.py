"""Values to store, all told apart by a number."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.constraints import Constraint, ConstraintType
from keystead.domain.ids import (
    AppId,
    IdKind,
    KeyId,
    LinkId,
    OrganizationId,
    SessionId,
    UserId,
    VersionId,
    make_id,
)
from keystead.domain.keys import (
    By,
    ByKind,
    Environment,
    Key,
    KeyType,
    Owner,
    OwnerKind,
    RevokedReason,
    Version,
)
from keystead.domain.links import Link, LinkKind
from keystead.domain.sessions import Session
from keystead.domain.tenants import App, CatalogueScope, Ceiling, Member, Organization, Role, Suspension, User
from keystead.ports.store import Position, Recorded
from keystead.storage.sql.store import SqlStore

NOW = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
DAY = timedelta(days=1)
BY = By(kind=ByKind.ROOT_KEY, id="key_root")
SUSPENSION = Suspension(at=NOW + DAY, by=By(kind=ByKind.OPERATOR, id="operator"))
ANYTHING = {
    "text": 'ä "quoted" \u0000 %_',
    "list": [1, 2.5, None, True],
    "deep": {"a": {"b": []}},
    "big": 2**53,
}


def identifier(kind: IdKind, number: int) -> str:
    return make_id(kind, number.to_bytes(16))


def organization_id(number: int = 1) -> OrganizationId:
    return OrganizationId(identifier(IdKind.ORGANIZATION, number))


def app_id(number: int = 1) -> AppId:
    return AppId(identifier(IdKind.APP, number))


def user_id(number: int = 1) -> UserId:
    return UserId(identifier(IdKind.USER, number))


def key_id(number: int = 1) -> KeyId:
    return KeyId(identifier(IdKind.KEY, number))


def version_id(number: int = 1) -> VersionId:
    return VersionId(identifier(IdKind.VERSION, number))


def digest(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def organization(number: int = 1, **changes: Any) -> Organization:
    made = Organization(
        id=organization_id(number),
        name=f"Organization {number}",
        external_id=None,
        ceiling=Ceiling(),
        labels={},
        metadata={},
        created_at=NOW,
    )
    return replace(made, **changes)


def app(number: int = 1, **changes: Any) -> App:
    made = App(
        id=app_id(number),
        organization_id=organization_id(1),
        name=f"App {number}",
        environment=Environment.LIVE,
        external_id=None,
        allowed_origins=(),
        allowed_networks=(),
        last_key_protection=True,
        self_rotation=True,
        labels={},
        metadata={},
        created_at=NOW,
    )
    return replace(made, **changes)


def user(number: int = 1, **changes: Any) -> User:
    made = User(
        id=user_id(number),
        email=f"user{number}@example.com",
        name=f"User {number}",
        external_id=None,
        metadata={},
        created_at=NOW,
    )
    return replace(made, **changes)


def member(number: int = 1, **changes: Any) -> Member:
    made = Member(
        organization_id=organization_id(1), user_id=user_id(number), role=Role.DEVELOPER, created_at=NOW
    )
    return replace(made, **changes)


def session_id(number: int = 1) -> SessionId:
    return SessionId(identifier(IdKind.SESSION, number))


def session(number: int = 1, **changes: Any) -> Session:
    made = Session(
        id=session_id(number),
        user_id=user_id(1),
        created_at=NOW,
        last_seen_at=NOW,
        expires_at=NOW + 14 * DAY,
        proven_at=NOW,
        address="192.0.2.1",
        agent="Firefox",
    )
    return replace(made, **changes)


def link_id(number: int = 1) -> LinkId:
    return LinkId(identifier(IdKind.LINK, number))


def link(number: int = 1, **changes: Any) -> Link:
    made = Link(
        id=link_id(number),
        kind=LinkKind.INVITATION,
        digest=digest(number),
        email=f"invited{number}@example.com",
        organization_id=organization_id(1),
        role=Role.VIEWER,
        made_by=BY,
        created_at=NOW,
        expires_at=NOW + DAY,
    )
    return replace(made, **changes)


def version(number: int = 1, **changes: Any) -> Version:
    made = Version(
        id=version_id(number), digest=digest(number), start="acme_sk_live_Ab", last4="wxyz", created_at=NOW
    )
    return replace(made, **changes)


def app_owner(number: int = 1) -> Owner:
    return Owner(kind=OwnerKind.APP, id=app_id(number))


def user_owner(number: int = 1) -> Owner:
    return Owner(kind=OwnerKind.USER, id=user_id(number))


def key(number: int = 1, **changes: Any) -> Key:
    """An app's key with one version, of the same number."""
    made = Key(
        id=key_id(number),
        name=f"Key {number}",
        type=KeyType.SECRET,
        environment=Environment.LIVE,
        owner=app_owner(),
        organization_id=organization_id(1),
        ephemeral=False,
        created_at=NOW,
        created_by=BY,
        expires_at=None,
        lifetime=None,
        constraints=(),
        allowed_origins=(),
        allowed_networks=(),
        scopes=(),
        labels={},
        metadata={},
        versions=(version(number),),
    )
    return replace(made, **changes)


def full_key(number: int = 1) -> Key:
    """A key with something in every field."""
    return key(
        number,
        type=KeyType.PUBLIC,
        environment=Environment.TEST,
        ephemeral=True,
        expires_at=NOW + DAY,
        lifetime=DAY,
        constraints=(
            Constraint(type=ConstraintType.REGEX, pattern=r"/v1/\d+", methods=("GET", "PUT")),
            Constraint(type=ConstraintType.VERB, pattern=None, methods=("GET",)),
        ),
        allowed_origins=("https://a.example",),
        allowed_networks=("192.0.2.0/24", "::/0"),
        scopes=("maps:read", "maps:*"),
        labels={"team.a/b-c": "blau"},
        metadata=ANYTHING,
        versions=(
            version(
                2 * number,
                retires_at=NOW + DAY,
                token="made-up",
                use_count=3,
                last_used_at=NOW,
            ),
            version(2 * number + 1),
        ),
        disabled_at=NOW,
        disabled_by=By(kind=ByKind.KEY, id="key_other"),
        revoked_at=NOW + DAY,
        revoked_reason=RevokedReason.OWNER_LEFT,
        use_count=7,
        last_used_at=NOW,
        revision=9,
    )


def root_key(number: int = 1, **changes: Any) -> Key:
    return key(number, owner=Owner(kind=OwnerKind.INSTANCE, id=None), organization_id=None, **changes)


def personal_key(number: int = 1, **changes: Any) -> Key:
    return key(number, owner=user_owner(), **changes)


def scope(name: str = "maps:read", **changes: Any) -> CatalogueScope:
    made = CatalogueScope(name=name, description="Read maps", customer_grantable=True, created_at=NOW)
    return replace(made, **changes)


def subject(number: int = 1) -> Subject:
    return Subject(kind=SubjectKind.KEY, id=key_id(number))


def entry(number: int = 1, **changes: Any) -> Entry:
    made = Entry(
        id=identifier(IdKind.AUDIT, number),
        at=NOW,
        by=BY,
        action="key.update",
        subject=subject(number),
        organization_id=organization_id(1),
        before={"name": "old"},
        after={"name": "new", "labels": {}},
        address="192.0.2.1",
        request_id="req_1",
        epoch=1,
    )
    return replace(made, **changes)


def recorded(number: int = 1, **changes: Any) -> Recorded:
    made = Recorded(
        principal="key_p",
        method="POST",
        path="/api/v1/organizations",
        key=f"once-{number}",
        body_hmac=digest(number),
        subject=subject(number),
        epoch=4,
        at=NOW,
    )
    return replace(made, **changes)


def position(item: Any) -> Position:
    return Position(at=item.created_at, id=item.id)


async def populate(store: SqlStore, *, organizations: int = 1, apps: int = 1, users: int = 1) -> None:
    """Organizations, apps of the first one, and users who are its members."""
    async with store.write() as tables:
        for number in range(1, organizations + 1):
            await tables.organizations.insert(organization(number))
        for number in range(1, apps + 1):
            await tables.apps.insert(app(number))
        for number in range(1, users + 1):
            await tables.users.insert(user(number))
            await tables.members.insert(member(number))
