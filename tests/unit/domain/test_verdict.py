"""May this key do this, here, now? Every check, the order of all of them, and what never accepts more."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.constraints import ConstraintType, make_constraints
from keystead.domain.instants import MILLISECOND
from keystead.domain.keys import By, ByKind, Environment, KeyType, OwnerKind
from keystead.domain.tenants import Ceiling, Role, Suspension
from keystead.domain.verdict import CHECKS, Demands, Reason, Verdict, decide, explain
from tests.contract.samples import (
    NOW,
    SUSPENSION,
    app,
    key,
    organization,
    personal_key,
    root_key,
    user,
    version,
)
from tests.unit.domain.cases import (
    ATTEMPTS,
    CONSTRAINTS,
    DEMANDS,
    HELD,
    HOUR,
    INSTANT,
    KNOWN,
    NETWORKS,
    ORIGINS,
    known,
    tried,
)

MICROSECOND = timedelta(microseconds=1)
ANY = Demands(environment=None, type=None, owner=None)
PLAIN = tried()

# DESIGN, section 2, in the order judged.
REASONS = [
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


def made(*items):
    return make_constraints([(kind, pattern, methods.split()) for kind, pattern, methods in items])


def judged(held, attempt=PLAIN, demands=ANY, **changes):
    return decide(known(held, **changes), attempt, demands)


def test_reasons_are_a_closed_set_in_the_order_judged():
    assert [reason.name for reason in Reason] == REASONS
    assert [reason.value for reason in Reason] == REASONS


def test_a_known_key_is_judged_from_revoked_to_scope_missing():
    assert [reason.value for reason, _ in CHECKS] == REASONS[4:16]


# --- The order -------------------------------------------------------------------------------------------

GOOD_KEY = key(
    expires_at=NOW + HOUR,
    constraints=made(("prefix", "/jobs", "GET")),
    allowed_origins=("https://a.example.com",),
    allowed_networks=("192.0.2.0/24",),
    scopes=("jobs:read",),
)
GOOD_VERSION = version(1, retires_at=NOW + HOUR)
GOOD_ATTEMPT = tried(
    method="GET", path="/jobs/1", origin="https://a.example.com", address=ip_address("192.0.2.9")
)
GOOD_DEMANDS = Demands(scopes=("jobs:read",), type=KeyType.SECRET)

# Each in a part of its own, so that any of them can be mended alone.
FAULTS = {
    Reason.REVOKED: ("key", {"revoked_at": NOW}),
    Reason.DISABLED: ("key", {"disabled_at": NOW}),
    Reason.EXPIRED: ("key", {"expires_at": NOW}),
    Reason.RETIRED: ("version", {"retires_at": NOW}),
    Reason.WRONG_ENVIRONMENT: ("key", {"environment": Environment.TEST}),
    Reason.WRONG_TYPE: ("demands", {"type": KeyType.PUBLIC}),
    Reason.WRONG_OWNER: ("demands", {"owner": OwnerKind.USER}),
    Reason.NETWORK_DENIED: ("attempt", {"address": None}),
    Reason.ORIGIN_DENIED: ("attempt", {"origin": None}),
    Reason.AMBIGUOUS_REQUEST: ("attempt", {"overridden": True}),
    Reason.CONSTRAINT_UNMET: ("attempt", {"method": "POST"}),
    Reason.SCOPE_MISSING: ("key", {"scopes": ()}),
}


def judged_with(faults, judge=decide):
    parts = {"key": GOOD_KEY, "version": GOOD_VERSION, "attempt": GOOD_ATTEMPT, "demands": GOOD_DEMANDS}
    for reason in faults:
        part, changes = FAULTS[reason]
        parts[part] = replace(parts[part], **changes)
    return judge(known(parts["key"], version=parts["version"]), parts["attempt"], parts["demands"])


def test_a_key_with_nothing_wrong_is_accepted():
    assert judged_with(()) is None


def test_with_every_fault_mended_one_by_one_each_reason_shows_in_the_order_judged():
    left, shown = list(FAULTS), []
    while (reason := judged_with(left)) is not None:
        shown.append(reason.value)
        left.remove(reason)
    assert shown == REASONS[4:16]


@pytest.mark.parametrize("reason", FAULTS)
def test_a_fault_alone_shows_its_own_reason(reason):
    assert judged_with([reason]) is reason


@given(st.sets(st.sampled_from(list(FAULTS))))
def test_of_several_faults_the_first_in_order_is_the_reason(faults):
    assert judged_with(faults) == min(faults, key=lambda reason: REASONS.index(reason.value), default=None)


@given(st.sets(st.sampled_from(list(FAULTS))))
def test_explain_says_of_every_check_whether_it_passed(faults):
    passed = judged_with(faults, explain)
    assert [reason.value for reason, _ in passed] == REASONS[4:16]
    assert {reason for reason, ok in passed if not ok} == faults


@given(KNOWN, ATTEMPTS, DEMANDS)
def test_the_verdict_is_the_first_check_that_explain_calls_failed(found, attempt, demands):
    failed = (reason for reason, ok in explain(found, attempt, demands) if not ok)
    assert decide(found, attempt, demands) == next(failed, None)


def test_a_verdict_without_a_reason_is_accepted():
    assert Verdict(reason=None).accepted
    assert not any(Verdict(reason=reason).accepted for reason in Reason)


# --- Revoked, disabled -----------------------------------------------------------------------------------


def test_a_key_is_revoked_whenever_that_was():
    for at in (NOW - HOUR, NOW, NOW + HOUR):
        assert judged(key(revoked_at=at)) is Reason.REVOKED


def test_a_personal_key_ends_when_its_user_leaves_the_organization():
    held = personal_key()
    assert judged(held, app=None, user=user(), role=Role.VIEWER) is None
    assert judged(held, app=None, user=user(), role=None) is Reason.REVOKED


@pytest.mark.parametrize(
    "above",
    [
        pytest.param({"organization": organization(suspension=SUSPENSION)}, id="organization"),
        pytest.param({"app": app(suspension=SUSPENSION)}, id="app"),
        pytest.param({"user": user(suspension=SUSPENSION), "role": Role.OWNER}, id="user"),
    ],
)
def test_a_suspension_above_refuses_every_key_below(above):
    held = personal_key() if "user" in above else key()
    assert judged(held, **above) is Reason.DISABLED


def test_whoever_disabled_it_a_key_is_disabled():
    for kind in ByKind:
        by = By(kind=kind, id="x")
        assert judged(key(disabled_at=NOW, disabled_by=by)) is Reason.DISABLED
        assert judged(key(), app=app(suspension=Suspension(at=NOW, by=by))) is Reason.DISABLED


# --- Time is half-open -----------------------------------------------------------------------------------

AROUND = pytest.mark.parametrize(
    ("offset", "refused"),
    [
        pytest.param(-HOUR, False, id="an hour before"),
        pytest.param(-INSTANT, False, id="the instant before"),
        pytest.param(-MICROSECOND, False, id="a microsecond before"),
        pytest.param(timedelta(0), True, id="at"),
        pytest.param(INSTANT, True, id="the instant after"),
        pytest.param(HOUR, True, id="an hour after"),
    ],
)


@AROUND
def test_a_key_works_until_the_last_instant_before_it_expires(offset, refused):
    held = key(expires_at=NOW + 24 * HOUR)
    attempt = tried(NOW + 24 * HOUR + offset)
    assert judged(held, attempt) is (Reason.EXPIRED if refused else None)


@AROUND
def test_an_old_token_works_until_the_last_instant_of_its_grace(offset, refused):
    held = key(versions=(version(1, retires_at=NOW + 12 * HOUR), version(2)))
    attempt = tried(NOW + 12 * HOUR + offset)
    assert judged(held, attempt, version=held.versions[0]) is (Reason.RETIRED if refused else None)
    assert judged(held, attempt, version=held.versions[1]) is None


@AROUND
def test_at_the_instant_of_both_expired_comes_before_retired(offset, refused):
    held = key(expires_at=NOW, versions=(version(1, retires_at=NOW), version(2)))
    found = judged(held, tried(NOW + offset), version=held.versions[0])
    assert found is (Reason.EXPIRED if refused else None)


def test_a_key_without_expiry_never_expires():
    assert judged(key(), tried(NOW.replace(year=9999))) is None


# --- Demands ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "asked", "reason"),
    [
        (Environment.LIVE, Environment.LIVE, None),
        (Environment.LIVE, Environment.TEST, Reason.WRONG_ENVIRONMENT),
        (Environment.LIVE, None, None),
        (Environment.TEST, Environment.LIVE, Reason.WRONG_ENVIRONMENT),
        (Environment.TEST, Environment.TEST, None),
        (Environment.TEST, None, None),
    ],
)
def test_the_environment_is_as_demanded(held, asked, reason):
    assert judged(key(environment=held), demands=replace(ANY, environment=asked)) is reason


@pytest.mark.parametrize(
    ("held", "asked", "reason"),
    [
        (KeyType.SECRET, KeyType.SECRET, None),
        (KeyType.SECRET, KeyType.PUBLIC, Reason.WRONG_TYPE),
        (KeyType.SECRET, None, None),
        (KeyType.PUBLIC, KeyType.SECRET, Reason.WRONG_TYPE),
        (KeyType.PUBLIC, KeyType.PUBLIC, None),
        (KeyType.PUBLIC, None, None),
    ],
)
def test_the_type_is_as_demanded(held, asked, reason):
    attempt = tried(method="GET")
    assert judged(key(type=held), attempt, replace(ANY, type=asked)) is reason


@pytest.mark.parametrize(
    ("held", "asked", "reason"),
    [
        (OwnerKind.APP, OwnerKind.APP, None),
        (OwnerKind.APP, OwnerKind.USER, Reason.WRONG_OWNER),
        (OwnerKind.APP, None, None),
        (OwnerKind.USER, OwnerKind.APP, Reason.WRONG_OWNER),
        (OwnerKind.USER, OwnerKind.USER, None),
        (OwnerKind.USER, None, None),
        (OwnerKind.INSTANCE, OwnerKind.APP, Reason.WRONG_OWNER),
        (OwnerKind.INSTANCE, OwnerKind.USER, Reason.WRONG_OWNER),
    ],
)
def test_the_owner_is_as_demanded(held, asked, reason):
    of = {OwnerKind.APP: key(), OwnerKind.USER: personal_key(), OwnerKind.INSTANCE: root_key()}
    assert judged(of[held], demands=replace(ANY, owner=asked), role=Role.VIEWER) is reason


def test_a_route_that_demands_nothing_wants_a_live_key_of_an_app_of_either_type():
    plain = Demands()
    get = tried(method="GET")
    assert judged(key(), get, plain) is None
    assert judged(key(type=KeyType.PUBLIC), get, plain) is None
    assert judged(key(environment=Environment.TEST), get, plain) is Reason.WRONG_ENVIRONMENT
    assert judged(personal_key(), get, plain, role=Role.OWNER) is Reason.WRONG_OWNER
    assert plain.cost == 1


@pytest.mark.parametrize(
    ("held", "asked", "reason"),
    [
        pytest.param((), (), None, id="nothing asked"),
        pytest.param((), ("jobs:read",), Reason.SCOPE_MISSING, id="none held"),
        pytest.param(("jobs:read",), (), None, id="more held than asked"),
        pytest.param(("jobs:read",), ("jobs:read",), None, id="equal"),
        pytest.param(("jobs:*",), ("jobs:read",), None, id="wildcard held"),
        pytest.param(("jobs:read",), ("jobs:*",), Reason.SCOPE_MISSING, id="wildcard asked"),
        pytest.param(("jobs:read",), ("jobs:read", "jobs:write"), Reason.SCOPE_MISSING, id="one of two"),
        pytest.param(("jobs:read", "maps:*"), ("jobs:read", "maps:write"), None, id="all of several"),
    ],
)
def test_all_scopes_that_the_route_demands_are_held(held, asked, reason):
    assert judged(key(scopes=held), demands=replace(ANY, scopes=asked)) is reason


# --- Networks and origins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_key", "of_app", "address", "accepted"),
    [
        pytest.param((), (), None, True, id="no list, no address"),
        pytest.param((), (), "192.0.2.1", True, id="no list"),
        pytest.param(("192.0.2.0/24",), (), "192.0.2.1", True, id="the key's"),
        pytest.param(("192.0.2.0/24",), (), "192.0.3.1", False, id="beside the key's"),
        pytest.param(("192.0.2.0/24",), (), None, False, id="the key's, no address"),
        pytest.param((), ("192.0.2.0/24",), "192.0.2.1", True, id="the app's"),
        pytest.param((), ("192.0.2.0/24",), "192.0.3.1", False, id="beside the app's"),
        pytest.param((), ("192.0.2.0/24",), None, False, id="the app's, no address"),
        pytest.param(("0.0.0.0/0", "::/0"), (), None, False, id="everywhere is still somewhere"),
        pytest.param(("192.0.2.0/24",), ("192.0.2.128/25",), "192.0.2.129", True, id="both"),
        pytest.param(("192.0.2.0/24",), ("192.0.2.128/25",), "192.0.2.1", False, id="the key's only"),
        pytest.param(("192.0.2.128/25",), ("192.0.2.0/24",), "192.0.2.1", False, id="the app's only"),
        pytest.param(("192.0.2.0/24",), (), "::ffff:192.0.2.1", True, id="mapped into IPv6"),
        pytest.param(("::/0",), (), "::ffff:192.0.2.1", False, id="a mapped address is no IPv6 client"),
    ],
)
def test_each_list_of_networks_that_is_set_must_hold_the_address(of_key, of_app, address, accepted):
    attempt = tried(address=None if address is None else ip_address(address))
    found = judged(key(allowed_networks=of_key), attempt, app=app(allowed_networks=of_app))
    assert found is (None if accepted else Reason.NETWORK_DENIED)


@pytest.mark.parametrize(
    ("of_key", "of_app", "origin", "accepted"),
    [
        pytest.param((), (), None, True, id="no list, no origin"),
        pytest.param((), (), "https://evil.test", True, id="no list"),
        pytest.param(("https://a.test",), (), "https://a.test", True, id="the key's"),
        pytest.param(("https://a.test",), (), "https://b.test", False, id="beside the key's"),
        pytest.param(("https://a.test",), (), None, False, id="the key's, no origin"),
        pytest.param(("https://a.test",), (), "", False, id="the key's, an empty origin"),
        pytest.param(("https://a.test",), (), "null", False, id="null"),
        pytest.param(("https://a.test",), (), "https://a.test, https://a.test", False, id="several"),
        pytest.param(
            ("https://a.test",), (), "https://a.test/page", False, id="an address as Referer has it"
        ),
        pytest.param((), ("https://a.test",), "https://a.test", True, id="the app's"),
        pytest.param((), ("https://a.test",), "https://b.test", False, id="beside the app's"),
        pytest.param((), ("https://a.test",), None, False, id="the app's, no origin"),
        pytest.param(("https://a.b.test",), ("https://*.b.test",), "https://a.b.test", True, id="both"),
        pytest.param(
            ("https://a.b.test",), ("https://*.b.test",), "https://c.b.test", False, id="the app's only"
        ),
        pytest.param(
            ("https://*.b.test",), ("https://a.b.test",), "https://c.b.test", False, id="the key's only"
        ),
    ],
)
def test_each_list_of_origins_that_is_set_must_hold_the_origin(of_key, of_app, origin, accepted):
    attempt = tried(origin=origin)
    found = judged(key(allowed_origins=of_key), attempt, app=app(allowed_origins=of_app))
    assert found is (None if accepted else Reason.ORIGIN_DENIED)


# --- Method and path -------------------------------------------------------------------------------------

ANY_PATH = made(("prefix", "/", ""))

AMBIGUOUS_PATHS = [
    *["/a/../b", "/a/./b", "/..", "/.", "/%2e%2e/b", "/a/%2E", "/.%2e/a", "//", "//a", "/a//b", "/a\\b"],
    *["/a;b", "/a%3Bb", "/a%3bb", "/a#b", "/a%2Fb", "/a%2fb", "/a%5Cb", "/a%3Fb", "/a%23b", "/a%25b"],
    *["/a%00", "/a\x00", "/a%0A", "/a\n", "/a%7F", "/a b", "/a\x7f", "/\xe9", "/a%C3", "/a%C0%AF", "/a%FF"],
    *["/a%", "/a%2", "/a%zz", "", "a", "*", "http://a/b", "?a"],
]


@pytest.mark.parametrize("path", AMBIGUOUS_PATHS, ids=ascii)
def test_what_two_servers_could_read_differently_is_ambiguous_for_a_key_with_constraints(path):
    attempt = tried(method="GET", path=path)
    assert judged(key(constraints=ANY_PATH), attempt) is Reason.AMBIGUOUS_REQUEST
    assert judged(key(constraints=made(("verb", None, "GET"))), attempt) is Reason.AMBIGUOUS_REQUEST
    assert judged(key(), attempt) is None


@pytest.mark.parametrize(
    "path", ["/a?b=//", "/a?..;%00", "/%61", "/A", "/a%3Ab", "/a:b", "/caf%C3%A9", "/a/"], ids=ascii
)
def test_a_path_that_every_server_reads_alike_is_judged(path):
    assert judged(key(constraints=ANY_PATH), tried(method="GET", path=path)) is None


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        pytest.param(key(), None, id="secret, unconstrained"),
        pytest.param(key(constraints=ANY_PATH), Reason.AMBIGUOUS_REQUEST, id="secret, constrained"),
        pytest.param(key(type=KeyType.PUBLIC), Reason.AMBIGUOUS_REQUEST, id="public, unconstrained"),
        pytest.param(
            key(type=KeyType.PUBLIC, constraints=ANY_PATH), Reason.AMBIGUOUS_REQUEST, id="public, constrained"
        ),
    ],
)
def test_a_method_override_header_is_ambiguous_for_constrained_and_public_keys(held, reason):
    attempt = tried(method="GET", path="/a", overridden=True)
    assert judged(held, attempt) is reason
    assert judged(held, replace(attempt, overridden=False)) is None


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        pytest.param("GET", "/jobs", True, id="as constrained"),
        pytest.param("GET", "/jobs?x=1", True, id="with a query"),
        pytest.param("GET", "/%6Aobs", True, id="spelt with escapes"),
        pytest.param("PUT", "/maps", True, id="the second of two"),
        pytest.param("HEAD", "/jobs", False, id="GET does not imply HEAD"),
        pytest.param("get", "/jobs", False, id="letter case of the method"),
        pytest.param("GET", "/Jobs", False, id="letter case of the path"),
        pytest.param("GET", "/maps", False, id="method of one, path of the other"),
        pytest.param("GET", "/jobs/", False, id="more than the exact path"),
        pytest.param(None, "/jobs", False, id="no method"),
        pytest.param("GET", None, False, id="no path"),
        pytest.param(None, None, False, id="neither"),
    ],
)
def test_a_constrained_key_needs_a_method_and_path_that_meet_one_constraint(method, path, accepted):
    held = key(constraints=made(("exact", "jobs", "GET"), ("exact", "/maps", "PUT")))
    found = judged(held, tried(method=method, path=path))
    assert found is (None if accepted else Reason.CONSTRAINT_UNMET)


@pytest.mark.parametrize(("method", "path"), [(None, "/a"), ("GET", None), (None, None)])
@pytest.mark.parametrize(
    "constraint", CONSTRAINTS, ids=lambda c: f"{c.type}-{c.pattern}-{'+'.join(c.methods)}"
)
def test_nothing_defaults_to_slash_or_get(constraint, method, path):
    attempt = tried(method=method, path=path)
    assert judged(key(constraints=(constraint,)), attempt) is Reason.CONSTRAINT_UNMET


@pytest.mark.parametrize(("length", "met"), [(2047, True), (2048, True), (2049, False)])
def test_a_path_over_2048_bytes_meets_no_regex(length, met):
    attempt = tried(method="GET", path="/" + "a" * (length - 1))
    found = judged(key(constraints=made(("regex", ".*", ""), ("prefix", "/", ""))), attempt)
    assert found is (None if met else Reason.CONSTRAINT_UNMET)
    assert judged(key(constraints=ANY_PATH), attempt) is None


@pytest.mark.parametrize(
    ("ceiling", "method", "accepted"),
    [
        pytest.param(Ceiling(), "GET", True, id="GET"),
        pytest.param(Ceiling(), "HEAD", True, id="HEAD"),
        pytest.param(Ceiling(), "POST", False, id="POST"),
        pytest.param(Ceiling(), "OPTIONS", False, id="OPTIONS"),
        pytest.param(Ceiling(), "get", False, id="letter case"),
        pytest.param(Ceiling(), "", False, id="an empty method"),
        pytest.param(Ceiling(), None, False, id="no method"),
        pytest.param(Ceiling(public_methods=("GET", "POST")), "POST", True, id="POST under its ceiling"),
        pytest.param(Ceiling(public_methods=("GET", "POST")), "HEAD", False, id="HEAD above its ceiling"),
        pytest.param(Ceiling(public_methods=()), "GET", False, id="nothing at all"),
        pytest.param(Ceiling(public_methods=()), None, False, id="nothing at all, no method"),
    ],
)
@pytest.mark.parametrize(
    "constraints", [(), made(("verb", None, "GET HEAD POST OPTIONS"))], ids=["free", "constrained"]
)
def test_a_public_key_never_does_more_than_the_ceiling_for_public_keys(
    constraints, ceiling, method, accepted
):
    attempt = tried(method=method, path="/a")
    held = key(type=KeyType.PUBLIC, constraints=constraints)
    found = judged(held, attempt, organization=organization(ceiling=ceiling))
    assert found is (None if accepted else Reason.CONSTRAINT_UNMET)


def test_a_public_key_whose_ceiling_is_not_known_is_refused():
    attempt = tried(method="GET", path="/a")
    assert judged(key(type=KeyType.PUBLIC), attempt, organization=None) is Reason.CONSTRAINT_UNMET


def test_the_ceiling_for_public_keys_does_not_bind_secret_ones():
    found = judged(key(), tried(method="POST"), organization=organization(ceiling=Ceiling(public_methods=())))
    assert found is None


def test_a_public_key_within_the_ceiling_is_still_held_to_its_own_constraints():
    held = key(type=KeyType.PUBLIC, constraints=made(("prefix", "/maps", "GET")))
    assert judged(held, tried(method="GET", path="/maps/1")) is None
    assert judged(held, tried(method="HEAD", path="/maps/1")) is Reason.CONSTRAINT_UNMET
    assert judged(held, tried(method="GET", path="/jobs")) is Reason.CONSTRAINT_UNMET


# --- Tightening never accepts more -----------------------------------------------------------------------


def tightened_key(held, of):
    """Ways in which the key can be held tighter."""
    first = st.one_of(
        st.builds(lambda it: {"constraints": (it,)}, st.sampled_from(CONSTRAINTS))
        if not held.constraints
        else st.nothing(),
        st.builds(lambda it: {"allowed_origins": (it,)}, st.sampled_from(ORIGINS))
        if not held.allowed_origins
        else st.nothing(),
        st.builds(lambda it: {"allowed_networks": (it,)}, st.sampled_from(NETWORKS))
        if not held.allowed_networks
        else st.nothing(),
    )
    always = [
        {"revoked_at": NOW},
        {"disabled_at": NOW},
        {"expires_at": NOW if held.expires_at is None else held.expires_at - HOUR},
        {"scopes": held.scopes[1:]},
        {"type": KeyType.PUBLIC},
        # One fewer of several; the last one's removal would lift the restriction. A regex that goes takes
        # with it the bound on the length of paths: see `test_reach` for lists that hold one.
        *([{"constraints": held.constraints[1:]}] if _is_list_without_regex(held.constraints) else []),
        *([{"allowed_origins": held.allowed_origins[1:]}] if len(held.allowed_origins) > 1 else []),
        *([{"allowed_networks": held.allowed_networks[1:]}] if len(held.allowed_networks) > 1 else []),
    ]
    return (st.sampled_from(always) | first).map(lambda changes: known(replace(held, **changes), app=of))


def _is_list_without_regex(constraints):
    return len(constraints) > 1 and all(it.type is not ConstraintType.REGEX for it in constraints)


def tightened_app(held, of):
    choices = [
        replace(of, suspension=SUSPENSION),
        *([replace(of, allowed_origins=(it,)) for it in ORIGINS] if not of.allowed_origins else []),
        *([replace(of, allowed_networks=(it,)) for it in NETWORKS] if not of.allowed_networks else []),
    ]
    return st.sampled_from(choices).map(lambda it: known(held, app=it))


def accepts(found, attempt, demands):
    return decide(found, attempt, demands) is None


# A key made public would newly meet `type=public`.
UNTYPED = DEMANDS.map(lambda demands: replace(demands, type=None))


@given(HELD, ATTEMPTS, UNTYPED, st.data())
def test_tightening_a_key_or_its_app_never_accepts_more(pair, attempt, demands, data):
    tighter = data.draw(tightened_key(*pair) | tightened_app(*pair))
    assert accepts(known(pair[0], app=pair[1]), attempt, demands) >= accepts(tighter, attempt, demands)


@given(KNOWN, ATTEMPTS, DEMANDS, st.data())
def test_demanding_more_never_accepts_more(found, attempt, demands, data):
    more = [
        replace(demands, scopes=(*demands.scopes, "jobs:read")),
        replace(demands, scopes=(*demands.scopes, "*:*")),
        *([replace(demands, environment=it) for it in Environment] if demands.environment is None else []),
        *([replace(demands, type=it) for it in KeyType] if demands.type is None else []),
        *([replace(demands, owner=it) for it in OwnerKind] if demands.owner is None else []),
    ]
    stricter = data.draw(st.sampled_from(more))
    assert accepts(found, attempt, demands) >= accepts(found, attempt, stricter)


@given(KNOWN, ATTEMPTS, DEMANDS, st.sampled_from(["method", "path", "origin", "address"]))
def test_saying_less_never_accepts_more(found, attempt, demands, left_out):
    less = replace(attempt, **{left_out: None})
    assert accepts(found, attempt, demands) >= accepts(found, less, demands)


@given(KNOWN, ATTEMPTS, DEMANDS)
def test_a_method_override_header_never_accepts_more(found, attempt, demands):
    without, along = (replace(attempt, overridden=it) for it in (False, True))
    assert accepts(found, without, demands) >= accepts(found, along, demands)


@given(KNOWN, ATTEMPTS, DEMANDS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=99)))
def test_waiting_never_accepts_more(found, attempt, demands, wait):
    assert accepts(found, attempt, demands) >= accepts(
        found, replace(attempt, now_ms=attempt.now_ms + wait // MILLISECOND), demands
    )
