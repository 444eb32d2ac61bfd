"""Allowed origins: canonical in the list, judged strictly as sent."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.origins import make_origin, make_origins, origin_allowed, origins_cover

LONGEST_HOST = ".".join(["a" * 61] * 3 + ["a" * 59])


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://example.com", "https://example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://example.com:80", "https://example.com:80"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://example.com:65535", "https://example.com:65535"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://*.Example.com:8443", "https://*.example.com:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_app.example.com", "https://my_app.example.com"),
        ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[2001:DB8:0:0:0:0:0:1]", "http://[2001:db8::1]"),
        ("http://[::ffff:1.2.3.4]", "http://[::ffff:102:304]"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        (f"https://{LONGEST_HOST}", f"https://{LONGEST_HOST}"),
    ],
)
def test_an_origin_is_kept_in_canonical_form(text, canonical):
    assert make_origin(text, field="o") == canonical
    assert make_origin(canonical, field="o") == canonical


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("", "write 1 to 255"),
        ("https://" + "a" * 248, "write 1 to 255"),
        ("*", "leave the list empty"),
        ("null", "null"),
        ("NULL", "null"),
        ("https://example.com/", "write https://example.com, without the /"),
        ("https://Example.com:443/", "write https://example.com, without the /"),
        ("https://bücher.example", "xn--"),
        ("https://\u212a.example", "xn--"),
        ("https://\ud800.example", "xn--"),
        ("https://*", "leftmost label"),
        ("https://*.com", "leftmost label"),
        ("https://*.localhost:3000", "leftmost label"),
        ("https://*.*.example.com", "leftmost label"),
        ("https://a.*.example.com", "leftmost label"),
        ("https://a*.example.com", "leftmost label"),
        ("https://**.example.com", "leftmost label"),
        ("*.example.com", "leftmost label"),
        ("*://a.example.com", "leftmost label"),
        ("https://*.1.2.3", "leftmost label"),
        ("https://*.0.0.1", "leftmost label"),
        ("https://*.example.com:*", "leftmost label"),
        ("example.com", "scheme://host"),
        ("//example.com", "scheme://host"),
        ("https:example.com", "scheme://host"),
        ("https://", "scheme://host"),
        ("https:///", "scheme://host"),
        ("https://example.com/path", "scheme://host"),
        ("https://example.com//", "scheme://host"),
        ("https://example.com?q", "scheme://host"),
        ("https://example.com#f", "scheme://host"),
        ("https://user@example.com", "scheme://host"),
        ("https://user:pw@example.com", "scheme://host"),
        ("https://example.com:", "scheme://host"),
        ("https://example.com:0", "scheme://host"),
        ("https://example.com:0443", "scheme://host"),
        ("https://example.com:65536", "scheme://host"),
        ("https://example.com:123456", "scheme://host"),
        ("https://example.com:+443", "scheme://host"),
        ("https://example.com.", "scheme://host"),
        ("https://.example.com", "scheme://host"),
        ("https://a..example.com", "scheme://host"),
        ("https://-a.example.com", "scheme://host"),
        ("https://a-.example.com", "scheme://host"),
        ("https://" + "a" * 64 + ".com", "scheme://host"),
        ("https://exa mple.com", "scheme://host"),
        (" https://example.com", "scheme://host"),
        ("https://example.com\n", "scheme://host"),
        ("https://example.com https://b.example", "scheme://host"),
        ("https://example.com,https://b.example", "scheme://host"),
        ("https://ex%61mple.com", "scheme://host"),
        ("https://example.com\\", "scheme://host"),
        ("http://127.1", "scheme://host"),
        ("http://2130706433", "scheme://host"),
        ("http://0x7f.1", "scheme://host"),
        ("http://0x7f000001", "scheme://host"),
        ("http://127.0.0.01", "scheme://host"),
        ("http://1.2.3.256", "scheme://host"),
        ("http://[::1", "scheme://host"),
        ("http://::1", "scheme://host"),
        ("http://[::1%25eth0]", "scheme://host"),
        ("http://[127.0.0.1]", "scheme://host"),
        ("http://[]", "scheme://host"),
        ("1http://a.example", "scheme://host"),
    ],
    ids=ascii,
)
def test_what_is_no_origin_is_refused_with_the_fix(text, fix):
    with pytest.raises(InvalidInput, match=f"^o: .*{fix}"):
        make_origin(text, field="o")


def test_an_origin_has_at_most_255_characters():
    assert len(make_origin(f"https://{LONGEST_HOST}:1", field="o")) == 255
    with pytest.raises(InvalidInput, match="write 1 to 255"):
        make_origin(f"https://{LONGEST_HOST}:12", field="o")


def test_origins_are_unique_and_keep_their_order():
    items = ["https://b.example", "https://a.example", "HTTPS://B.example:443"]
    assert make_origins(items, field="o") == ("https://b.example", "https://a.example")


def test_a_list_has_at_most_50_origins():
    items = [f"https://a{number}.example" for number in range(51)]
    assert len(make_origins(items[:50], field="o")) == 50
    with pytest.raises(InvalidInput, match="o: give at most 50; there are 51"):
        make_origins(items, field="o")


def test_the_faulty_origin_of_a_list_is_named():
    with pytest.raises(InvalidInput, match=r"^origins\[1\]: "):
        make_origins(["https://a.example", "b.example"], field="origins")


ALLOWED = make_origins(
    [
        "https://example.com",
        "https://*.example.com",
        "http://localhost:3000",
        "http://[::1]:80",
        "https://*.b.test:8443",
    ],
    field="o",
)


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "https://EXAMPLE.com",
        "https://example.com:443",
        "https://a.example.com",
        "https://xn--bcher-kva.example.com",
        "https://" + "a" * 63 + ".example.com",
        "http://localhost:3000",
        "http://[::1]",
        "http://[0:0::1]:80",
        "https://x.b.test:8443",
    ],
)
def test_an_origin_in_the_list_is_allowed(origin):
    assert origin_allowed(origin, ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "https://*.example.com",
        "http://example.com",
        "http://a.example.com",
        "https://example.com:8443",
        "https://a.example.com:8443",
        "https://a.b.example.com",
        "https://.example.com",
        "https://evilexample.com",
        "https://example.com.evil.test",
        "https://example.com.",
        "https://a.example.com.",
        "https://example.com/",
        "https://example.com@evil.test",
        "https://evil.test#.example.com",
        "https://evil.test?.example.com",
        "https://evil.test\\.example.com",
        "https://evil.test/.example.com",
        "https://evil.test%2F.example.com",
        "https://evil.test:443.example.com",
        "https://a\x00.example.com",
        "https://a.example.com\n",
        "https://a.example.com https://b.example.com",
        "https://a.example.com, https://b.example.com",
        "https://\uff41.example.com",
        "http://loca\u017fhost:3000",
        "http://localhost",
        "https://b.test:8443",
        "https://x.b.test",
        "https://" + "a" * 64 + ".example.com",
        "https://" + "a" * 600 + ".example.com",
    ],
    ids=ascii,
)
def test_what_is_not_plainly_in_the_list_is_refused(origin):
    assert not origin_allowed(origin, ALLOWED)


def test_a_letter_that_only_lowers_to_ascii_matches_nothing():
    assert not origin_allowed("https://boo\u212a.example", make_origins(["https://book.example"], field="o"))


def test_nothing_is_in_an_empty_list():
    assert not origin_allowed("https://example.com", ())


HOSTS = [
    "example.com",
    "a.example.com",
    "b.a.example.com",
    "*.example.com",
    "*.a.example.com",
    "localhost",
    "1.2.3.4",
]
LISTS = st.lists(
    st.builds(
        lambda scheme, host, port: make_origin(f"{scheme}://{host}{port}", field="o"),
        st.sampled_from(["http", "https"]),
        st.sampled_from(HOSTS),
        st.sampled_from(["", ":80", ":443", ":3000"]),
    ),
    max_size=3,
).map(tuple)
SENT = [
    f"{scheme}://{host}{port}"
    for scheme in ("http", "https")
    for host in (
        "example.com",
        "a.example.com",
        "c.example.com",
        "b.a.example.com",
        "c.a.example.com",
        "localhost",
    )
    for port in ("", ":80", ":443", ":3000")
]


@given(outer=LISTS, inner=LISTS)
def test_a_covered_list_allows_no_origin_that_the_outer_does_not(outer, inner):
    assume(origins_cover(outer, inner))
    for origin in SENT:
        if not inner or origin_allowed(origin, inner):
            assert not outer or origin_allowed(origin, outer)


@pytest.mark.parametrize(
    ("outer", "inner", "covered"),
    [
        ([], [], True),
        ([], ["https://a.test"], True),
        (["https://a.test"], [], False),
        (["https://a.test", "https://b.test"], ["https://b.test"], True),
        (["https://*.a.test"], ["https://b.a.test"], True),
        (["https://*.a.test"], ["https://*.a.test"], True),
        (["https://*.a.test"], ["https://a.test"], False),
        (["https://*.a.test"], ["https://c.b.a.test"], False),
        (["https://*.a.test"], ["https://*.b.a.test"], False),
        (["https://b.a.test"], ["https://*.a.test"], False),
        (["https://*.a.test"], ["https://b.a.test", "https://c.test"], False),
        (["https://*.a.test"], ["https://b.a.test:8443"], False),
    ],
)
def test_narrower_origins_are_told_from_wider_ones(outer, inner, covered):
    assert origins_cover(make_origins(outer, field="o"), make_origins(inner, field="o")) is covered
