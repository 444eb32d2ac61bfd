"""Where a token may stand in a request, and what is read from there."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.presented import Place, presented_token
from keystead.domain.tokens import Token
from keystead.domain.verdict import Reason

BOTH = (Place.AUTHORIZATION, Place.X_API_KEY)
T = "_".join(["ks", "sk", "live", "0123456789ABCDEFGHIJKLMNOPQRSTUV" + "abcdef"])
OTHER = "_".join(["ks", "sk", "live", "0123456789ABCDEFGHIJKLMNOPQRSTUV" + "abcdeg"])


def basic(credentials: str, scheme: str = "Basic") -> bytes:
    return f"{scheme} ".encode() + base64.b64encode(credentials.encode("latin-1"))


def read(*headers: tuple[bytes, bytes], places=BOTH):
    return presented_token(headers, places)


def authorization(value: str | bytes):
    return read((b"authorization", value if isinstance(value, bytes) else value.encode("latin-1")))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"Bearer {T}", id="Bearer"),
        pytest.param(T, id="bare"),
        pytest.param(f"ApiKey {T}", id="ApiKey"),
        pytest.param(f"bearer {T}", id="lower case"),
        pytest.param(f"BEARER {T}", id="upper case"),
        pytest.param(f"apikey {T}", id="apikey"),
        pytest.param(f"APIKEY {T}", id="APIKEY"),
        pytest.param(f"Bearer   {T}", id="several spaces"),
        pytest.param(f"  Bearer {T}\t", id="space around"),
        pytest.param(f"\t{T} ", id="space around a bare one"),
        pytest.param(basic(f"{T}:"), id="Basic, empty password"),
        pytest.param(basic(f"{T}:anything"), id="Basic, any password"),
        pytest.param(basic(f"{T}:a:b"), id="Basic, a colon in the password"),
        pytest.param(basic(f"{T}:p\xe4ss"), id="Basic, a password beyond ASCII"),
        pytest.param(basic(f"{T}:", "basic"), id="basic"),
        pytest.param(basic(f"{T}:", "BASIC"), id="BASIC"),
        pytest.param(basic(f"{T}:", "Basic  "), id="Basic, several spaces"),
    ],
)
def test_authorization_holds_the_token_in_four_ways(value):
    assert authorization(value) == Token(T)


def test_x_api_key_holds_the_token_alone():
    assert read((b"x-api-key", T.encode())) == Token(T)
    assert read((b"x-api-key", b" " + T.encode() + b"\t")) == Token(T)


@pytest.mark.parametrize("name", [b"X-API-Key", b"x-api-key", b"X-Api-KEY"], ids=ascii)
def test_header_names_have_any_letter_case(name):
    assert read((name, T.encode())) == Token(T)


@pytest.mark.parametrize(
    "name", [b"x_api_key", b"x-api-key ", b"x-apikey", b"proxy-authorization", b"cookie", b""], ids=ascii
)
def test_no_other_header_is_read(name):
    assert read((name, T.encode())) is Reason.MISSING


def test_no_header_at_all_is_missing():
    assert read() is Reason.MISSING
    assert read((b"accept", b"*/*")) is Reason.MISSING


@pytest.mark.parametrize("value", [b"", b" ", b"\t \t"], ids=ascii)
@pytest.mark.parametrize("name", [b"authorization", b"x-api-key"], ids=ascii)
def test_an_empty_header_is_as_good_as_none(name, value):
    assert read((name, value)) is Reason.MISSING


def test_an_empty_place_beside_a_token_in_the_other_leaves_the_token():
    assert read((b"authorization", b""), (b"x-api-key", T.encode())) == Token(T)
    assert read((b"authorization", f"Bearer {T}".encode()), (b"x-api-key", b" ")) == Token(T)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"Token {T}", id="a scheme not listed"),
        pytest.param(f"Digest username={T}", id="Digest"),
        pytest.param(f"Bearer{T} {T}", id="no scheme of ours"),
        pytest.param(f"Bearer\t{T}", id="a tab after the scheme"),
        pytest.param(f"Bearer {T} {T}", id="two tokens"),
        pytest.param(f"Bearer {T},{T} x", id="a list"),
        pytest.param(f"Bearer Bearer {T}", id="the scheme twice"),
        pytest.param(f"Bearer {T[:9]} {T[9:]}", id="a space within"),
        pytest.param(f"Bearer {T}\x00", id="NUL"),
        pytest.param(f"Bearer {T}\r\nX: y", id="a line break"),
        pytest.param(f"Bearer {T}\xe9", id="beyond ASCII"),
        pytest.param(f"{T}\xe9", id="bare, beyond ASCII"),
        pytest.param(f"Bearer {T}\u00a0".encode(), id="UTF-8"),
        pytest.param("Basic", id="Basic without credentials"),
        pytest.param("Basic ", id="Basic and a space"),
        pytest.param("Basic !!!!", id="Basic, no base64"),
        pytest.param("Basic a", id="Basic, a torn base64"),
        pytest.param("Basic \xe9\xe9\xe9\xe9", id="Basic, beyond ASCII"),
        pytest.param(basic(":"), id="Basic, nobody"),
        pytest.param(basic(f":{T}"), id="Basic, the token as password"),
        pytest.param(basic(f"{T} :"), id="Basic, a space within the user name"),
        pytest.param(basic(f"{T}\n:"), id="Basic, a line break within the user name"),
        pytest.param(basic("\xe9:"), id="Basic, a user name beyond ASCII"),
        pytest.param(basic(f"{T}:") + b" x", id="Basic and more"),
        pytest.param(basic(f"{T}:")[:20] + b"\n" + basic(f"{T}:")[20:], id="Basic, base64 in two lines"),
        pytest.param("x" * 10_240, id="10 kB"),
        pytest.param("Bearer " + "x" * 10_240, id="Bearer of 10 kB"),
        pytest.param(basic("x" * 10_240 + ":"), id="Basic of 10 kB"),
        pytest.param("Bearer " + "x" * 513, id="513 characters"),
    ],
)
def test_what_stands_there_and_can_be_no_token_is_malformed(value):
    assert authorization(value) is Reason.MALFORMED


def test_512_characters_may_be_a_token():
    assert authorization("Bearer " + "x" * 512) == Token("x" * 512)


@pytest.mark.parametrize(
    "value", [f"Bearer {T}", f"ApiKey {T}", "x" * 10_240, "\xe9", "a b"], ids=lambda v: v[:9]
)
def test_x_api_key_knows_no_schemes_and_no_other_text(value):
    assert read((b"x-api-key", value.encode("latin-1"))) is Reason.MALFORMED


@pytest.mark.parametrize("padding", ["\xa0", "\x85", "\x1c", "\x1f", "\x0b", "\x0c"], ids=ascii)
@pytest.mark.parametrize(
    ("name", "scheme"), [(b"x-api-key", ""), (b"authorization", ""), (b"authorization", "Bearer ")]
)
def test_only_spaces_and_tabs_may_stand_around_a_token(name, scheme, padding):
    # RFC 9110, 5.6.3: optional whitespace is SP and HTAB. An upstream would see another value than we judged.
    assert read((name, f"{scheme}{T}{padding}".encode("latin-1"))) is Reason.MALFORMED
    assert read((name, f"{scheme}{padding}{T}".encode("latin-1"))) is Reason.MALFORMED


@pytest.mark.parametrize(
    "first", [f"Bearer {T}", f"ApiKey {T}", T, basic(f"{T}:").decode()], ids=lambda v: v[:6]
)
def test_the_same_token_in_both_places_is_that_token(first):
    assert read((b"authorization", first.encode()), (b"x-api-key", T.encode())) == Token(T)
    assert read((b"x-api-key", T.encode()), (b"authorization", first.encode())) == Token(T)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(f"Bearer {T}", OTHER, id="two tokens"),
        pytest.param(f"Bearer {T}", T.upper(), id="letter case"),
        pytest.param(f"Bearer {T}", T[:-1], id="a part of it"),
        pytest.param("Basic !!!!", T, id="Basic that cannot be read"),
        pytest.param("Bearer a b", T, id="what can be no token"),
        pytest.param("Bearer " + "x" * 10_240, T, id="10 kB"),
        pytest.param("Bearer", T, id="a scheme alone"),
    ],
)
def test_different_values_in_the_two_places_are_malformed(first, second):
    assert read((b"authorization", first.encode()), (b"x-api-key", second.encode())) is Reason.MALFORMED
    assert read((b"x-api-key", second.encode()), (b"authorization", first.encode())) is Reason.MALFORMED


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key"], ids=ascii)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(T.encode(), T.encode(), id="equal"),
        pytest.param(T.encode(), OTHER.encode(), id="different"),
        pytest.param(b"", T.encode(), id="the first empty"),
        pytest.param(T.encode(), b"", id="the second empty"),
        pytest.param(b"", b"", id="both empty"),
    ],
)
def test_one_header_sent_twice_is_malformed(name, first, second):
    assert read((name, first), (name.title(), second)) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("places", "found"),
    [
        pytest.param((Place.AUTHORIZATION,), Token(OTHER), id="authorization"),
        pytest.param((Place.X_API_KEY,), Token(T), id="x-api-key"),
        pytest.param((), Reason.MISSING, id="none"),
    ],
)
def test_only_the_places_that_the_operator_lists_are_read(places, found):
    headers = ((b"x-api-key", T.encode()), (b"authorization", f"Bearer {OTHER}".encode()))
    assert read(*headers, places=places) == found


def test_a_place_that_is_not_listed_may_be_sent_twice():
    twice = [(b"authorization", b"x")] * 2
    assert read(*twice, (b"x-api-key", T.encode()), places=[Place.X_API_KEY]) == Token(T)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"authorization", b"x-api-key", b"host"]), st.binary(max_size=40)),
        max_size=4,
    )
)
def test_whatever_bytes_come_the_answer_is_a_token_missing_or_malformed(headers):
    found = presented_token(headers, BOTH)
    assert found in {Reason.MISSING, Reason.MALFORMED} or isinstance(found, Token)


@given(st.binary(max_size=60))
def test_whatever_stands_in_basic_can_be_read_or_is_malformed(credentials):
    found = authorization(b"Basic " + base64.b64encode(credentials))
    name = credentials.decode("latin-1").partition(":")[0]
    assert found == (Token(name) if name and all("!" <= c <= "~" for c in name) else Reason.MALFORMED)
