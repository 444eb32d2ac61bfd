"""Domain values as the API shows them: each kind of thing in one shape, everywhere."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

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
from keystead.domain.audit import Entry
from keystead.domain.constraints import Constraint
from keystead.domain.keys import (
    By,
    Key,
    OwnerKind,
    Version,
)
from keystead.domain.tenants import (
    App,
    CatalogueScope,
    Ceiling,
    Member,
    Organization,
    Suspension,
    User,
)
from keystead.domain.tokens import Token
from keystead.ports.store import Node
from keystead.services.links import MadeLink
from keystead.services.mutation import Changed
from keystead.services.nodes import Listed


def view_key(  # noqa: PLR0913 - each is a field of the answer
    key: Key,
    now: datetime,
    changed: Changed[Any] | None = None,
    *,
    token: Token | None = None,
    notice: str | None = None,
    descendants: Sequence[str] | None = None,
) -> KeyView:
    """A key, and what became of the change if one was made; `token` where it was made or is revealed."""
    return KeyView(
        id=key.id,
        name=key.name,
        type=key.type,
        environment=key.environment,
        organization_id=key.organization_id,
        app_id=key.owner.id if key.owner.kind is OwnerKind.APP else None,
        owner=OwnerView(kind=key.owner.kind, id=key.owner.id),
        start=key.newest.start,
        last4=key.newest.last4,
        status=key.status(now),
        ephemeral=key.ephemeral,
        created_at=key.created_at,
        created_by=_ref(key.created_by),
        expires_at=key.expires_at,
        last_used_at=key.last_used_at,
        use_count=key.use_count,
        constraints=[_constraint(it) for it in key.constraints],
        allowed_origins=list(key.allowed_origins),
        allowed_networks=list(key.allowed_networks),
        scopes=list(key.scopes),
        labels=dict(key.labels),
        metadata=dict(key.metadata),
        versions=[_version(it) for it in key.versions],
        revoked_at=key.revoked_at,
        revoked_reason=key.revoked_reason,
        token=UNSET if token is None else token.reveal(),
        notice=UNSET if notice is None else notice,
        descendants=UNSET if descendants is None else list(descendants),
        **_change(changed),
    )


def view_organization(it: Organization, changed: Changed[Any] | None = None) -> OrganizationView:
    """An organization."""
    return OrganizationView(
        id=it.id,
        name=it.name,
        external_id=it.external_id,
        ceiling=_ceiling(it.ceiling),
        disabled=it.suspension is not None,
        disabled_by=_suspender(it.suspension),
        labels=dict(it.labels),
        metadata=dict(it.metadata),
        created_at=it.created_at,
        deleted_at=it.deleted_at,
        **_change(changed),
    )


def view_app(it: App, changed: Changed[Any] | None = None) -> AppView:
    """An app."""
    return AppView(
        id=it.id,
        organization_id=it.organization_id,
        name=it.name,
        environment=it.environment,
        external_id=it.external_id,
        allowed_origins=list(it.allowed_origins),
        allowed_networks=list(it.allowed_networks),
        last_key_protection=it.last_key_protection,
        self_rotation=it.self_rotation,
        api_base_url=it.api_base_url,
        disabled=it.suspension is not None,
        disabled_by=_suspender(it.suspension),
        labels=dict(it.labels),
        metadata=dict(it.metadata),
        created_at=it.created_at,
        deleted_at=it.deleted_at,
        **_change(changed),
    )


def view_user(it: User, changed: Changed[Any] | None = None) -> UserView:
    """A user."""
    return UserView(
        id=it.id,
        email=it.email,
        name=it.name,
        external_id=it.external_id,
        operator=it.operator,
        disabled=it.suspension is not None,
        disabled_by=_suspender(it.suspension),
        metadata=dict(it.metadata),
        created_at=it.created_at,
        **_change(changed),
    )


def view_me(it: User, members: Sequence[Member]) -> MeView:
    """The user that asks, with its memberships."""
    return MeView(
        **msgspec.structs.asdict(view_user(it)),
        memberships=[MembershipView(organization_id=m.organization_id, role=m.role) for m in members],
    )


def view_member(membership: tuple[Member, User], changed: Changed[Any] | None = None) -> MemberView:
    """A member with its user's name and e-mail."""
    member, user = membership
    return MemberView(
        organization_id=member.organization_id,
        user_id=user.id,
        email=user.email,
        name=user.name,
        role=member.role,
        created_at=member.created_at,
        **_change(changed),
    )


