"""What a route asks of a key, in the words of the wire."""

import pytest

from keystead.domain.demands import make_demands
from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment, KeyType, OwnerKind
from keystead.domain.verdict import Demands


def test_a_route_that_says_nothing_wants_a_live_key_of_an_app_at_a_cost_of_one():
    assert make_demands() == Demands(
        scopes=(), environment=Environment.LIVE, type=None, owner=OwnerKind.APP, cost=1
    )
    assert make_demands() == Demands()


@pytest.mark.parametrize(
    ("name", "word", "meaning"),
    [
        ("environment", "live", Environment.LIVE),
        ("environment", "test", Environment.TEST),
        ("environment", "any", None),
        ("type", "any", None),
        ("type", "secret", KeyType.SECRET),
        ("type", "public", KeyType.PUBLIC),
        ("owner", "app", OwnerKind.APP),
        ("owner", "user", OwnerKind.USER),
        ("owner", "any", None),
    ],
)
def test_each_word_has_one_meaning(name, word, meaning):
    assert getattr(make_demands(**{name: word}), name) is meaning


@pytest.mark.parametrize("name", ["environment", "type", "owner"])
@pytest.mark.parametrize(
    "word", ["", "Live", "LIVE", "live ", "none", "*", "instance", "root", "null"], ids=ascii
)
def test_another_word_is_refused_by_the_name_of_its_demand(name, word):
    with pytest.raises(InvalidInput, match=rf"^{name}: write one of .*any") as refusal:
        make_demands(**{name: word})
    assert refusal.value.field == name


def test_no_route_can_demand_a_root_key():
    assert OwnerKind.INSTANCE not in {make_demands(owner=word).owner for word in ("app", "user", "any")}


@pytest.mark.parametrize(
    ("cost", "fits"),
    [(-1, False), (0, True), (1, True), (999_999, True), (1_000_000, True), (1_000_001, False)],
)
def test_a_cost_is_0_to_a_million(cost, fits):
    if fits:
        assert make_demands(cost=cost).cost == cost
    else:
        with pytest.raises(InvalidInput, match=r"^cost: write a whole number from 0 to 1000000"):
            make_demands(cost=cost)


def test_scopes_are_sorted_and_unique():
    assert make_demands(scopes=["b:x", "a:*", "b:x"]).scopes == ("a:*", "b:x")


@pytest.mark.parametrize("text", ["", "*", "jobs", "Jobs:read", "jobs:read,maps:read", "jobs:read maps:read"])
def test_what_is_no_scope_cannot_be_demanded(text):
    with pytest.raises(InvalidInput, match=r"^scopes\[1\]: "):
        make_demands(scopes=["a:b", text])


def test_at_most_64_scopes_are_demanded():
    scopes = [f"a:{number}" for number in range(65)]
    assert len(make_demands(scopes=scopes[:64]).scopes) == 64
    with pytest.raises(InvalidInput, match=r"^scopes: give at most 64; there are 65"):
        make_demands(scopes=scopes)
