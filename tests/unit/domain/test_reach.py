"""A customer cannot widen: what is proved within a key's reach is accepted by that key too."""

from dataclasses import fields, replace
from datetime import timedelta
from itertools import combinations, product

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from keystead.domain.constraints import make_constraints
from keystead.domain.reach import Reach, reach_of, wider_in
from keystead.domain.verdict import Demands, decide
from tests.contract.samples import DAY, NOW, full_key, key
from tests.unit.domain.cases import (
    ADDRESSES,
    APPS,
    ATTEMPTS,
    CONSTRAINTS,
    DEMANDS,
    HOUR,
    LIFETIMES,
    METHODS,
    NETWORKS,
    ORIGINS,
    PATHS,
    SCOPES,
    SENT_ORIGINS,
    known,
    made_of,
    some,
    tried,
)


def made(*items):
    return make_constraints([(kind, pattern, methods.split()) for kind, pattern, methods in items])


FREE = Reach(constraints=(), allowed_origins=(), allowed_networks=(), scopes=(), lifetime=None)
BOUND = Reach(
    constraints=made(("prefix", "/jobs/", "GET POST"), ("regex", "/maps/[0-9]+", "")),
    allowed_origins=("https://*.example.com",),
    allowed_networks=("10.0.0.0/8",),
    scopes=("jobs:*",),
    lifetime=DAY,
)


def test_the_reach_of_a_key_is_what_it_was_given():
    held = full_key()
    assert reach_of(held) == Reach(
        constraints=held.constraints,
        allowed_origins=held.allowed_origins,
        allowed_networks=held.allowed_networks,
        scopes=held.scopes,
        lifetime=DAY,
    )


def test_the_lifetime_is_the_one_given_and_not_what_is_left_of_it():
    aged = key(created_at=NOW - 300 * DAY, expires_at=NOW + HOUR, lifetime=301 * DAY)
    assert reach_of(aged).lifetime == 301 * DAY
    assert wider_in(reach_of(aged), replace(FREE, lifetime=301 * DAY)) is None


def test_equal_is_within():
    assert wider_in(FREE, FREE) is None
    assert wider_in(BOUND, BOUND) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"constraints": ()}, "constraints", id="no constraint is any request"),
        pytest.param(
            {"constraints": made(("prefix", "/jobs/", ""))}, "constraints", id="no method is every method"
        ),
        pytest.param(
            {"constraints": made(("prefix", "/jobs/", "GET"), ("regex", "/maps/[0-9]+", ""))},
            None,
            id="fewer methods",
        ),
        pytest.param({"constraints": made(("exact", "/jobs/1", "GET"))}, None, id="one path of them"),
        pytest.param(
            {
                "constraints": made(
                    ("prefix", "/jobs/", "GET HEAD"), BOUND_REGEX := ("regex", "/maps/[0-9]+", "")
                )
            },
            "constraints",
            id="a method more",
        ),
        pytest.param(
            {"constraints": made(("prefix", "/jobs", "GET"), BOUND_REGEX)},
            "constraints",
            id="a shorter prefix",
        ),
        pytest.param({"constraints": made(BOUND_REGEX)}, None, id="the same regex"),
        pytest.param(
            {"constraints": made(("regex", "/maps/[0-9]", ""))},
            "constraints",
            id="a narrower regex, unproved",
        ),
        pytest.param({"allowed_origins": ()}, "allowed_origins", id="no origins are any"),
        pytest.param(
            {"allowed_origins": ("https://a.example.com",)}, None, id="an origin under the wildcard"
        ),
        pytest.param(
            {"allowed_origins": ("https://a.b.example.com",)},
            "allowed_origins",
            id="an origin two labels under",
        ),
        pytest.param(
            {"allowed_origins": ("https://*.b.example.com",)},
            "allowed_origins",
            id="a wildcard under the wildcard",
        ),
        pytest.param(
            {"allowed_origins": ("http://a.example.com",)},
            "allowed_origins",
            id="an origin of another scheme",
        ),
        pytest.param({"allowed_networks": ()}, "allowed_networks", id="no networks are any"),
        pytest.param({"allowed_networks": ("10.1.0.0/16", "10.2.3.4/32")}, None, id="networks within"),
        pytest.param({"allowed_networks": ("0.0.0.0/0",)}, "allowed_networks", id="a network around"),
        pytest.param(
            {"allowed_networks": ("10.1.0.0/16", "192.0.2.1/32")}, "allowed_networks", id="one network beside"
        ),
        pytest.param({"scopes": ()}, None, id="no scopes are none"),
        pytest.param({"scopes": ("jobs:read", "jobs:write")}, None, id="scopes under the wildcard"),
        pytest.param({"scopes": ("jobs:read", "maps:read")}, "scopes", id="one scope beside"),
        pytest.param({"scopes": ("*:*",)}, "scopes", id="a wider wildcard"),
        pytest.param({"lifetime": None}, "expires_at", id="for ever"),
        pytest.param({"lifetime": DAY - timedelta(milliseconds=1)}, None, id="a lifetime an instant shorter"),
        pytest.param({"lifetime": DAY}, None, id="the same lifetime"),
        pytest.param(
            {"lifetime": DAY + timedelta(milliseconds=1)}, "expires_at", id="a lifetime an instant longer"
        ),
    ],
)
def test_what_is_not_proved_narrower_is_named(changes, field):
    assert wider_in(BOUND, replace(BOUND, **changes)) == field


