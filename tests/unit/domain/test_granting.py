"""What may be granted: the catalogue, the ceiling, and how long a key may live."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import Denied, InvalidInput
from keystead.domain.granting import choose_expiry, require_grantable
from keystead.domain.tenants import Ceiling
from tests.contract.samples import DAY, NOW, scope
from tests.unit.domain.cases import HOUR, INSTANT

CATALOGUE = {
    it.name: it
    for it in [
        scope("jobs:read", customer_grantable=True),
        scope("jobs:write", customer_grantable=True),
        scope("jobs:purge", customer_grantable=False),
        scope("maps:read", customer_grantable=True),
        scope("maps:*", customer_grantable=True),
        scope("logs:*", customer_grantable=False),
    ]
}
UNLIMITED = Ceiling()


OUTSIDE = "422 scopes"
ABOVE = "403 above-ceiling"


def outcome(wanted, ceiling=UNLIMITED, *, by_provider=False):
    """How the wish ends, None when it is granted, and the sentence that says so."""
    try:
        require_grantable(wanted, CATALOGUE, ceiling, by_provider=by_provider)
    except InvalidInput as error:
        return f"422 {error.field}", str(error)
    except Denied as error:
        return f"403 {error.code}", str(error)
    return None, ""


@pytest.mark.parametrize(
    ("wanted", "ceiling", "customer", "provider"),
    [
        pytest.param([], None, None, None, id="nothing"),
        pytest.param([], (), None, None, id="nothing, under a ceiling of nothing"),
        pytest.param(["jobs:read"], None, None, None, id="grantable"),
        pytest.param(["jobs:read", "maps:read"], None, None, None, id="several"),
        pytest.param(["jobs:purge"], None, ABOVE, None, id="the provider's to grant"),
        pytest.param(["jobs:nope"], None, OUTSIDE, OUTSIDE, id="outside the catalogue"),
        pytest.param(["jobs:*"], None, OUTSIDE, OUTSIDE, id="a wildcard not listed, though its parts are"),
        pytest.param(["*:*"], None, OUTSIDE, OUTSIDE, id="everything, not listed"),
        pytest.param(["maps:*"], None, None, None, id="a wildcard listed as grantable"),
        pytest.param(["logs:*"], None, ABOVE, None, id="a wildcard listed as the provider's"),
        pytest.param(["maps:write"], None, OUTSIDE, OUTSIDE, id="under a listed wildcard, not listed itself"),
        pytest.param(["jobs:read"], (), ABOVE, ABOVE, id="a ceiling of nothing"),
        pytest.param(["jobs:read"], ("jobs:read",), None, None, id="at the ceiling"),
        pytest.param(["jobs:write"], ("jobs:read",), ABOVE, ABOVE, id="beside the ceiling"),
        pytest.param(["jobs:write"], ("jobs:*",), None, None, id="under a wildcard ceiling"),
        pytest.param(["maps:*"], ("maps:read",), ABOVE, ABOVE, id="a wildcard above its part"),
        pytest.param(["maps:*"], ("maps:*",), None, None, id="a wildcard at the ceiling"),
        pytest.param(["jobs:read", "maps:read"], ("jobs:*",), ABOVE, ABOVE, id="one of two above"),
        pytest.param(["jobs:purge"], ("jobs:*",), ABOVE, None, id="a ceiling does not make it grantable"),
        pytest.param(["jobs:nope"], ("jobs:*",), OUTSIDE, OUTSIDE, id="a ceiling does not list it"),
    ],
)
def test_scopes_come_from_the_catalogue_and_stay_under_the_ceiling(wanted, ceiling, customer, provider):
    above = Ceiling(scopes=ceiling)
    assert outcome(wanted, above)[0] == customer
    assert outcome(wanted, above, by_provider=True)[0] == provider


@pytest.mark.parametrize(
    ("wanted", "ceiling", "named"),
    [
        (["jobs:read", "jobs:nope"], None, "jobs:nope is not in the scope catalogue"),
        (["jobs:read", "jobs:purge"], None, "jobs:purge is granted by the provider only"),
        (["jobs:read", "maps:read"], ("jobs:*",), "maps:read is above the organization's ceiling"),
    ],
)
def test_the_answer_names_the_scope(wanted, ceiling, named):
    assert named in outcome(wanted, Ceiling(scopes=ceiling))[1]


@given(
    wanted=st.lists(st.sampled_from([*CATALOGUE, "jobs:*", "jobs:nope"]), max_size=4),
    ceiling=st.none()
    | st.lists(st.sampled_from(["jobs:*", "jobs:read", "maps:*", "logs:*"]), max_size=3).map(tuple),
    lower=st.lists(st.sampled_from(["jobs:read", "maps:read"]), max_size=2).map(tuple),
)
def test_a_lower_ceiling_never_grants_more(wanted, ceiling, lower):
    below = lower if ceiling is None else tuple(it for it in ceiling if it in lower)
    for by_provider in (False, True):
        if outcome(wanted, Ceiling(scopes=below), by_provider=by_provider)[0] is None:
            assert outcome(wanted, Ceiling(scopes=ceiling), by_provider=by_provider)[0] is None


@given(wanted=st.lists(st.sampled_from([*CATALOGUE, "jobs:*", "jobs:nope"]), max_size=4))
def test_a_customer_never_grants_what_the_provider_could_not(wanted):
    if outcome(wanted)[0] is None:
        assert outcome(wanted, by_provider=True)[0] is None


# --- Expiry ----------------------------------------------------------------------------------------------


UNFIT = "422 expires_at"


def chosen(asked, *, given=True, most=None, ephemeral=False):
    """The lifetime that comes of a wish, or how it is refused."""
    ceiling = Ceiling(max_lifetime=most)
    at = None if asked is None else NOW + asked
    try:
        expires_at = choose_expiry(at, given=given, now=NOW, ceiling=ceiling, ephemeral=ephemeral)
    except InvalidInput as error:
        return f"422 {error.field}"
    except Denied as error:
        return f"403 {error.code}"
    return None if expires_at is None else expires_at - NOW


CENTURY = timedelta(days=36_525)


@pytest.mark.parametrize(
    ("asked", "most", "result"),
    [
        pytest.param(None, None, None, id="never"),
        pytest.param(HOUR, None, HOUR, id="an hour"),
        pytest.param(INSTANT, None, INSTANT, id="the next instant"),
        pytest.param(timedelta(0), None, UNFIT, id="now"),
        pytest.param(-INSTANT, None, UNFIT, id="the instant before"),
        pytest.param(CENTURY, None, CENTURY, id="a hundred years"),
        pytest.param(CENTURY + INSTANT, None, UNFIT, id="an instant more than a hundred years"),
        pytest.param(None, DAY, ABOVE, id="never, under a ceiling"),
        pytest.param(DAY - INSTANT, DAY, DAY - INSTANT, id="an instant under the ceiling"),
        pytest.param(DAY, DAY, DAY, id="at the ceiling"),
        pytest.param(DAY + INSTANT, DAY, ABOVE, id="an instant above the ceiling"),
        pytest.param(timedelta(0), DAY, UNFIT, id="now, under a ceiling"),
    ],
)
def test_an_expiry_that_was_asked_for_is_in_the_future_and_under_the_ceiling(asked, most, result):
    assert chosen(asked, most=most) == result


@pytest.mark.parametrize(
    ("asked", "most", "result"),
    [
        pytest.param(HOUR, None, HOUR, id="an hour"),
        pytest.param(DAY - INSTANT, None, DAY - INSTANT, id="an instant under a day"),
        pytest.param(DAY, None, DAY, id="a day"),
        pytest.param(DAY + INSTANT, None, UNFIT, id="an instant over a day"),
        pytest.param(None, None, UNFIT, id="never"),
        pytest.param(timedelta(0), None, UNFIT, id="now"),
        pytest.param(DAY, 2 * DAY, DAY, id="a day, under a ceiling of two"),
        pytest.param(DAY, HOUR, ABOVE, id="a day, above a ceiling of an hour"),
        pytest.param(HOUR, HOUR, HOUR, id="at a ceiling of an hour"),
        pytest.param(HOUR + INSTANT, HOUR, ABOVE, id="an instant above a ceiling of an hour"),
    ],
)
def test_an_ephemeral_key_lives_a_day_at_most(asked, most, result):
    assert chosen(asked, most=most, ephemeral=True) == result


@pytest.mark.parametrize(
    ("most", "ephemeral", "result"),
    [
        pytest.param(None, False, None, id="keys do not expire"),
        pytest.param(DAY, False, DAY, id="unless the ceiling says so"),
        pytest.param(None, True, HOUR, id="an ephemeral key lives an hour"),
        pytest.param(DAY, True, HOUR, id="also under a higher ceiling"),
        pytest.param(HOUR / 2, True, HOUR / 2, id="or as long as a lower ceiling says"),
        pytest.param(900 * DAY, False, 900 * DAY, id="a ceiling of years"),
    ],
)
def test_when_none_was_asked_for(most, ephemeral, result):
    assert chosen(None, given=False, most=most, ephemeral=ephemeral) == result


def test_a_root_key_has_no_ceiling():
    for asked in (None, NOW + CENTURY):
        assert choose_expiry(asked, given=True, now=NOW, ceiling=None, ephemeral=False) == asked
    assert choose_expiry(None, given=False, now=NOW, ceiling=None, ephemeral=False) is None


@given(
    asked=st.none() | st.timedeltas(min_value=-DAY, max_value=40_000 * DAY),
    given_=st.booleans(),
    most=st.none() | st.timedeltas(min_value=timedelta(seconds=1), max_value=CENTURY),
    ephemeral=st.booleans(),
)
def test_whatever_is_chosen_is_in_the_future_and_never_above_a_bound(asked, given_, most, ephemeral):
    lifetime = chosen(asked, given=given_, most=most, ephemeral=ephemeral)
    if isinstance(lifetime, str):
        assert given_
        return
    bounds = [it for it in (most, DAY if ephemeral else None) if it is not None]
    if lifetime is None:
        assert not bounds
    else:
        assert timedelta(0) < lifetime <= min(bounds, default=CENTURY)
        assert not given_ or lifetime == asked
