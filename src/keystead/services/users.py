"""Users: the people behind memberships and personal keys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, Denied, NotFound, Stale
from keystead.domain.ids import IdKind, UserId
from keystead.domain.powers import PersonalKey, Power, is_provider
from keystead.domain.tenants import Member, User
from keystead.domain.text import make_email, make_external_id, make_name
from keystead.ports.store import Listing, Page, Recorded, Tables, TenantFilter
from keystead.services.access import reach_user, require
from keystead.services.acknowledge import acknowledged
from keystead.services.context import Actor, Context
from keystead.services.drafts import ExternalUser, NewUser, UserChange, drafted_metadata
from keystead.services.making import given
from keystead.services.mutation import Changed, Mutation, mutation
from keystead.services.suspending import suspension


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The user behind a personal key, with the memberships that this key may see."""

    user: User
    members: Sequence[Member]


@acknowledged
async def create_user(context: Context, actor: Actor, draft: NewUser) -> Changed[User]:
    """Make a user. Raises Conflict: `email-taken`, `external-id-taken`."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_USERS)
        if (earlier := await work.earlier()) is not None:
            return await _replayed(work, earlier)
        user = await _create(context, work, draft)
    return Changed(value=user, epoch=work.epoch)


@acknowledged
async def put_user(context: Context, actor: Actor, external_id: str, draft: ExternalUser) -> Changed[User]:
    """Bring the user that the provider knows by `external_id` up to date, or make it."""
    async with mutation(context, actor) as work:
        require(work.principal, Power.PROVIDE_USERS)
        known = make_external_id(external_id)
        user = await work.tables.users.find_external(known)
        created = user is None
        if user is None:
            new = NewUser(email=draft.email, name=draft.name, external_id=known, metadata=draft.metadata)
            user = await _create(context, work, new)
        change = UserChange(
            email=draft.email, name=draft.name, metadata=draft.metadata, disabled=draft.disabled
        )
        saved = await _save(work, user, await _changed(work, user, change))
    return Changed(value=saved, epoch=work.epoch, created=created)


async def get_user(context: Context, actor: Actor, user_id: UserId) -> User:
    """One user; a personal key sees its own."""
    async with context.store.read() as tables:
        return await reach_user(tables, actor.principal, Power.READ_USERS, user_id)


async def get_me(context: Context, actor: Actor) -> Me:
    """The user that a personal key acts as. Raises Denied for every other principal."""
    principal = actor.principal
    if not isinstance(principal, PersonalKey):
        raise Denied("Only a personal key has a user. Name the user by its id.")
    async with context.store.read() as tables:
        user = await reach_user(tables, principal, Power.READ_USERS, principal.user_id)
        members = await tables.members.of_user(user.id)
    return Me(user=user, members=[it for it in members if it.organization_id == principal.organization_id])


async def list_users(context: Context, actor: Actor, wanted: TenantFilter, page: Page) -> Listing[User]:
    """All users, for the provider; colleagues are listed as members."""
    if not is_provider(actor.principal):
        raise Denied("Only the provider lists users. Members are listed in their organization.")
    require(actor.principal, Power.READ_USERS)
    async with context.store.read() as tables:
        return await tables.users.list(wanted, page)


@acknowledged
async def change_user(
    context: Context, actor: Actor, user_id: UserId, draft: UserChange, *, revision: int | None = None
) -> Changed[User]:
    """Change a user; what the draft leaves out stays.

    Raises Stale when `revision` is no longer the newest, Conflict (`email-taken`, `external-id-taken`).
    """
    async with mutation(context, actor) as work:
        user = await reach_user(work.tables, work.principal, Power.PROVIDE_USERS, user_id)
        if revision is not None and revision != user.revision:
            raise Stale("user", user.id)
        saved = await _save(work, user, await _changed(work, user, draft))
    return Changed(value=saved, epoch=work.epoch)


async def make_user(context: Context, work: Mutation, email: str, name: str) -> User:
    """Make a user as part of a mutation; `email` is canonical and free."""
    user = User(
        id=UserId(context.new_id(IdKind.USER)),
        email=email,
        name=name,
        external_id=None,
        metadata={},
        created_at=work.now,
    )
    return await _insert(work, user)


async def _create(context: Context, work: Mutation, draft: NewUser) -> User:
    user = User(
        id=UserId(context.new_id(IdKind.USER)),
        email=make_email(draft.email),
        name=make_name(draft.name),
        external_id=given(draft.external_id, make_external_id, None),
        metadata=given(draft.metadata, drafted_metadata, {}),
        created_at=work.now,
    )
    await _require_free(work.tables, user)
    return await _insert(work, user)


async def _insert(work: Mutation, user: User) -> User:
    await work.tables.users.insert(user)
    work.record("user.create", _subject(user), None, before=None, after=user)
    return user


async def _changed(work: Mutation, user: User, draft: UserChange) -> User:
    changed = replace(
        user,
        email=given(draft.email, make_email, user.email),
        name=given(draft.name, make_name, user.name),
        external_id=given(
            draft.external_id, lambda it: None if it is None else make_external_id(it), user.external_id
        ),
        metadata=given(draft.metadata, drafted_metadata, dict(user.metadata)),
        suspension=suspension(user.suspension, draft.disabled, work.principal, work.now),
    )
    await _require_free(work.tables, changed)
    return changed


async def _save(work: Mutation, before: User, after: User) -> User:
    if after == before:
        return before
    saved = replace(after, revision=before.revision + 1)
    await work.tables.users.update(saved)
    work.record("user.update", _subject(saved), None, before=before, after=saved)
    return saved


async def _require_free(tables: Tables, user: User) -> None:
    """Raise Conflict if another user has the e-mail or the external id."""
    other = await tables.users.find_email(user.email)
    if other is not None and other.id != user.id:
        raise Conflict("Another user has this email.", code="email-taken")
    if user.external_id is None:
        return
    other = await tables.users.find_external(user.external_id)
    if other is not None and other.id != user.id:
        raise Conflict(f"Another user has the external_id {user.external_id}.", code="external-id-taken")


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[User]:
    found = await work.tables.users.find(UserId(earlier.subject.id))
    if found is None:
        raise NotFound("user", earlier.subject.id)
    return Changed(value=found, epoch=earlier.epoch, replayed=True)


def _subject(user: User) -> Subject:
    return Subject(kind=SubjectKind.USER, id=user.id)
