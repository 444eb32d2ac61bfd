"""Names, notes and ids that people give us: what they may hold, and clear words when they may not."""

import re
import unicodedata
from collections.abc import Mapping

from keystead.domain.errors import InvalidInput

MAX_NAME_LENGTH = 100
MAX_NOTE_LENGTH = 500
MAX_NOTES_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 32

_EXTERNAL_ID = re.compile(r"[\x21-\x7e]{1,128}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
_LABEL_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def make_name(text: str, *, field: str = "name") -> str:
    """A name for people to read: 1 to 100 printable characters, spaces at both ends removed.

    Controls, line breaks and invisible formatting (which can make one name look like another) are refused.
    """
    name = text.strip(" ")
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        problem = f"write 1 to {MAX_NAME_LENGTH} characters, not only spaces"
        raise InvalidInput(field, problem, rule="name-length", most=MAX_NAME_LENGTH)
    _require_printable(name, field)
    return name


def make_external_id(text: str, *, field: str = "external_id") -> str:
    r"""The provider's own id: 1 to 128 of `[\x21-\x7e]`, and not `-` (which stands for none)."""
    if not _EXTERNAL_ID.fullmatch(text) or text == "-":
        problem = "write 1 to 128 visible ASCII characters without spaces, and not just '-'"
        raise InvalidInput(field, problem, rule="external-id")
    return text


def make_email(text: str, *, field: str = "email") -> str:
    """An e-mail address in lower case. Its rough shape is judged: whether it exists, only a mail can tell."""
    email = text.strip(" ").lower()
    if not _EMAIL.fullmatch(email):
        raise InvalidInput(field, "write an e-mail address such as ada@example.com", rule="email")
    _require_printable(email, field)
    return email


def make_language(text: str, *, field: str = "language") -> str:
    """The tag of a language, such as `en` or `pt-BR`; whether there are texts in it, the dashboard knows."""
    if not _LANGUAGE.fullmatch(text):
        raise InvalidInput(field, "write the tag of a language, such as en or pt-BR", rule="language")
    return text


def make_time_zone(text: str, *, field: str = "time_zone") -> str:
    """The name of a time zone, such as `Europe/Berlin`; whether there is one, its data must tell."""
    if not _TIME_ZONE.fullmatch(text):
        problem = "write the name of a time zone, such as Europe/Berlin"
        raise InvalidInput(field, problem, rule="time-zone")
    return text


def make_labels(items: Mapping[str, str], *, size_bytes: int, field: str = "labels") -> dict[str, str]:
    """The customer's notes: printable text by short names; `size_bytes` as JSON, 16 KiB at most."""
    _require_size(size_bytes, field)
    for name, value in items.items():
        _require_printable(value, f"{field}.{make_label_name(name, field=field)}")
    return dict(items)


def make_label_name(text: str, *, field: str) -> str:
    """The name of a label: 1 to 64 letters, digits and `_ . / -`."""
    if not _LABEL_NAME.fullmatch(text):
        problem = "write label names of 1 to 64 letters, digits and _ . / -"
        raise InvalidInput(field, problem, rule="label-name", name=text)
    return text


def make_metadata(
    items: Mapping[str, object], *, size_bytes: int, field: str = "metadata"
) -> dict[str, object]:
    """The provider's facts: any JSON object of at most 16 KiB, nested 32 deep at most."""
    _require_size(size_bytes, field)
    _require_shallow(items, field)
    return dict(items)


def make_note(text: str, *, field: str) -> str:
    """A sentence for people: up to 500 printable characters."""
    if len(text) > MAX_NOTE_LENGTH:
        raise InvalidInput(
            field, f"write at most {MAX_NOTE_LENGTH} characters", rule="note-length", most=MAX_NOTE_LENGTH
        )
    _require_printable(text, field)
    return text


def make_filter(text: str, *, field: str) -> str:
    """A text to search for: printable, at most 200 characters."""
    if not 1 <= len(text) <= 2 * MAX_NAME_LENGTH:
        most = 2 * MAX_NAME_LENGTH
        raise InvalidInput(field, f"write 1 to {most} characters", rule="filter-length", most=most)
    _require_printable(text, field)
    return text


def _require_size(size_bytes: int, field: str) -> None:
    if size_bytes > MAX_NOTES_BYTES:
        problem = f"is {size_bytes} bytes as JSON; keep it to {MAX_NOTES_BYTES}"
        raise InvalidInput(field, problem, rule="notes-size", size=size_bytes, most=MAX_NOTES_BYTES)


def _require_shallow(items: Mapping[str, object], field: str) -> None:
    # What nests nearly as deep as a reader's stack allows could be written, and never be read again.
    level: list[object] = [items]
    for _ in range(MAX_METADATA_DEPTH):
        level = [inner for outer in level for inner in _nested(outer)]
    if level:
        problem = f"nests more than {MAX_METADATA_DEPTH} deep; make it flatter"
        raise InvalidInput(field, problem, rule="metadata-depth", most=MAX_METADATA_DEPTH)


def _nested(value: object) -> list[object]:
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return [it for it in inside if isinstance(it, Mapping | list)]


def _require_printable(text: str, field: str) -> None:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        problem = "remove control characters, line breaks and invisible characters"
        raise InvalidInput(field, problem, rule="unprintable")
