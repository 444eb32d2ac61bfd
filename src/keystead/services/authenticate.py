"""Who asks in our own API: the same judgement as for the provider's, on our own paths."""

from dataclasses import replace

from keystead.domain.errors import KeysteadError
from keystead.domain.ids import AppId, KeyId, UserId
from keystead.domain.keys import OwnerKind, Version
from keystead.domain.powers import Operator, Principal, System, principal_of
from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict, decide
from keystead.ports import Tables
from keystead.services.context import Actor, Context

ANY = Demands(environment=None, type=None, owner=None)
"""Our own routes ask nothing of a key but that it be good: `powers` decide what it may do."""


class KeyRefused(KeysteadError):
    """The key that calls our own API is refused, for `reason`."""

    code = "refused"

    def __init__(self, reason: Reason) -> None:
        super().__init__("The key that asks was refused.")
        self.reason = reason


async def authenticate(
    context: Context, presented: Token | Reason, attempt: Attempt, *, unconstrained: bool = False
) -> Verdict:
    """Judge the key that calls our own API; the caller counts the use, once its rate is judged too.

    `attempt.path` is what follows `/api/v1`. `unconstrained` leaves the key's constraints out, for reading
    and revoking itself, which no constraint blocks.
    """
    if isinstance(presented, Reason):
        return Verdict(reason=presented)
    known = await context.index.find(presented.digest)
    if known is None:
        return Verdict(reason=Reason.UNKNOWN if could_be_issued(presented) else Reason.MALFORMED)
    reason = decide(_without_constraints(known) if unconstrained else known, attempt, ANY)
    return Verdict(reason=reason, known=known)


async def judged_again(context: Context, actor: Actor, tables: Tables) -> Principal:
    """Who acts as of now, in the transaction that writes: the key and all above it as they are in it.

    A request may have waited long since its head was judged, for its body or for its turn to write. Raises
    KeyRefused when the key would no longer be let in.
    """
    if actor.attempt is None or isinstance(actor.principal, Operator | System):
        return actor.principal
    known = await _known_now(tables, actor.principal.key.id, actor.version)
    if known is None:
        raise KeyRefused(Reason.UNKNOWN)
    attempt = replace(actor.attempt, now=context.clock())
    reason = decide(_without_constraints(known) if actor.unconstrained else known, attempt, ANY)
    if reason is not None:
        raise KeyRefused(reason)
    return principal_of(known)


async def _known_now(tables: Tables, key_id: KeyId, version: Version | None) -> Known | None:
    key = await tables.keys.find(key_id)
    presented = (
        None
        if key is None or version is None
        else next((v for v in key.versions if v.id == version.id), None)
    )
    if key is None or presented is None:
        return None
    organization, app, user, member = None, None, None, None
    if key.organization_id is not None:
        organization = await tables.organizations.find(key.organization_id)
    if key.owner.kind is OwnerKind.APP:
        app = await tables.apps.find(AppId(str(key.owner.id)))
    if key.owner.kind is OwnerKind.USER and key.organization_id is not None:
        user = await tables.users.find(UserId(str(key.owner.id)))
        member = await tables.members.find(key.organization_id, UserId(str(key.owner.id)))
    return Known(
        key=key,
        version=presented,
        organization=organization,
        app=app,
        user=user,
        role=None if member is None else member.role,
    )


def _without_constraints(known: Known) -> Known:
    return replace(known, key=replace(known.key, constraints=()))
