"""One canonical path, or none: no two servers may read an accepted request differently."""

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keystead.domain.paths import _judged, canonical_path

ADMIN_SPELLINGS = [
    "/jobs/../admin",
    "/jobs/%2e%2e/admin",
    "/jobs/%2E%2E/admin",
    "/jobs/.%2e/admin",
    "/jobs/.%2E/admin",
    "/jobs/%2e./admin",
    "/jobs/%2e%2E/admin",
    "/jobs/%252e%252e/admin",
    "/jobs/%25252e%25252e/admin",
    "/jobs/%%32%65%%32%65/admin",
    "/jobs/..%2fadmin",
    "/jobs/..%2Fadmin",
    "/jobs/%2e%2e%2fadmin",
    "/jobs/..%252fadmin",
    "/jobs%2f..%2fadmin",
    "/jobs/..\\admin",
    "/jobs\\..\\admin",
    "/jobs/..%5cadmin",
    "/jobs/..%5Cadmin",
    "/jobs%5c..%5cadmin",
    "/jobs/..;/admin",
    "/jobs/..;x=y/admin",
    "/jobs/..%3b/admin",
    "/jobs/..%3B/admin",
    "/jobs;/../admin",
    "/jobs/%c0%ae%c0%ae/admin",
    "/jobs/%e0%80%ae%e0%80%ae/admin",
    "/jobs/%f0%80%80%ae%f0%80%80%ae/admin",
    "/jobs/..%c0%afadmin",
    "/jobs/..%c1%9cadmin",
    "/jobs/%u002e%u002e/admin",
    "/jobs/..%00/admin",
    "/jobs/..%09/admin",
    "/jobs/..%0a/admin",
    "/jobs/..%0d%0a/admin",
    "/jobs/..%7f/admin",
    "/jobs/../../admin",
    "/jobs/./../admin",
    "/jobs//../admin",
    "/jobs/..//admin",
    "/jobs/x/../../admin",
    "//jobs/../admin",
    "/../admin",
    "/jobs/../admin/",
    "/jobs/../admin?x=y",
    "/jobs/..#/admin",
    "/jobs/..%23/admin",
    "/jobs/..%3f/admin",
    "/jobs/%\uff0e\uff0e/admin",
    "/jobs/\x2e\x2e\x2fadmin",
    "jobs/../admin",
    "http://api.example/jobs/../admin",
]


@pytest.mark.parametrize("raw", ADMIN_SPELLINGS, ids=ascii)
def test_no_spelling_of_a_way_up_to_admin_has_a_canonical_form(raw):
    assert canonical_path(raw) is None


@pytest.mark.parametrize("segment", [".", "..", "%2e", "%2E", "%2e.", ".%2E", "%2e%2e"])
@pytest.mark.parametrize("place", ["/{}", "/{}/", "/a/{}", "/a/{}/b", "/a/{}?q"])
def test_a_dot_segment_in_any_encoding_is_ambiguous(segment, place):
    assert canonical_path(place.format(segment)) is None


@pytest.mark.parametrize("segment", ["...", ".a", "a.", "..a", "a..", "%2ea", ".well-known", "a.%2Eb"])
def test_dots_beside_other_characters_are_no_dot_segment(segment):
    assert canonical_path(f"/x/{segment}/y") == f"/x/{segment.replace('%2e', '.').replace('%2E', '.')}/y"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("", id="empty"),
        pytest.param("*", id="asterisk"),
        pytest.param("?q=1", id="query only"),
        pytest.param("jobs", id="no leading slash"),
        pytest.param("http://api.example/jobs", id="absolute form"),
        pytest.param("api.example:443", id="authority form"),
        pytest.param("%2Fjobs", id="encoded leading slash"),
        pytest.param(" /jobs", id="leading space"),
        pytest.param("//", id="two slashes"),
        pytest.param("//evil.example/jobs", id="network path"),
        pytest.param("/jobs//1", id="two slashes within"),
        pytest.param("/jobs//", id="two slashes at the end"),
        pytest.param("/jobs;v=1", id="path parameter"),
        pytest.param("/jobs#top", id="fragment"),
        pytest.param("/jobs#?q", id="fragment before the query"),
        pytest.param("/jobs/a b", id="raw space"),
        pytest.param("/jobs\t", id="raw tab"),
        pytest.param("/jobs\n", id="line break at the end"),
        pytest.param("/jobs\r\nX: y", id="header injection"),
        pytest.param("/jobs\x00", id="raw NUL"),
        pytest.param("/jobs\x7f", id="raw DEL"),
        pytest.param("/jobs\x85", id="raw C1"),
        pytest.param("/caf\xe9", id="raw latin-1"),
        pytest.param("/\u212aobs", id="raw Kelvin sign"),
        pytest.param("/a\ud800", id="lone surrogate"),
        pytest.param("/a%", id="lone percent"),
        pytest.param("/a%2", id="short escape"),
        pytest.param("/a%2?", id="escape cut by the query"),
        pytest.param("/a%zz", id="no hexadecimal digits"),
        pytest.param("/a%+1", id="signed escape"),
        pytest.param("/a%\uff11\uff11", id="fullwidth digits in an escape"),
        pytest.param("/a%C3", id="UTF-8 cut short"),
        pytest.param("/a%C3/%A9", id="UTF-8 across segments"),
        pytest.param("/a%C3a%A9", id="UTF-8 broken by a letter"),
        pytest.param("/a%A9", id="lone continuation byte"),
        pytest.param("/a%C1%81", id="overlong A"),
        pytest.param("/a%ED%A0%80", id="encoded surrogate"),
        pytest.param("/a%F4%90%80%80", id="beyond Unicode"),
        pytest.param("/a%FF", id="never UTF-8"),
    ],
)
def test_what_servers_could_read_differently_is_ambiguous(raw):
    assert canonical_path(raw) is None