def test_an_unrestricted_key_without_scopes_binds_nothing_but_scopes():
    assert wider_in(FREE, replace(BOUND, scopes=())) is None
    assert wider_in(FREE, BOUND) == "scopes"


def test_the_first_wider_field_is_named_when_several_are():
    wide = replace(FREE, scopes=("*:*",))
    order = ["constraints", "allowed_origins", "allowed_networks", "scopes", "expires_at"]
    named = []
    for field in fields(Reach):
        named.append(wider_in(BOUND, wide))
        wide = replace(wide, **{field.name: getattr(BOUND, field.name)})
    assert named == order
    assert wider_in(BOUND, wide) is None


# --- Soundness -------------------------------------------------------------------------------------------

REACHES = st.builds(
    Reach,
    constraints=some(CONSTRAINTS),
    allowed_origins=some(ORIGINS),
    allowed_networks=some(NETWORKS),
    scopes=some(SCOPES),
    lifetime=st.sampled_from(LIFETIMES),
)


@st.composite
def narrower(draw, outer):
    """A reach that is often, and not always, within `outer`: each field is its own, a part of it, or any."""
    pools = {
        "constraints": CONSTRAINTS,
        "allowed_origins": ORIGINS,
        "allowed_networks": NETWORKS,
        "scopes": SCOPES,
    }
    changes = {}
    for field, pool in pools.items():
        own = getattr(outer, field)
        part = st.lists(st.sampled_from(own), unique=True).map(tuple) if own else some(pool)
        changes[field] = draw(st.just(own) | part | some(pool))
    shorter = [it for it in LIFETIMES if it is not None and (outer.lifetime is None or it <= outer.lifetime)]
    changes["lifetime"] = draw(st.just(outer.lifetime) | st.sampled_from(shorter))
    return Reach(**changes)


def key_of(reach: Reach):
    return made_of(**{field.name: getattr(reach, field.name) for field in fields(Reach)})


# Owner and type are equal within a kind.
OF_EITHER = DEMANDS.map(lambda demands: replace(demands, owner=None, type=None))


@settings(max_examples=200)
@given(REACHES.flatmap(lambda outer: st.tuples(st.just(outer), narrower(outer))), APPS, ATTEMPTS, OF_EITHER)
def test_whatever_a_key_within_another_accepts_the_other_accepts_too(pair, of, attempt, demands):
    outer, inner = (decide(known(key_of(reach), app=of), attempt, demands) for reach in pair)
    proved = wider_in(*pair) is None
    event(f"{proved=}, accepted={inner is None}")
    if proved and inner is None:
        assert outer is None


EVERY_ATTEMPT = {
    "constraints": [
        tried(method=method, path=path, overridden=overridden)
        for method in (None, *METHODS)
        for path in (None, *PATHS)
        for overridden in (False, True)
    ],
    "allowed_origins": [tried(origin=origin) for origin in (None, *SENT_ORIGINS)],
    "allowed_networks": [tried(address=address) for address in (None, *ADDRESSES)],
}


@pytest.mark.parametrize(
    ("field", "pool"),
    [("constraints", CONSTRAINTS), ("allowed_origins", ORIGINS), ("allowed_networks", NETWORKS)],
)
def test_no_list_proved_within_another_lets_anything_else_through(field, pool):
    lists = [made for size in range(3) for made in combinations(pool, size)]
    accepted = {made: _accepted(EVERY_ATTEMPT[field], **{field: made}) for made in lists}
    proved = [
        (outer, inner)
        for outer, inner in product(lists, repeat=2)
        if wider_in(replace(FREE, **{field: outer}), replace(FREE, **{field: inner})) is None
    ]
    assert len(proved) > 2 * len(lists)
    assert [pair for pair in proved if not accepted[pair[1]] <= accepted[pair[0]]] == []


def _accepted(attempts, **changes):
    found = known(key(**changes))
    return {number for number, attempt in enumerate(attempts) if decide(found, attempt, Demands()) is None}


@given(REACHES, REACHES, REACHES)
def test_a_key_made_by_a_key_made_by_a_key_is_within_the_first(one, two, three):
    if wider_in(one, two) is None and wider_in(two, three) is None:
        assert wider_in(one, three) is None


@given(REACHES)
def test_every_reach_is_within_itself_and_within_no_bounds(reach):
    assert wider_in(reach, reach) is None
    assert wider_in(replace(FREE, scopes=("*:*",)), reach) is None
