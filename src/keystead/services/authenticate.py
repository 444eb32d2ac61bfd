"""Who asks in our own API: the same judgement as for the provider's, on our own paths."""

from dataclasses import dataclass, replace

from keystead.domain.errors import KeysteadError
from keystead.domain.ids import AppId, UserId, VersionId
from keystead.domain.keys import Key, OwnerKind
from keystead.domain.policy import Policy, rules_of, tenant_of
from keystead.domain.powers import Operator, Principal, System, principal_of
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
    """Who acts, with the key that asks as it is in the transaction; no key for who needs none."""

    principal: Principal
    key: Key | None = None


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
    """Who acts as of now, in the transaction that writes: the key and all above it as they are in it.

    A request may have waited long since its head was judged, for its body or for its turn to write. Raises
    KeyRefused when the key would no longer be let in.
    """
    if actor.attempt is None or isinstance(actor.principal, Operator | System):
        return Judged(principal=actor.principal)
    key = await tables.keys.find(actor.principal.key_id)
    known = None if key is None else await _known_now(tables, key, actor.version_id)
    if key is None or known is None:
        raise KeyRefused(Reason.UNKNOWN)
    attempt = replace(actor.attempt, now_ms=context.clock_ms())
    reason = decide(_without_constraints(known) if actor.unconstrained else known, attempt, ANY)
    if reason is not None:
        raise KeyRefused(reason)
    return Judged(principal=principal_of(known), key=key)


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
