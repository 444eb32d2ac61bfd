"""What making and changing keys share: the maker's reach, what may be granted, and the new version."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec import UNSET, UnsetType

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, Denied, NotFound
from keystead.domain.granting import choose_expiry, require_grantable
from keystead.domain.ids import IdKind, KeyId, OrganizationId, VersionId
from keystead.domain.keys import Environment, Key, KeyType, Owner, OwnerKind, Version
from keystead.domain.powers import Principal, is_provider
from keystead.domain.reach import Reach, reach_of, wider_in
from keystead.domain.rotation import NewExpiry
from keystead.domain.scopes import make_root_scopes, make_scopes
from keystead.domain.tenants import Ceiling, Organization
from keystead.domain.text import make_name
from keystead.domain.tokens import Token, TokenKind
from keystead.ports.store import Recorded, Tables
from keystead.services.access import require_provider
from keystead.services.context import Context
from keystead.services.drafts import (
    NewKey,
    asked_expiry,
    drafted_constraints,
    drafted_labels,
    drafted_metadata,
    drafted_networks,
    drafted_origins,
)
from keystead.services.mutation import Changed, Mutation

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a new key belongs, and the ceiling above it (None: root keys have none)."""

    owner: Owner
    organization_id: OrganizationId | None
    environment: Environment
    ceiling: Ceiling | None


def place_below(organization: Organization, owner: Owner, environment: Environment) -> Place:
    """A place below an organization, under its ceiling."""
    return Place(
        owner=owner,
        organization_id=organization.id,
        environment=environment,
        ceiling=organization.ceiling,
    )


async def make_key(context: Context, work: Mutation, draft: NewKey, place: Place) -> Changed[Key]:
    """Make the key that `draft` asks for at `place` and record it; its token is in what is returned.

    Raises InvalidInput, or Denied: `above-ceiling`, `beyond-reach`, `provider-only`, `ephemeral-makes-none`.
    """
    bound = maker_reach(work.maker, place.owner.kind)
    expiry = _expiry(draft, place, bound, work)
    scopes = given(draft.scopes, _scope_maker(place.owner.kind), bound.scopes if bound else ())
    await require_scopes(work.tables, work.principal, scopes, place.ceiling)
    if draft.metadata is not UNSET:
        require_provider(work.principal, "metadata")
    kind = token_kind(draft.type, place.owner.kind)
    token = context.new_token(kind, place.environment)
    key = Key(
        id=KeyId(context.new_id(IdKind.KEY)),
        name=make_name(draft.name),
        type=draft.type,
        environment=place.environment,
        owner=place.owner,
        organization_id=place.organization_id,
        ephemeral=draft.ephemeral,
        created_at=work.now,
        created_by=work.principal.by,
        expires_at=expiry.at,
        lifetime=None if expiry.at is None else expiry.at - work.now,
        constraints=given(draft.constraints, drafted_constraints, bound.constraints if bound else ()),
        allowed_origins=given(draft.allowed_origins, drafted_origins, bound.allowed_origins if bound else ()),
        allowed_networks=given(
            draft.allowed_networks, drafted_networks, bound.allowed_networks if bound else ()
        ),
        scopes=scopes,
        labels=given(draft.labels, drafted_labels, {}),
        metadata=given(draft.metadata, drafted_metadata, {}),
        versions=(new_version(context, token, draft.type, work),),
    )
    require_within(work.maker, key)
    await insert_key(work, key)
    return Changed(value=key, epoch=None, token=token)


async def insert_key(work: Mutation, key: Key) -> None:
    """Write a new key and record it. Raises ProofNeeded for a secret one that a person makes unproven."""
    if key.type is KeyType.SECRET:
        work.require_proven()
    await work.tables.keys.insert(key)
    work.record("key.create", subject_of(key), key.organization_id, before=None, after=key)


async def require_room(context: Context, work: Mutation, owner: Owner) -> None:
    """Raise Conflict (`too-many-keys`) when the owner holds as many live keys as it may."""
    if owner.id is None:
        return
    most = context.bounds.keys_per_owner
    if await work.tables.keys.count_live(owner.id, work.now) >= most:
        problem = (
            f"The {owner.kind} holds {most} live keys, which is the most it may. Delete keys no longer used."
        )
        raise Conflict(problem, code="too-many-keys", most=most)