def view_link(made: MadeLink, url: str | None, notice: str | None = None) -> LinkView:
    """A link, with its address in the answer that makes it."""
    it = made.link
    return LinkView(
        id=it.id,
        kind=it.kind,
        user_id=it.user_id,
        email=it.email,
        organization_id=it.organization_id,
        role=it.role,
        return_url=it.return_url,
        created_at=it.created_at,
        expires_at=it.expires_at,
        mailed=made.mailed,
        url=UNSET if url is None else url,
        notice=UNSET if notice is None else notice,
    )


def view_scope(it: CatalogueScope) -> ScopeView:
    """A scope of the catalogue."""
    return ScopeView(
        name=it.name,
        description=it.description,
        customer_grantable=it.customer_grantable,
        created_at=it.created_at,
    )


def view_node(it: Listed) -> NodeView:
    """A node."""
    node = it.node
    return NodeView(
        id=node.id,
        name=node.name,
        applied_epoch=node.applied_epoch,
        lag=it.lag,
        seen_at=it.seen_at,
        this_node=it.own,
    )


def view_entry(it: Entry) -> EntryView:
    """An audit entry."""
    return EntryView(
        id=it.id,
        at=it.at,
        by=_ref(it.by),
        action=it.action,
        subject=SubjectView(kind=it.subject.kind, id=it.subject.id),
        organization_id=it.organization_id,
        before=_optional(it.before),
        after=_optional(it.after),
        address=it.address,
        request_id=it.request_id,
        epoch=it.epoch,
    )


def _version(it: Version) -> VersionView:
    return VersionView(
        id=it.id,
        start=it.start,
        last4=it.last4,
        created_at=it.created_at,
        retires_at=it.retires_at,
        last_used_at=it.last_used_at,
        use_count=it.use_count,
        origin_seen_at=it.origin_seen_at,
    )


def _constraint(it: Constraint) -> ConstraintView:
    return ConstraintView(type=it.type, pattern=it.pattern, methods=list(it.methods))


def _ceiling(it: Ceiling) -> CeilingView:
    return CeilingView(
        scopes=None if it.scopes is None else list(it.scopes),
        max_lifetime_s=None if it.max_lifetime is None else int(it.max_lifetime.total_seconds()),
        public_methods=list(it.public_methods),
    )


def _ref(by: By) -> Ref:
    return Ref(kind=by.kind, id=by.id)


def _suspender(suspension: Suspension | None) -> Ref | None:
    return None if suspension is None else _ref(suspension.by)


def _change(changed: Changed[Any] | None) -> dict[str, Any]:
    """The fields of `ChangeView`: of a change its epoch, and who has applied it if that was waited for."""
    if changed is None:
        return {}
    epoch, nodes = changed.epoch, changed.acknowledgement
    return {
        "epoch": UNSET if epoch is None else epoch,
        "confirmed": UNSET if nodes is None else [_node(it) for it in nodes.confirmed],
        "lagging": UNSET if nodes is None else [_node(it) for it in nodes.lagging],
    }


def _node(it: Node) -> AppliedView:
    return AppliedView(id=it.id, name=it.name, applied_epoch=it.applied_epoch)


def _optional(items: Mapping[str, object] | None) -> dict[str, object] | None:
    return None if items is None else dict(items)
