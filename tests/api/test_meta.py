"""What must be wired everywhere: a new Reason without its answer fails here."""

import pytest

from keystead.api.refusals import REFUSALS, challenges
from keystead.domain.presented import Place
from keystead.domain.verdict import CHECKS, Reason

ORDER = [
    "STALE",
    "MISSING",
    "MALFORMED",
    "UNKNOWN",
    "REVOKED",
    "DISABLED",
    "EXPIRED",
    "RETIRED",
    "WRONG_ENVIRONMENT",
    "WRONG_TYPE",
    "WRONG_OWNER",
    "NETWORK_DENIED",
    "ORIGIN_DENIED",
    "AMBIGUOUS_REQUEST",
    "CONSTRAINT_UNMET",
    "SCOPE_MISSING",
    "RATE_LIMITED",
    "QUOTA_EXCEEDED",
]


def _status(name: str) -> int:
    """By the place in the order: 503, then 401 to RETIRED, 403 to SCOPE_MISSING, 429."""
    place = ORDER.index(name)
    if place == 0:
        return 503
    if place <= ORDER.index("RETIRED"):
        return 401
    return 403 if place <= ORDER.index("SCOPE_MISSING") else 429


def test_the_reasons_are_a_closed_set_in_the_order_judged():
    assert [str(it) for it in Reason] == ORDER
    judged = [ORDER.index(reason) for reason, _ in CHECKS]
    assert judged == sorted(judged)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_status_and_its_slug(reason: Reason):
    refusal = REFUSALS[reason]
    slug = (
        "invalid-token" if reason in {Reason.MALFORMED, Reason.UNKNOWN} else reason.lower().replace("_", "-")
    )
    assert (refusal.status, refusal.slug) == (_status(reason), slug)
    assert refusal.title
    assert refusal.detail.endswith(".")


def test_malformed_and_unknown_read_alike():
    assert REFUSALS[Reason.MALFORMED] == REFUSALS[Reason.UNKNOWN]


@pytest.mark.parametrize("reason", Reason)
def test_a_401_and_nothing_but_a_401_or_a_missing_scope_is_challenged(reason: Reason):
    asked = challenges(reason, tuple(Place), ("jobs:read",))
    assert bool(asked) == (_status(reason) == 401 or reason is Reason.SCOPE_MISSING)


def test_challenges_follow_rfc_6750():
    both = tuple(Place)
    assert challenges(Reason.MISSING, both) == ['Bearer realm="api"', 'ApiKey realm="api"']
    assert challenges(Reason.EXPIRED, both)[0] == 'Bearer realm="api", error="invalid_token"'
    assert challenges(Reason.MISSING, (Place.X_API_KEY,)) == ['ApiKey realm="api"']
    assert challenges(Reason.SCOPE_MISSING, both, ("a:b", "c:d")) == [
        'Bearer realm="api", error="insufficient_scope", scope="a:b c:d"'
    ]