def given(value: T | UnsetType, make: Callable[[T], R], otherwise: R) -> R:
    """What was sent, judged by `make`; `otherwise` when nothing was."""
    return otherwise if isinstance(value, UnsetType) else make(value)


def new_version(context: Context, token: Token, key_type: KeyType, work: Mutation) -> Version:
    """What is kept of a token: a public one whole, of a secret one its digest and what people know it by."""
    return Version(
        id=VersionId(context.new_id(IdKind.VERSION)),
        digest=token.digest,
        start=token.start,
        last4=token.last4,
        created_at=work.now,
        token=token.reveal() if key_type is KeyType.PUBLIC else None,
    )


def token_kind(key_type: KeyType, owner_kind: OwnerKind) -> TokenKind:
    """The kind of token that stands for such a key."""
    if owner_kind is OwnerKind.INSTANCE:
        return TokenKind.ROOT
    return TokenKind.PUBLIC if key_type is KeyType.PUBLIC else TokenKind.SECRET


def subject_of(key: Key) -> Subject:
    """The key as audit and epochs name it."""
    return Subject(kind=SubjectKind.KEY, id=key.id)


def maker_reach(maker: Key | None, kind: OwnerKind) -> Reach | None:
    """The reach that a key of `kind` must keep within when the key `maker` makes or changes it; None: any.

    Within a kind the maker's own reach binds; between kinds its role or scopes decide and nothing is copied.
    """
    # An app key makes none, but may rotate itself: not into a longer life.
    return None if maker is None or maker.owner.kind is not kind else reach_of(maker)


def require_within(maker: Key | None, key: Key) -> None:
    """Raise Denied (`beyond-reach`), naming the field, unless `key` is proved within the key that acts."""
    bound = maker_reach(maker, key.owner.kind)
    field = None if bound is None else wider_in(bound, reach_of(key))
    if field is not None:
        problem = (
            f"{field}: wider than the key that asks, or not provably narrower. Keep within its own {field}."
        )
        raise Denied(problem, code="beyond-reach", field=field)


def require_maker(work: Mutation) -> None:
    """Raise Denied (`ephemeral-makes-none`) for an ephemeral key."""
    if work.maker is not None and work.maker.ephemeral:
        raise Denied("An ephemeral key cannot make keys.", code="ephemeral-makes-none")


async def require_scopes(
    tables: Tables, principal: Principal, wanted: Sequence[str], ceiling: Ceiling | None
) -> None:
    """Raise unless all `wanted` (newly granted) scopes may be granted; root keys' scopes are a closed set."""
    if ceiling is None or not wanted:
        return
    catalogue = {scope.name: scope for scope in await tables.scopes.find_many(wanted)}
    require_grantable(wanted, catalogue, ceiling, by_provider=is_provider(principal))


async def replayed_key(work: Mutation, earlier: Recorded) -> Changed[Key]:
    """The key that an earlier request with the same `Idempotency-Key` made or changed, as it is now."""
    key = await work.tables.keys.find(KeyId(earlier.subject.id))
    if key is None:
        raise NotFound("key", earlier.subject.id)
    return Changed(value=key, epoch=earlier.epoch, replayed=True)


def scopes_for(kind: OwnerKind, items: Sequence[str]) -> tuple[str, ...]:
    """Scopes in the form that keys of `kind` carry: of the provider's API, or of ours for root keys."""
    maker = make_root_scopes if kind is OwnerKind.INSTANCE else make_scopes
    return maker(items, field="scopes")


def _scope_maker(kind: OwnerKind) -> Callable[[Sequence[str]], tuple[str, ...]]:
    return lambda items: scopes_for(kind, items)


def _expiry(draft: NewKey, place: Place, bound: Reach | None, work: Mutation) -> NewExpiry:
    asked = asked_expiry(draft, work.now)
    at = choose_expiry(
        asked.at if asked else None,
        given=asked is not None,
        now=work.now,
        ceiling=place.ceiling,
        ephemeral=draft.ephemeral,
    )
    if asked is None and bound is not None and bound.lifetime is not None:
        inherited = work.now + bound.lifetime
        at = inherited if at is None else min(at, inherited)
    return NewExpiry(at=at)
