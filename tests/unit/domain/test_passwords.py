"""What may be a password: long enough, and no giveaway; any characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.errors import InvalidInput
from keystead.domain.passwords import MAX_PASSWORD_LENGTH, make_password, normalized

WHO = {"email": "ada.lovelace@example.com", "name": "Ada King-Noel"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("abcdefghijkl", id="12 characters"),
        pytest.param("a" * 1023 + "b", id="1,024 characters"),
        pytest.param("correct horse battery staple", id="words and spaces"),
        pytest.param("            a", id="spaces count"),
        pytest.param("123456789012", id="digits alone: no rule of composition"),
        pytest.param("пароль из слов", id="any script"),
        pytest.param("🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔒", id="beyond the basic plane"),
        pytest.param("ada.lovelace@example.com!", id="more than the e-mail"),
    ],
)
def test_these_may_be_passwords(text):
    assert make_password(text, **WHO) == normalized(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("abcdefghijk", id="11 characters"),
        pytest.param("a" * 1024 + "b", id="1,025 characters"),
        pytest.param("\ufdfa" * 1000, id="longer than any once it is normal"),
        pytest.param("aaaaaaaaaaaa", id="one character over and over"),
        pytest.param("Ada.Lovelace@Example.COM", id="the e-mail, in any letter case"),
        pytest.param("ADA.LOVELACE", id="what stands before the @"),
        pytest.param("ada king-noel", id="the name"),
        pytest.param("\uff21\uff44\uff41 King-Noel", id="the name in full-width letters"),
        pytest.param("abcdefghijkl\n", id="a line break"),
        pytest.param("abcdefghijkl\0", id="a null character"),
        pytest.param("abcdefghijkl\ud800", id="half a character"),
    ],
)
def test_these_may_not_and_are_never_repeated(text):
    with pytest.raises(InvalidInput) as caught:
        make_password(text, **WHO)
    assert caught.value.field == "password"
    assert not text or text not in str(caught.value)


def test_one_password_however_a_keyboard_puts_it_together():
    composed, apart = "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301"
    assert make_password(composed, **WHO) == make_password(apart, **WHO)


@given(st.text(max_size=2 * MAX_PASSWORD_LENGTH))
def test_what_is_normal_stays_so(text):
    once = normalized(text)
    assert once is None or normalized(once) == once
