"""Tokens: their layout and checksum, what is kept of them, and that they never show themselves."""

import copy
import hashlib
import json
import logging
import pickle
import traceback
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.keys import Environment
from keystead.domain.tokens import (
    MAX_TOKEN_LENGTH,
    TOKEN_ENTROPY_BYTES,
    Token,
    TokenKind,
    could_be_issued,
    make_prefix,
    make_token,
    presentable,
)
from tests.unit.domain.cases import joined

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HEAD = joined("acme", "sk", "live", "0123456789ABCDEFGHIJKLMNOPQRSTUV")

ENTROPY = st.binary(min_size=TOKEN_ENTROPY_BYTES, max_size=TOKEN_ENTROPY_BYTES)
PREFIXES = st.from_regex(r"[a-z][a-z0-9]{1,15}", fullmatch=True)
TOKENS = st.builds(make_token, PREFIXES, st.sampled_from(TokenKind), st.sampled_from(Environment), ENTROPY)


def checksum(head: str) -> str:
    """The design's words, worked out another way: long division of the CRC-32 by powers of 62."""
    rest, digits = zlib.crc32(head.encode("ascii")), ""
    for power in (62**5, 62**4, 62**3, 62**2, 62, 1):
        digits += ALPHABET[rest // power]
        rest %= power
    return digits


def issued(head: str = HEAD) -> Token:
    return Token(head + checksum(head))


def test_a_token_has_its_prefix_kind_environment_32_random_characters_and_6_of_checksum():
    token = make_token("acme", TokenKind.SECRET, Environment.LIVE, bytes(31) + b"\x3d")
    head = joined("acme", "sk", "live", "0" * 31 + "z")
    assert token.reveal() == head + checksum(head)


def test_the_checksum_of_a_known_token_is_the_one_worked_out_by_hand():
    # 1385998370 = 1*62**5 + 31*62**4 + 49*62**3 + 31*62**2 + 30*62 + 26, digits 1 V n V U Q.
    assert zlib.crc32(HEAD.encode()) == 1385998370
    assert could_be_issued(Token(HEAD + "1VnVUQ"))


def test_a_small_checksum_is_padded_with_zeros():
    # Found by counting up: the first body of digits whose CRC-32 is below 62**5.
    number = next(n for n in range(1000) if zlib.crc32(_numbered(n).encode()) < 62**5)
    assert checksum(_numbered(number)).startswith("0")
    assert could_be_issued(issued(_numbered(number)))


def _numbered(number: int) -> str:
    return joined("ks", "pk", "test", f"{number:032}")


@given(
    prefix=PREFIXES, kind=st.sampled_from(TokenKind), environment=st.sampled_from(Environment), chance=ENTROPY
)
def test_any_issued_token_parses(prefix, kind, environment, chance):
    token = make_token(prefix, kind, environment, chance)
    text = token.reveal()
    said_prefix, said_kind, said_environment, body = text.split("_")
    assert (said_prefix, said_kind, said_environment) == (prefix, kind.value, environment.value)
    assert len(body) == 38
    assert set(body) <= set(ALPHABET)
    assert body[32:] == checksum(text[:-6])
    assert could_be_issued(token)
    assert presentable(text) == token


@given(token=TOKENS, data=st.data())
def test_any_one_character_change_fails_its_checksum(token, data):
    text = token.reveal()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in ALPHABET + "_" if c != text[at]]))
    assert not could_be_issued(Token(text[:at] + other + text[at + 1 :]))


def test_every_one_character_change_of_a_token_fails_its_checksum():
    text = issued().reveal()
    changed = [
        text[:at] + other + text[at + 1 :]
        for at in range(len(text))
        for other in ALPHABET + "_"
        if other != text[at]
    ]
    assert not any(could_be_issued(Token(one)) for one in changed)


