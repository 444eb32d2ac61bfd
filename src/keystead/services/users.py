"""Users: the people behind memberships and personal keys."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keystead.domain.audit import Subject, SubjectKind
from keystead.domain.errors import Conflict, Denied, NotFound, Stale
from keystead.domain.ids import IdKind, UserId
from keystead.domain.links import LinkKind
from keystead.domain.powers import Person, PersonalKey, Power, is_provider
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

_THEIR_LINKS = (LinkKind.PASSWORD_RESET, LinkKind.EMAIL, LinkKind.SIGN_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The user who acts, in person or by a personal key, with the memberships that they may see thereby."""

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
    """The user who acts. Raises Denied for every principal but a person and a personal key."""
    principal = actor.principal
    if not isinstance(principal, Person | PersonalKey):
        raise Denied("Only a personal key has a user. Name the user by its id.")
    power = Power.USE_ACCOUNT if isinstance(principal, Person) else Power.READ_USERS
    async with context.store.read() as tables:
        user = await reach_user(tables, principal, power, principal.user_id)
        members = await tables.members.of_user(user.id)
    if isinstance(principal, PersonalKey):
        members = [it for it in members if it.organization_id == principal.organization_id]
    return Me(user=user, members=members)


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
    """Change a user; what the draft leaves out stays. Suspending them ends their sessions.

    Raises Stale when `revision` is no longer the newest, Conflict (`email-taken`, `external-id-taken`,
    `last-operator`), Denied where an operator is changed or made by who may not manage operators.
    """
    async with mutation(context, actor) as work:
        user = await reach_user(work.tables, work.principal, Power.PROVIDE_USERS, user_id)
        if revision is not None and revision != user.revision:
            raise Stale("user", user.id)
        saved = await _save(work, user, await _changed(work, user, draft))
    return Changed(value=saved, epoch=work.epoch)


async def make_user(context: Context, work: Mutation, email: str, name: str) -> User:
    """Make a user as part of a mutation; `email` is canonical and free."""
    return await insert_user(work, new_user(context, work, email, name))


def new_user(context: Context, work: Mutation, email: str, name: str) -> User:
    """A user who is not written yet."""
    return User(
        id=UserId(context.new_id(IdKind.USER)),
        email=email,
        name=name,
        external_id=None,
        metadata={},
        created_at=work.now,
    )


async def _create(context: Context, work: Mutation, draft: NewUser) -> User:
    user = User(
        id=UserId(context.new_id(IdKind.USER)),
        email=make_email(draft.email),
        name=make_name(draft.name),
        external_id=given(draft.external_id, make_external_id, None),
        metadata=given(draft.metadata, drafted_metadata, {}),
        created_at=work.now,
    )
    return await insert_user(work, user)


async def insert_user(work: Mutation, user: User) -> User:
    """Write a new user and record it. Raises Conflict: `email-taken`, `external-id-taken`."""
    await _require_free(work.tables, user)
    await work.tables.users.insert(user)
    work.record("user.create", _subject(user), None, before=None, after=user)
    return user


async def _changed(work: Mutation, user: User, draft: UserChange) -> User:
    email = given(draft.email, make_email, user.email)
    changed = replace(
        user,
        email=email,
        # What somebody confirmed was another address.
        email_confirmed_at=user.email_confirmed_at if email == user.email else None,
        name=given(draft.name, make_name, user.name),
        external_id=given(
            draft.external_id, lambda it: None if it is None else make_external_id(it), user.external_id
        ),
        metadata=given(draft.metadata, drafted_metadata, dict(user.metadata)),
        suspension=suspension(user.suspension, draft.disabled, work.principal, work.now),
        operator=given(draft.operator, bool, user.operator),
    )
    await _require_free(work.tables, changed)
    return changed


async def _save(work: Mutation, before: User, after: User) -> User:
    if after == before:
        return before
    await _require_may(work, before, after)
    saved = await save_user(work, "user.update", before, after)
    if saved.suspension is not None:
        await work.tables.sessions.delete_of_user(saved.id)
    if (saved.suspension, saved.operator, saved.email) != (before.suspension, before.operator, before.email):
        # They were made for the account as it was: a link into a customer's must not open an operator's.
        await _end_links(work, saved)
    return saved


async def save_user(work: Mutation, action: str, before: User, after: User, *, verdicts: bool = True) -> User:
    """Write a changed user as the next revision and record it, as part of a mutation."""
    saved = replace(after, revision=before.revision + 1)
    await work.tables.users.update(saved)
    work.record(action, _subject(saved), None, before=before, after=saved, verdicts=verdicts)
    return saved


async def set_password(work: Mutation, user: User, hashed: str) -> User:
    """Give a user another password as part of a mutation; every link that lets them in, or moves them, ends.

    Whoever had the old password may have asked for one: an address of theirs must not be confirmed later.
    """
    await _end_links(work, user)
    changed = replace(user, password=hashed)
    return await save_user(work, "user.change_password", user, changed, verdicts=False)


async def _end_links(work: Mutation, user: User) -> None:
    for kind in _THEIR_LINKS:
        await work.tables.links.delete(kind, user.id)


async def _require_may(work: Mutation, before: User, after: User) -> None:
    """Raise unless the principal may change this user so: an operator's account opens all there is."""
    if before.operator or after.operator:
        require(work.principal, Power.MANAGE_OPERATORS)
    if after.operator != before.operator or after.email != before.email:
        work.require_proven()
    ends = before.operator and not (after.operator and after.suspension is None)
    if ends and before.suspension is None and await work.tables.users.count_operators() == 1:
        problem = "The last operator can neither be suspended nor be one no longer. Make another first."
        raise Conflict(problem, code="last-operator")


async def _require_free(tables: Tables, user: User) -> None:
    """Raise Conflict if another user has the e-mail or the external id."""
    other = await tables.users.find_email(user.email)
    if other is not None and other.id != user.id:
        raise Conflict("Another user has this email.", code="email-taken", field="email")
    if user.external_id is None:
        return
    other = await tables.users.find_external(user.external_id)
    if other is not None and other.id != user.id:
        problem = f"Another user has the external_id {user.external_id}."
        raise Conflict(problem, code="external-id-taken", field="external_id")


async def _replayed(work: Mutation, earlier: Recorded) -> Changed[User]:
    found = await work.tables.users.find(UserId(earlier.subject.id))
    if found is None:
        raise NotFound("user", earlier.subject.id)
    return Changed(value=found, epoch=earlier.epoch, replayed=True)


def _subject(user: User) -> Subject:
    return Subject(kind=SubjectKind.USER, id=user.id)
