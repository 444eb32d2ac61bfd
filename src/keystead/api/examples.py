"""What requests and answers look like: real values of the real types, which cannot be wrong in shape."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec

from keystead.api.routes.keys import Lookup
from keystead.api.routes.verify import KeyFacts, TenantFacts, VerifyAnswer, VerifyRequest
from keystead.api.wire import (
    AppliedView,
    AppView,
    CeilingView,
    ConstraintView,
    EntryView,
    KeyView,
    LinkView,
    MembershipView,
    MemberView,
    MeView,
    NodeView,
    OrganizationView,
    OwnerView,
    Ref,
    ScopeView,
    SubjectView,
    UserView,
    VersionView,
)
from keystead.domain.constraints import ConstraintType
from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, make_id
from keystead.domain.keys import ByKind, Environment, KeyType, OwnerKind, RevokedReason, Status
from keystead.domain.links import LIFETIMES, LinkKind
from keystead.domain.secrets import make_secret
from keystead.domain.tenants import Role
from keystead.domain.tokens import Token, TokenKind, make_token
from keystead.services import drafts

Json = dict[str, Any]


def example_id(kind: IdKind) -> str:
    """An id that names nothing."""
    return make_id(kind, sha256(kind.encode()).digest()[:ID_ENTROPY_BYTES])


def _token(kind: TokenKind) -> Token:
    """A token that opens nothing: anybody can make it."""
    return make_token("ks", kind, Environment.LIVE, sha256(kind.encode()).digest())


REQUEST_ID = example_id(IdKind.REQUEST)

_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
_LATER = datetime(2026, 11, 2, 21, 30, tzinfo=UTC)
_NEXT_YEAR = datetime(2027, 11, 2, 9, 30, tzinfo=UTC)
_EPOCH = 42
_SECRET = _token(TokenKind.SECRET)
_ROOT = Ref(kind=ByKind.ROOT_KEY, id=make_id(IdKind.KEY, bytes(range(ID_ENTROPY_BYTES))))
_ORGANIZATION_ID, _APP_ID = example_id(IdKind.ORGANIZATION), example_id(IdKind.APP)
_USER_ID, _KEY_ID = example_id(IdKind.USER), example_id(IdKind.KEY)

KEY = KeyView(
    id=_KEY_ID,
    name="Nightly import",
    type=KeyType.SECRET,
    environment=Environment.LIVE,
    organization_id=_ORGANIZATION_ID,
    app_id=_APP_ID,
    owner=OwnerView(kind=OwnerKind.APP, id=_APP_ID),
    start=_SECRET.start,
    last4=_SECRET.last4,
    status=Status.ACTIVE,
    ephemeral=False,
    created_at=_AT,
    created_by=_ROOT,
    expires_at=_NEXT_YEAR,
    last_used_at=None,
    use_count=0,
    constraints=[ConstraintView(type=ConstraintType.PREFIX, pattern="jobs/", methods=["GET", "POST"])],
    allowed_origins=[],
    allowed_networks=["203.0.113.0/24"],
    scopes=["jobs:read"],
    labels={"team": "ops"},
    metadata={},
    versions=[
        VersionView(
            id=example_id(IdKind.VERSION),
            start=_SECRET.start,
            last4=_SECRET.last4,
            created_at=_AT,
            retires_at=None,
            last_used_at=None,
            use_count=0,
            origin_seen_at=None,
        )
    ],
    revoked_at=None,
    revoked_reason=None,
)
_ORGANIZATION = OrganizationView(
    id=_ORGANIZATION_ID,
    name="Acme",
    external_id="cus_42",
    ceiling=CeilingView(scopes=["jobs:read"], max_lifetime_s=None, public_methods=["GET", "HEAD"]),
    disabled=False,
    disabled_by=None,
    labels={},
    metadata={"plan": "pro"},
    created_at=_AT,
    deleted_at=None,
)
_APP = AppView(
    id=_APP_ID,
    organization_id=_ORGANIZATION_ID,
    name="Web",
    environment=Environment.LIVE,
    external_id=None,
    allowed_origins=["https://app.example.com"],
    allowed_networks=[],
    last_key_protection=True,
    self_rotation=True,
    api_base_url="https://api.example.com/v1",
    disabled=False,
    disabled_by=None,
    labels={},
    metadata={},
    created_at=_AT,
    deleted_at=None,
)
_USER = UserView(
    id=_USER_ID,
    email="ada@example.com",
    name="Ada",
    external_id=None,
    operator=False,
    disabled=False,
    disabled_by=None,
    metadata={},
    created_at=_AT,
)
_MEMBER = MemberView(
    organization_id=_ORGANIZATION_ID,
    user_id=_USER_ID,
    email="ada@example.com",
    name="Ada",
    role=Role.DEVELOPER,
    created_at=_AT,
)
_BACK = "https://app.example.com/account"
_SIGN_IN_LINK = LinkView(
    id=example_id(IdKind.LINK),
    kind=LinkKind.SIGN_IN,
    user_id=_USER_ID,
    email=None,
    organization_id=None,
    role=None,
    return_url=_BACK,
    created_at=_AT,
    expires_at=_AT + LIFETIMES[LinkKind.SIGN_IN],
    mailed=False,
    # Of nothing but zeros: it opens nothing.
    url=f"https://keys.example.com/link?secret={make_secret(b'').reveal()}",
)
_SCOPE = ScopeView(name="jobs:read", description="Read jobs.", customer_grantable=True, created_at=_AT)
_NODE = NodeView(
    id=example_id(IdKind.NODE),
    name="frankfurt-1",
    applied_epoch=_EPOCH,
    lag=0,
    seen_at=_AT,
    this_node=True,
)
_ENTRY = EntryView(
    id=example_id(IdKind.AUDIT),
    at=_AT,
    by=_ROOT,
    action="key.disable",
    subject=SubjectView(kind="key", id=_KEY_ID),
    organization_id=_ORGANIZATION_ID,
    before={"disabled_at": None},
    after={"disabled_at": "2026-11-02T09:30:00Z"},
    address="198.51.100.7",
    request_id=REQUEST_ID,
    epoch=_EPOCH,
)
_VERDICT = VerifyAnswer(
    valid=True,
    reason=None,
    key=KeyFacts(
        id=_KEY_ID,
        name="Nightly import",
        type=KeyType.SECRET,
        environment=Environment.LIVE,
        version_id=example_id(IdKind.VERSION),
        owner=OwnerView(kind=OwnerKind.APP, id=_APP_ID),
        app=TenantFacts(id=_APP_ID, external_id=None, metadata={}),
        organization=TenantFacts(id=_ORGANIZATION_ID, external_id="cus_42", metadata={"plan": "pro"}),
        scopes=["jobs:read"],
        metadata={},
        expires_at=_NEXT_YEAR,
    ),
    limits=[],
    as_of=_AT,
    degraded=False,
)
_ANSWERS = (
    KEY,
    _ORGANIZATION,
    _APP,
    _USER,
    MeView(
        **msgspec.structs.asdict(_USER),
        memberships=[MembershipView(organization_id=_ORGANIZATION_ID, role=Role.DEVELOPER)],
    ),
    _MEMBER,
    _SIGN_IN_LINK,
    _SCOPE,
    _NODE,
    _ENTRY,
    _VERDICT,
)

_changed = msgspec.structs.replace
_CHANGED_KEY = _changed(KEY, epoch=_EPOCH)
_NEW_KEY = _changed(_CHANGED_KEY, token=_SECRET.reveal())
_REVOKED_KEY = _changed(_CHANGED_KEY, status=Status.REVOKED, revoked_at=_AT)
_ROTATED_KEY = _changed(
    _NEW_KEY,
    versions=[
        KEY.versions[0],
        _changed(
            KEY.versions[0],
            id=make_id(IdKind.VERSION, bytes(range(ID_ENTROPY_BYTES))),
            start="ks_sk_live_2Zq7",
            last4="w81K",
            retires_at=_LATER,
        ),
    ],
)
_PUBLIC = _token(TokenKind.PUBLIC)
_REVEALED_KEY = _changed(
    KEY,
    type=KeyType.PUBLIC,
    start=_PUBLIC.start,
    last4=_PUBLIC.last4,
    token=_PUBLIC.reveal(),
    versions=[_changed(KEY.versions[0], start=_PUBLIC.start, last4=_PUBLIC.last4)],
)
_ROOT_KEY = _changed(
    KEY,
    name="Billing service",
    organization_id=None,
    app_id=None,
    owner=OwnerView(kind=OwnerKind.INSTANCE, id=None),
    start=_token(TokenKind.ROOT).start,
    last4=_token(TokenKind.ROOT).last4,
    constraints=[],
    scopes=["verify"],
    versions=[
        _changed(KEY.versions[0], start=_token(TokenKind.ROOT).start, last4=_token(TokenKind.ROOT).last4)
    ],
)
_PERSONAL_KEY = _changed(_NEW_KEY, app_id=None, owner=OwnerView(kind=OwnerKind.USER, id=_USER_ID))

_ANSWERS_OF: Mapping[str, msgspec.Struct] = {
    "add_member": _changed(_MEMBER, epoch=_EPOCH),
    "change_app": _changed(_APP, epoch=_EPOCH),
    "change_key": _CHANGED_KEY,
    "change_member": _changed(_MEMBER, epoch=_EPOCH),
    "change_organization": _changed(_ORGANIZATION, epoch=_EPOCH),
    "change_user": _changed(_USER, epoch=_EPOCH),
    "create_app": _changed(_APP, epoch=_EPOCH),
    "create_app_key": _NEW_KEY,
    "create_invitation": _changed(
        _SIGN_IN_LINK,
        kind=LinkKind.INVITATION,
        user_id=None,
        email="ada@example.com",
        organization_id=_ORGANIZATION_ID,
        role=Role.DEVELOPER,
        return_url=None,
        expires_at=_AT + LIFETIMES[LinkKind.INVITATION],
        mailed=True,
    ),
    "create_organization": _changed(_ORGANIZATION, epoch=_EPOCH),
    "create_password_reset_link": _changed(
        _SIGN_IN_LINK,
        kind=LinkKind.PASSWORD_RESET,
        return_url=None,
        expires_at=_AT + LIFETIMES[LinkKind.PASSWORD_RESET],
    ),
    "create_personal_key": _PERSONAL_KEY,
    "create_root_key": _changed(_ROOT_KEY, token=_token(TokenKind.ROOT).reveal(), epoch=_EPOCH),
    "create_user": _changed(_USER, epoch=_EPOCH),
    "delete_app": _changed(_APP, deleted_at=_AT, epoch=_EPOCH),
    "delete_organization": _changed(_ORGANIZATION, deleted_at=_AT, epoch=_EPOCH),
    "disable_key": _changed(_CHANGED_KEY, status=Status.DISABLED),
    "enable_key": _CHANGED_KEY,
    "list_personal_keys": _changed(_PERSONAL_KEY, token=msgspec.UNSET, epoch=msgspec.UNSET),
    "list_root_keys": _ROOT_KEY,
    "put_organization": _changed(_ORGANIZATION, epoch=_EPOCH),
    "put_user": _changed(_USER, external_id="emp_7", epoch=_EPOCH),
    "remove_member": _changed(_MEMBER, epoch=_EPOCH),
    "retire_version": _CHANGED_KEY,
    "reveal_key": _REVEALED_KEY,
    "revoke_key": _changed(
        _REVOKED_KEY,
        revoked_reason=RevokedReason.SUPERSEDED,
        confirmed=[AppliedView(id=_NODE.id, name=_NODE.name, applied_epoch=_EPOCH)],
        lagging=[],
    ),
    "revoke_self": _changed(_REVOKED_KEY, revoked_reason=RevokedReason.COMPROMISED),
    "rotate_key": _ROTATED_KEY,
    "rotate_self": _ROTATED_KEY,
}
"""Answers that say more than the usual example of their type."""

_BODIES = (
    drafts.NewKey(
        name="Nightly import",
        constraints=[
            drafts.ConstraintDraft(type=ConstraintType.PREFIX, pattern="jobs/", methods=["GET", "POST"])
        ],
        allowed_networks=["203.0.113.0/24"],
        expires_in=31_536_000,
        labels={"team": "ops"},
    ),
    drafts.NewPersonalKey(name="My laptop", expires_in=2_592_000),
    drafts.NewRootKey(name="Billing service", scopes=["verify"]),
    drafts.KeyChange(name="Nightly import, Frankfurt", labels={"team": "data"}),
    drafts.Rotation(grace_s=3600),
    Lookup(token=_SECRET.reveal()),
    drafts.NewOrganization(name="Acme", metadata={"plan": "pro"}),
    drafts.OrganizationChange(
        ceiling=drafts.CeilingDraft(max_lifetime_s=31_536_000, public_methods=["GET", "HEAD"])
    ),
    drafts.ExternalOrganization(name="Acme", metadata={"plan": "pro"}),
    drafts.NewApp(name="Web", allowed_origins=["https://app.example.com"]),
    drafts.AppChange(allowed_origins=["https://app.example.com", "https://*.preview.example.com"]),
    drafts.NewUser(email="ada@example.com", name="Ada"),
    drafts.UserChange(name="Ada Lovelace"),
    drafts.ExternalUser(email="ada@example.com", name="Ada"),
    drafts.NewMember(email="ada@example.com", role=Role.DEVELOPER),
    drafts.NewInvitation(email="ada@example.com", role=Role.DEVELOPER),
    drafts.NewSignInLink(return_url=_BACK),
    drafts.MemberChange(role=Role.ADMIN),
    drafts.NewScope(name="jobs:read", description="Read jobs.", customer_grantable=True),
    drafts.ScopeChange(description="Read jobs and their logs."),
    VerifyRequest(
        token=_SECRET.reveal(),
        method="GET",
        path="/jobs/7",
        origin="https://app.example.com",
        ip="203.0.113.9",
        user_agent="curl/8.5.0",
        scopes=["jobs:read"],
    ),
)

_BY_TYPE: Mapping[str, msgspec.Struct] = {type(it).__name__: it for it in (*_ANSWERS, *_BODIES)}


def body_example(name: str) -> Json:
    """The example of a request body, by the name of its type."""
    return _shown(_BY_TYPE[name])


def answer_example(operation_id: str, name: str) -> Json:
    """The example of what an operation answers, or of an item if that is a list."""
    return _shown(_ANSWERS_OF.get(operation_id, _BY_TYPE[name]))


def _shown(example: msgspec.Struct) -> Json:
    return dict(msgspec.to_builtins(example))
