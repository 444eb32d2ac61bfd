"""Ids: a prefix that says what is named, and 22 base62 characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.base62 import base62
from keystead.domain.ids import ID_ENTROPY_BYTES, IdKind, is_id, make_id

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHANCE = st.binary(min_size=ID_ENTROPY_BYTES, max_size=ID_ENTROPY_BYTES)


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [
        (IdKind.ORGANIZATION, "org_"),
        (IdKind.APP, "app_"),
        (IdKind.USER, "usr_"),
        (IdKind.KEY, "key_"),
        (IdKind.VERSION, "ver_"),
        (IdKind.SESSION, "ses_"),
        (IdKind.LINK, "lnk_"),
    ],
)
def test_an_id_says_what_it_names(kind, prefix):
    assert make_id(kind, bytes(16)) == prefix + "0" * 22


@pytest.mark.parametrize(
    ("number", "width", "text"),
    [
        (0, 1, "0"),
        (9, 1, "9"),
        (10, 1, "A"),
        (35, 1, "Z"),
        (36, 1, "a"),
        (61, 1, "z"),
        (62, 2, "10"),
        (62, 4, "0010"),
        (62**6 - 1, 6, "zzzzzz"),
        (2**128 - 1, 22, "7n42DGM5Tflk9n8mt7Fhc7"),
    ],
)
def test_base62_counts_in_digits_then_capitals_then_small_letters(number, width, text):
    assert base62(number, width) == text
    assert sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(text))) == number


@given(CHANCE)
def test_an_id_holds_all_of_its_chance(chance):
    text = make_id(IdKind.KEY, chance).removeprefix("key_")
    number = sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(text)))
    assert number.to_bytes(16) == chance
    assert len(text) == 22


@given(st.sampled_from(IdKind), st.sampled_from(IdKind), CHANCE)
def test_an_id_made_is_an_id_of_its_kind_and_of_no_other(kind, other, chance):
    assert is_id(other, make_id(kind, chance)) is (kind is other)


@pytest.mark.parametrize(
    "text",
    [
        *["", "key_", "key", "0" * 22, "key_" + "0" * 21, "key_" + "0" * 23, "key-" + "0" * 22],
        *["KEY_" + "0" * 22, " key_" + "0" * 22, "key_" + "0" * 22 + "\n", "key_" + "0" * 21 + "-"],
        *["key_" + "0" * 21 + "_", "key_" + "\u0660" * 22, "key_" + "0" * 21 + "é", "org_" + "0" * 22],
    ],
    ids=ascii,
)
def test_what_has_another_shape_is_no_id(text):
    assert not is_id(IdKind.KEY, text)