@pytest.mark.parametrize("byte", [*range(0x20), 0x7F, *b"/\\?#%;"], ids=hex)
def test_an_encoded_control_or_delimiter_is_ambiguous(byte):
    assert canonical_path(f"/a%{byte:02x}b") is None
    assert canonical_path(f"/a%{byte:02X}b") is None


@pytest.mark.parametrize("byte", range(0x80, 0xA0), ids=hex)
def test_a_c1_control_encoded_as_utf8_is_ambiguous(byte):
    assert canonical_path(f"/a%c2%{byte:02x}b") is None


@pytest.mark.parametrize("byte", [*range(0x21), *range(0x7F, 0x100)], ids=hex)
def test_a_raw_byte_outside_visible_ascii_is_ambiguous(byte):
    assert canonical_path(f"/a{chr(byte)}b") is None


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/", "/"),
        ("/?", "/"),
        ("/jobs", "/jobs"),
        ("/jobs/", "/jobs/"),
        ("/jobs?x=/../y", "/jobs"),
        ("/jobs?a?b#c", "/jobs"),
        ("/Jobs", "/Jobs"),
        ("/%6aobs", "/jobs"),
        ("/%6Aobs%7E", "/jobs~"),
        ("/%4a", "/J"),
        ("/%2D%2e%5f%7e", "/-._~"),
        ("/a%20b", "/a%20b"),
        ("/a%3ab", "/a%3Ab"),
        ("/a:b", "/a:b"),
        ("/a%2bb+c", "/a%2Bb+c"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%f0%9f%94%91", "/%F0%9F%94%91"),
        ("/a%C2%A0", "/a%C2%A0"),
        ("""/!"$&'()*+,-.0:<=>@A[]^_`a{|}~""", """/!"$&'()*+,-.0:<=>@A[]^_`a{|}~"""),
        ("/.well-known/x", "/.well-known/x"),
    ],
)
def test_a_clear_path_has_one_canonical_form(raw, canonical):
    assert canonical_path(raw) == canonical


PIECES = st.sampled_from(
    [
        *["/", "/", "a", "B", ".", "..", "~", "-", "%2e", "%2E", "%41", "%c3%a9", "%C3", "%A9", "%c0%ae"],
        *["%2F", "%5c", "\\", ";", "%3b", "#", "%23", "?", "%3F", "%", "%25", "%0", "%zz", "%00", "%7F"],
        *["%C2%85", "%20", " ", "\n", "\x00", "\x85", "\xe9", "é", ":", "%3A", "!", "'", "(", "*", "[", "|"],
    ],
)
RAW = st.lists(PIECES, max_size=10).map("".join) | st.text(max_size=20)
PATHS = RAW.map(lambda text: f"/{text}") | RAW


@given(PATHS)
@example("/a?/..")
@example("/a/\n")
def test_the_fast_path_answers_as_the_slow_one(raw):
    assert canonical_path(raw) == _judged(raw.partition("?")[0])


@given(PATHS)
def test_a_canonical_path_is_its_own_canonical_form(raw):
    canonical = canonical_path(raw)
    assert canonical is None or canonical_path(canonical) == canonical


@given(PATHS)
def test_a_canonical_path_names_what_was_sent(raw):
    canonical = canonical_path(raw)
    if canonical is not None:
        assert unquote(canonical, errors="strict") == unquote(raw.partition("?")[0], errors="strict")


@given(PATHS)
def test_decoding_and_normalising_never_moves_a_canonical_path(raw):
    canonical = canonical_path(raw)
    if canonical is None:
        return
    for reading in (
        canonical,
        unquote(canonical),
        unquote(unquote(canonical)),
        unquote(canonical, "latin-1"),
    ):
        assert reading.removesuffix("/") == posixpath.normpath(reading).removesuffix("/")
        assert not any(ord(character) < 0x20 for character in reading)
        assert reading.count("/") == canonical.count("/")
        assert not set(reading) & set("\\;?#")


def test_a_very_long_path_is_judged_in_linear_time():
    assert canonical_path("/a." * 300_000) == "/a." * 300_000
    assert canonical_path("/.a%41" * 100_000) == "/.aA" * 100_000
    assert canonical_path("/a" * 300_000 + "//") is None
