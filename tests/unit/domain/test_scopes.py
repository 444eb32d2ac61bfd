"""Scopes: their form, and which covers which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.scopes import (
    ROOT_SCOPES,
    make_root_scopes,
    make_scope,
    make_scopes,
    scope_covers,
    scopes_cover,
)


@pytest.mark.parametrize(
    "text", ["jobs:read", "jobs:*", "*:read", "*:*", "a:b", "0_.-:x", "a" * 64 + ":" + "b" * 64]
)
def test_a_scope_has_two_parts(text):
    assert make_scope(text, field="s") == text


@pytest.mark.parametrize(
    "text",
    [
        *["", "*", ":", "jobs", "jobs:", ":read", "jobs:read:all", "a::b", "jobs:re*", "**:read", "jobs:**"],
        *[
            "Jobs:read",
            "jobs:Read",
            "jobs: read",
            "jobs:read ",
            "jobs:read\n",
            "jobs/read",
            "jöbs:read",
            "\u212a:a",
        ],
        *["a" * 65 + ":b", "a:" + "b" * 65],
    ],
    ids=ascii,
)
def test_what_is_no_scope_is_refused(text):
    with pytest.raises(InvalidInput, match=r"^s: write resource:action"):
        make_scope(text, field="s")


def test_scopes_are_sorted_and_unique():
    assert make_scopes(["b:x", "a:x", "b:x"], field="s") == ("a:x", "b:x")
    assert make_scopes([], field="s") == ()


def test_a_key_holds_at_most_64_scopes():
    items = [f"a{number}:x" for number in range(65)]
    assert len(make_scopes(items[:64], field="s")) == 64
    with pytest.raises(InvalidInput, match="s: give at most 64; there are 65"):
        make_scopes(items, field="s")


def test_the_faulty_scope_of_a_list_is_named():
    with pytest.raises(InvalidInput, match=r"^scopes\[1\]: "):
        make_scopes(["a:b", "nope"], field="scopes")


def test_root_scopes_are_a_closed_set():
    assert make_root_scopes(sorted(ROOT_SCOPES, reverse=True), field="s") == tuple(sorted(ROOT_SCOPES))
    assert make_root_scopes(["verify", "*", "verify"], field="s") == ("*", "verify")


@pytest.mark.parametrize("text", ["", "jobs:read", "keys:read", "*:*", "Verify", "verify:*", "nodes:*"])
def test_a_scope_outside_the_closed_set_is_no_root_scope(text):
    with pytest.raises(InvalidInput, match=r"^s\[1\]: choose from \*, apps:\*, "):
        make_root_scopes(["verify", text], field="s")


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        ("jobs:read", "jobs:read", True),
        ("jobs:read", "jobs:write", False),
        ("jobs:read", "jobs:*", False),
        ("jobs:read", "jobs:readall", False),
        ("jobs:read", "job:read", False),
        ("jobs:*", "jobs:read", True),
        ("jobs:*", "jobs:*", True),
        ("jobs:*", "jobs2:read", False),
        ("jobs:*", "*:read", False),
        ("jobs:*", "*:*", False),
        ("*:read", "jobs:read", True),
        ("*:read", "jobs:write", False),
        ("*:*", "jobs:read", True),
        ("*:*", "*:read", True),
        ("*:*", "*", False),
        ("*:*", "verify", False),
        ("*", "jobs:read", True),
        ("*", "*:*", True),
        ("*", "*", True),
        ("*", "verify", True),
        ("verify", "verify", True),
        ("verify", "*", False),
        ("verify", "verify:x", False),
        ("keys:*", "keys", False),
    ],
)
def test_a_scope_covers_part_by_part(held, wanted, covered):
    assert scope_covers(held, wanted) is covered


def test_every_wanted_scope_must_be_covered():
    assert scopes_cover(["a:*", "b:x"], ["a:y", "b:x"])
    assert not scopes_cover(["a:*", "b:x"], ["a:y", "b:y"])


def test_holding_nothing_covers_only_wanting_nothing():
    assert scopes_cover((), ())
    assert scopes_cover(("a:b",), ())
    assert not scopes_cover((), ("a:b",))


PART = st.sampled_from(["a", "b", "*"])
SCOPE = st.builds("{}:{}".format, PART, PART) | st.sampled_from(["*", "verify"])
CONCRETE = [f"{resource}:{action}" for resource in "abc" for action in "abc"] + ["verify"]


@given(outer=SCOPE, inner=SCOPE)
def test_a_covered_scope_covers_nothing_that_the_outer_does_not(outer, inner):
    if scope_covers(outer, inner):
        assert all(scope_covers(outer, one) for one in CONCRETE if scope_covers(inner, one))
