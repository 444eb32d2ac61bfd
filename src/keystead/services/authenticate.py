"""Who asks in our own API: the same judgement as for the provider's, on our own paths."""

from dataclasses import dataclass, replace

from keystead.domain.errors import KeysteadError, SignedOut
from keystead.domain.ids import AppId, UserId, VersionId
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.policy import Policy, rules_of, tenant_of
from keystead.domain.powers import Person, Principal, key_of, principal_of
from keystead.domain.sessions import Session
from keystead.domain.tenants import Role, User
from keystead.domain.tokens import Token
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict, decide, known_of
from keystead.ports.store import Tables
from keystead.services.context import Actor, Context
from keystead.services.verify import find_known

ANY = Demands(environment=None, type=None, owner=None)
"""Our own routes ask nothing of a key but that it be good: `powers` decide what it may do."""


class KeyRefused(KeysteadError):
    """The key that calls our own API is refused, for `reason`."""

    code = "refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__("The key that asks was refused.")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Who acts, with the key or the session that asks as it is in the transaction, if one is needed."""

    principal: Principal
    key: Key | None = None
    session: Session | None = None


def authenticate(
    context: Context, presented: Token | Reason, attempt: Attempt, *, unconstrained: bool = False
) -> Verdict:
    """Judge the key that calls our own API; the caller counts the use, once its rate is judged too.

    `attempt.path` is what follows `/api/v1`. `unconstrained` leaves the key's constraints out, for reading
    and revoking itself, which no constraint blocks.
    """
    age_ms = context.replica.age_ms()
    found = find_known(context, presented, age_ms)
    if isinstance(found, Reason):
        return Verdict(found, None, age_ms)
    judged = _without_constraints(found) if unconstrained else found
    return Verdict(decide(judged, attempt, ANY), found, age_ms)


async def judged_again(context: Context, actor: Actor, tables: Tables) -> Judged:
    """Who acts as of now, in the transaction that writes: key or session and all above as they are in it.

    A request may have waited long since its head was judged, for its body or for its turn to write. Raises
    KeyRefused when the key would no longer be let in, SignedOut when the person would not.
    """
    if isinstance(actor.principal, Person):
        return await _person_now(context, actor.principal, tables)
    acting = key_of(actor.principal)
    if actor.attempt is None or acting is None:
        return Judged(principal=actor.principal)
    key = await tables.keys.find(acting)
    known = None if key is None else await _known_now(tables, key, actor.version_id)
    if key is None or known is None:
        raise KeyRefused(Reason.UNKNOWN)
    attempt = replace(actor.attempt, now_ms=context.clock_ms())
    reason = decide(_without_constraints(known) if actor.unconstrained else known, attempt, ANY)
    if reason is not None:
        raise KeyRefused(reason)
    return Judged(principal=principal_of(known), key=key)


async def _person_now(context: Context, person: Person, tables: Tables) -> Judged:
    session = await tables.sessions.find(person.session_id)
    user = await tables.users.find(person.user_id)
    if session is None or user is None or session.user_id != user.id:
        raise SignedOut
    if not session.is_live(context.clock()) or user.suspension is not None:
        raise SignedOut
    role = await _role_now(tables, user, person)
    within = person.organization_id if role is not None or user.operator else None
    now = replace(person, operator=user.operator, organization_id=within, role=role)
    return Judged(principal=now, session=session)


async def _role_now(tables: Tables, user: User, person: Person) -> Role | None:
    """The role where the person acts; none any more in an organization that was left, or is suspended."""
    if person.organization_id is None:
        return None
    organization = await tables.organizations.find(person.organization_id)
    member = await tables.members.find(person.organization_id, user.id)
    standing = organization is not None and organization.suspension is None
    return member.role if standing and member is not None else None


async def _known_now(tables: Tables, key: Key, version_id: VersionId | None) -> Known | None:
    presented = next((version for version in key.versions if version.id == version_id), None)
    if presented is None:
        return None
    organization, app, user, member = None, None, None, None
    if key.organization_id is not None:
        organization = await tables.organizations.find(key.organization_id)
    if key.owner.kind is OwnerKind.APP:
        app = await tables.apps.find(AppId(str(key.owner.id)))
    if key.owner.kind is OwnerKind.USER and key.organization_id is not None:
        user = await tables.users.find(UserId(str(key.owner.id)))
        member = await tables.members.find(key.organization_id, UserId(str(key.owner.id)))
    policy = Policy(
        rules=rules_of(key),
        organization=None if organization is None else tenant_of(organization),
        app=None if app is None else tenant_of(app),
        user=None if user is None else tenant_of(user),
        role=None if member is None else member.role,
    )
    return known_of(key, presented, policy)


def _without_constraints(known: Known) -> Known:
    return replace(known, policy=replace(known.policy, rules=replace(known.policy.rules, constraints=())))
