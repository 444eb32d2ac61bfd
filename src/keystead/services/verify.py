"""May this token do this, here, now? The main job, read from top to bottom."""

from collections.abc import Sequence

from keystead.domain.keys import OwnerKind
from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict, decide, explain
from keystead.services.context import Context

Check = tuple[Reason, bool]
"""A check, by the reason it refuses with, and whether it passed."""


async def verify(context: Context, presented: Token | Reason, attempt: Attempt, demands: Demands) -> Verdict:
    """Judge one attempt of a client of the provider's API; an accepted one is counted as a use.

    `presented` is the token, or why there is none to look up. A root key is UNKNOWN here: it opens our own
    API only. Raises Unavailable when the index cannot be read.
    """
    found = await _find(context, presented)
    if isinstance(found, Reason):
        return Verdict(reason=found)
    reason = decide(found, attempt, demands)
    if reason is None:
        context.uses.count(found, attempt.now)
    return Verdict(reason=reason, known=found)


async def explain_verify(
    context: Context, presented: Token | Reason, attempt: Attempt, demands: Demands
) -> tuple[Verdict, Sequence[Check]]:
    """As `verify`, with every check and whether it passed; counts nothing."""
    found = await _find(context, presented)
    if isinstance(found, Reason):
        return Verdict(reason=found), _token_checks(found)
    verdict = Verdict(reason=decide(found, attempt, demands), known=found)
    return verdict, (*_token_checks(None), *explain(found, attempt, demands))


async def _find(context: Context, presented: Token | Reason) -> Known | Reason:
    if isinstance(presented, Reason):
        return presented
    known = await context.index.find(presented.digest)
    if known is None:
        return Reason.UNKNOWN if could_be_issued(presented) else Reason.MALFORMED
    return Reason.UNKNOWN if known.key.owner.kind is OwnerKind.INSTANCE else known


def _token_checks(failed: Reason | None) -> tuple[Check, ...]:
    """The checks up to finding the key; those after the failed one were never judged."""
    judged = (Reason.MISSING, Reason.MALFORMED, Reason.UNKNOWN)
    last = judged.index(failed) + 1 if failed in judged else len(judged)
    return tuple((reason, reason is not failed) for reason in judged[:last])
