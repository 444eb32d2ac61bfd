"""Who asks in our own API: the same judgement as for the provider's, on our own paths."""

from dataclasses import replace

from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict, decide
from keystead.services.context import Context

ANY = Demands(environment=None, type=None, owner=None)
"""Our own routes ask nothing of a key but that it be good: `powers` decide what it may do."""


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


def _without_constraints(known: Known) -> Known:
    return replace(known, key=replace(known.key, constraints=()))
