"""What a request says of itself, and how far it is believed."""

from itertools import product

import pytest

from keystead.domain.networks import parse_address
from keystead.domain.presented import Place, presented_token
from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import Reason
from keystead.web.facts import TokenPlaces, caller_address, has_override, heard, only, peer

TRUSTED = ("127.0.0.0/8", "10.0.0.0/8")
VALUES = [
    b"Bearer a",
    b"bearer a",
    b"Bearer  a ",
    b"Bearer ",
    b"Bearer",
    b"Bearer a b",
    b"a",
    b"",
    b" ",
    b"Basic YTo=",
]


@pytest.mark.parametrize(
    "name", ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url"]
)
def test_a_method_override_is_seen_in_any_spelling(name):
    words = name.split("-")
    for joints in product("-_", repeat=len(words) - 1):
        spelling = words[0] + "".join(joint + word for joint, word in zip(joints, words[1:], strict=True))
        assert has_override(heard([(spelling.encode(), b"")]))
        assert has_override(heard([(spelling.encode(), b"a"), (spelling.encode(), b"b")]))
    assert not has_override(heard([(f"{name}-x".encode(), b"a"), (b"x-forwarded-method", b"GET")]))


def test_a_header_sent_twice_counts_as_absent():
    values = heard([(b"a", b" 1\t"), (b"b", b"1"), (b"b", b"1"), (b"c", b"\xff")])
    assert [only(values, name) for name in (b"a", b"b", b"c", b"d")] == ["1", None, "ÿ", None]


@pytest.mark.parametrize("places", [tuple(Place), (Place.AUTHORIZATION,), (Place.X_API_KEY,)])
def test_the_quick_way_to_a_token_finds_what_the_rule_finds(places):
    names = [place.encode() for place in Place]
    sent = [[], *([(name, value)] for name in names for value in VALUES)]
    for first, second in product(sent, sent):
        headers = [*first, *second]
        found, ruled = TokenPlaces(places).presented(heard(headers)), presented_token(headers, places)
        if ruled is Reason.MALFORMED and isinstance(found, Token):
            # It is looked up in vain, and then told as what it is.
            assert not could_be_issued(found), headers
        else:
            assert found == ruled, headers


def test_one_place_twice_is_malformed():
    for value in (b"", b"Bearer a"):
        values = heard([(b"authorization", value), (b"authorization", value)])
        assert TokenPlaces(tuple(Place)).presented(values) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("host", "forwarded", "expected"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["198.51.100.1, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["nonsense"], None),
        ("10.0.0.1", ["203.0.113.9"] * 2, None),
        (None, ["203.0.113.9"], None),
        ("nobody", [], None),
    ],
)
def test_the_caller_is_the_peer_or_whom_a_trusted_proxy_names(host, forwarded, expected):
    values = heard([(b"x-forwarded-for", it.encode()) for it in forwarded])
    address = caller_address(peer(host, TRUSTED), values, TRUSTED)
    assert address == (None if expected is None else parse_address(expected))


def test_a_unix_socket_is_no_trusted_proxy_by_itself():
    assert not peer(None, TRUSTED).trusted
    assert peer("127.0.0.1", TRUSTED).trusted


@pytest.mark.parametrize(
    "name",
    [
        "X-HTTP-Method-Override",
        "x-http-method",
        "X-METHOD-OVERRIDE",
        "X-Original-URL",
        "x-rewrite-url",
        "X_HTTP_Method_Override",
        "X-Original_URL",
    ],
)
def test_a_method_override_header_is_known_in_every_spelling(name):
    assert has_override(heard([(name.lower().encode(), b"x")]))


@pytest.mark.parametrize(
    "name", ["", "Method", "X-HTTP-Method-Override2", "X-Original-URI", "X-Original-Method"]
)
def test_other_headers_override_nothing(name):
    assert not has_override(heard([(name.lower().encode(), b"x")]))
