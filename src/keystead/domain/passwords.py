"""Passwords: what may be one. Length counts, giveaways do not; no rule of composition (NIST SP 800-63B)."""

import unicodedata

from keystead.domain.errors import InvalidInput

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 1_024

_UNTYPEABLE = frozenset({"Cc", "Cs"})


def make_password(text: str, *, email: str, name: str, field: str = "password") -> str:
    """A password as it is hashed (see `normalized`), for the person with this e-mail and name.

    12 to 1,024 characters, any. Refused are the e-mail, what stands before its `@`, the name, whatever their
    letter case, and one character over and over. Raises InvalidInput, which never repeats the password.
    """
    password = normalized(text)
    if password is None or len(password) < MIN_PASSWORD_LENGTH:
        least, most = MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH
        problem = f"write {least} to {most} characters; a few words you remember make a good one"
        raise InvalidInput(field, problem, rule="password-length", least=least, most=most)
    if any(unicodedata.category(character) in _UNTYPEABLE for character in password):
        raise InvalidInput(field, "remove line breaks and control characters", rule="password-controls")
    if len(set(password)) == 1 or password.casefold() in _giveaways(email, name):
        problem = "is too easy to guess: write a few words that do not name you"
        raise InvalidInput(field, problem, rule="password-guessable")
    return password


def normalized(text: str) -> str | None:
    """A password as it is hashed: in one spelling (NFKC), however a keyboard put it together.

    None for what is longer than any password, which therefore is nobody's.
    """
    # Looked at first: the normal form of a text may be many times as long.
    if len(text) > MAX_PASSWORD_LENGTH:
        return None
    password = unicodedata.normalize("NFKC", text)
    return password if len(password) <= MAX_PASSWORD_LENGTH else None


def _giveaways(email: str, name: str) -> set[str]:
    return {_plain(it) for it in (email, email.partition("@")[0], name)}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