@given(token=TOKENS, data=st.data())
def test_two_neighbours_exchanged_fail_the_checksum(token, data):
    text = token.reveal()
    at = data.draw(st.integers(0, len(text) - 2).filter(lambda i: text[i] != text[i + 1]))
    assert not could_be_issued(Token(text[:at] + text[at + 1] + text[at] + text[at + 2 :]))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(joined("a", "sk", "live", "0" * 32), id="prefix of one"),
        pytest.param(joined("a" * 17, "sk", "live", "0" * 32), id="prefix of 17"),
        pytest.param(joined("Acme", "sk", "live", "0" * 32), id="prefix in capitals"),
        pytest.param(joined("1acme", "sk", "live", "0" * 32), id="prefix begins with a digit"),
        pytest.param(joined("acme", "xx", "live", "0" * 32), id="unknown kind"),
        pytest.param(joined("acme", "sk", "prod", "0" * 32), id="unknown environment"),
        pytest.param(joined("acme", "sk", "live", "0" * 31), id="short by one"),
        pytest.param(joined("acme", "sk", "live", "0" * 33), id="long by one"),
        pytest.param(joined("acme", "sk", "live", "0" * 31 + "-"), id="no base62"),
        pytest.param(joined("acme", "sk", "live", "0" * 31 + "\u0660"), id="a digit beyond ASCII"),
        pytest.param("-".join(["acme", "sk", "live", "0" * 32]), id="other separators"),
        pytest.param(joined("acme", "sk", "0" * 32), id="no environment"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_right_checksum_does_not_help_another_shape(head):
    tail = checksum(head) if head.isascii() else "000000"
    assert not could_be_issued(Token(head + tail))


@pytest.mark.parametrize("tail", ["\n", " ", "\x00", "0"], ids=ascii)
def test_nothing_may_follow_a_token(tail):
    assert not could_be_issued(Token(issued().reveal() + tail))


def test_all_of_the_body_comes_from_chance():
    least = make_token("ks", TokenKind.ROOT, Environment.TEST, bytes(32)).reveal()
    most = make_token("ks", TokenKind.ROOT, Environment.TEST, b"\xff" * 32).reveal()
    one = make_token("ks", TokenKind.ROOT, Environment.TEST, bytes(31) + b"\x01").reveal()
    assert least[:-6] == joined("ks", "rk", "test", "0" * 32)
    assert one[:-6] == joined("ks", "rk", "test", "0" * 31 + "1")
    assert len({least, most, one}) == 3
    assert len(least) == len(most)


@pytest.mark.parametrize(("length", "fits"), [(0, False), (1, True), (511, True), (512, True), (513, False)])
def test_what_may_be_looked_up_has_1_to_512_characters(length, fits):
    assert MAX_TOKEN_LENGTH == 512
    found = presentable("x" * length)
    assert found == (Token("x" * length) if fits else None)


@pytest.mark.parametrize(("character", "fits"), [(0x20, False), (0x21, True), (0x7E, True), (0x7F, False)])
def test_what_may_be_looked_up_is_visible_ascii(character, fits):
    assert (presentable(f"a{chr(character)}b") is not None) is fits


@pytest.mark.parametrize(
    "text", ["a\n", "\na", "a\tb", "é", "a\x80", "\u212a", "\ud800", "a\u200b"], ids=ascii
)
def test_what_else_stands_there_is_no_token(text):
    assert presentable(text) is None


@pytest.mark.parametrize("text", ["ab", "a1", "ks", "acme", "a" * 16, "a0123456789bcdef"])
def test_a_prefix_has_2_to_16_lower_case_letters_and_digits(text):
    assert make_prefix(text, field="p") == text


@pytest.mark.parametrize(
    "text", ["", "a", "a" * 17, "1a", "A", "aB", "a_b", "a-b", "ab\n", " ab", "äb", "a\u0661"], ids=ascii
)
def test_what_is_no_prefix_is_refused(text):
    with pytest.raises(InvalidInput, match=r"^token_prefix: write 2 to 16 lower-case letters and digits"):
        make_prefix(text, field="token_prefix")


def test_what_is_stored_is_a_format_byte_and_the_sha256_of_the_whole_string():
    # FIPS 180-2, appendix B.1.
    vector = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Token("abc").digest == b"\x01" + bytes.fromhex(vector)


@given(token=TOKENS)
def test_the_digest_is_of_every_character(token):
    assert token.digest == b"\x01" + hashlib.sha256(token.reveal().encode("ascii")).digest()
    assert token.digest != Token(token.reveal()[:-1]).digest


def test_start_reaches_to_the_fourth_random_character_and_last4_is_the_tail():
    token = issued()
    assert token.start == joined("acme", "sk", "live", "0123")
    assert token.last4 == token.reveal()[-4:]


@given(token=TOKENS)
def test_start_and_last4_leave_28_random_characters_unsaid(token):
    text = token.reveal()
    assert text.startswith(token.start)
    assert text.endswith(token.last4)
    assert token.start[-5] == "_"
    assert len(text) - 6 - len(token.start) == 28


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("x" * 3, ""),
        ("abcd", "a"),
        ("SG.0123456789abcdef.0123456789abcdef", "SG.01234"),
        ("0123456789abcdef0123456789abcdef", "01234567"),
    ],
)
def test_of_a_foreign_token_at_most_a_quarter_and_eight_characters_are_its_start(text, start):
    assert Token(text).start == start


def test_tokens_are_equal_when_their_strings_are():
    assert issued() == issued()
    assert len({issued(), issued(), Token("x")}) == 2
    assert issued() != issued().reveal()


def _formatted_wide(token):
    return f"{token:>200}"


def _error_about(token):
    error = ValueError(token)
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


def _logged(token):
    record = logging.LogRecord("keystead", logging.INFO, __file__, 1, "made %s %r", (token, token), None)
    return logging.Formatter().format(record)


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param(ascii, id="ascii"),
        pytest.param(format, id="format"),
        pytest.param("{}".format, id="str.format"),
        pytest.param("{!r}".format, id="str.format r"),
        pytest.param(lambda token: "%s %r" % (token, token), id="percent"),  # noqa: UP031 - as old code does
        pytest.param(lambda token: repr({"token": [token]}), id="inside others"),
        pytest.param(lambda token: json.dumps({"token": token}, default=str), id="json by str"),
        pytest.param(_error_about, id="exception"),
        pytest.param(_logged, id="log"),
    ],
)
def test_a_token_prints_as_its_start(show):
    token = issued()
    shown = show(token)
    assert token.start in shown
    # Not even the fifth random character.
    assert token.reveal()[: len(token.start) + 1] not in shown
    assert token.reveal()[-8:] not in shown


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        *[
            pytest.param(lambda token, p=protocol: pickle.dumps(token, protocol=p), id=f"pickle {protocol}")
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ],
        pytest.param(lambda token: pickle.dumps({"deep": [token]}), id="pickle inside others"),
        pytest.param(json.dumps, id="json"),
        pytest.param(msgspec.json.encode, id="msgspec json"),
        pytest.param(msgspec.msgpack.encode, id="msgspec msgpack"),
        pytest.param(_formatted_wide, id="format with a width"),
        pytest.param(vars, id="vars"),
        pytest.param(bytes, id="bytes"),
        pytest.param(iter, id="iter"),
    ],
)
def test_a_token_is_never_serialised(write):
    token = issued()
    with pytest.raises(TypeError) as refusal:
        write(token)
    assert token.reveal() not in _error_text(refusal.value)


def _error_text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@given(token=TOKENS)
def test_no_token_shows_more_than_its_start(token):
    assert repr(token) == str(token) == f"{token}" == f"Token({token.start}…)"
