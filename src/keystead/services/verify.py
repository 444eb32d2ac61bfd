"""May this token do this, here, now? The main job, read from top to bottom; nothing in it waits."""

from collections.abc import Sequence

from keystead.domain.keys import KeyType
from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import Attempt, Demands, Known, Reason, Verdict, decide, explain
from keystead.services.context import Context

Check = tuple[Reason, bool]
"""A check, by the reason it refuses with, and whether it passed."""


def verify(context: Context, presented: Token | Reason, attempt: Attempt, demands: Demands) -> Verdict:
    """Judge one attempt of a client of the provider's API; an accepted one is counted as a use.

    Accepted or refused, a secret token that comes with an `Origin` was sent by a browser: that is kept too.
    `presented` is the token, or why there is none to look up. A root key is UNKNOWN here: it opens our own
    API only. Raises Unavailable when the replica cannot be read.
    """
    age_ms = context.replica.age_ms()
    known = find_known(context, presented, age_ms)
    if isinstance(known, Reason):
        return Verdict(known, None, age_ms)
    if attempt.origin is not None and known.policy.rules.type is KeyType.SECRET:
        context.uses.see_origin(known, attempt.now_ms)
    if known.policy.instance:
        return Verdict(Reason.UNKNOWN, None, age_ms)
    reason = decide(known, attempt, demands)
    if reason is None:
        context.uses.count(known, attempt.now_ms)
    return Verdict(reason, known, age_ms)


def explain_verify(
    context: Context, presented: Token | Reason, attempt: Attempt, demands: Demands
) -> tuple[Verdict, Sequence[Check]]:
    """As `verify`, with every check and whether it passed; counts nothing."""
    age_ms = context.replica.age_ms()
    known = find_known(context, presented, age_ms)
    if not isinstance(known, Reason) and known.policy.instance:
        known = Reason.UNKNOWN
    if isinstance(known, Reason):
        return Verdict(known, None, age_ms), _token_checks(known)
    verdict = Verdict(decide(known, attempt, demands), known, age_ms)
    return verdict, (*_token_checks(None), *explain(known, attempt, demands))


def find_known(context: Context, presented: Token | Reason, age_ms: int) -> Known | Reason:
    """What is known of a token, or why nothing is: the replica, so old, is too old, or it was never ours.

    One look-up whether or not the token looks like ours: a slower answer would tell real from made up.
    """
    if age_ms >= context.freshness.stale_limit_ms:
        return Reason.STALE
    if isinstance(presented, Reason):
        return presented
    known = context.replica.find(presented.digest)
    if known is None:
        return Reason.UNKNOWN if could_be_issued(presented) else Reason.MALFORMED
    return known


def _token_checks(failed: Reason | None) -> tuple[Check, ...]:
    """The checks up to finding the key; those after the failed one were never judged."""
    judged = (Reason.STALE, Reason.MISSING, Reason.MALFORMED, Reason.UNKNOWN)
    last = judged.index(failed) + 1 if failed in judged else len(judged)
    return tuple((reason, reason is not failed) for reason in judged[:last])
