"""Ids: `org_ app_ usr_ key_ ver_ …` and 22 base62 characters, random, never reused."""

import re
from enum import StrEnum
from typing import NewType

from keystead.domain.base62 import base62

OrganizationId = NewType("OrganizationId", str)
AppId = NewType("AppId", str)
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
VersionId = NewType("VersionId", str)

ID_ENTROPY_BYTES = 16
"""Bytes of chance in an id: 128 bits fit in 22 base62 characters."""


class IdKind(StrEnum):
    """The prefix of an id says what it names."""

    ORGANIZATION = "org"
    APP = "app"
    USER = "usr"
    KEY = "key"
    VERSION = "ver"
    AUDIT = "aud"
    REQUEST = "req"


_SHAPES = {kind: re.compile(rf"{kind}_[0-9A-Za-z]{{22}}") for kind in IdKind}


def make_id(kind: IdKind, entropy: bytes) -> str:
    """An id of `kind` from `ID_ENTROPY_BYTES` random bytes."""
    return f"{kind}_{base62(int.from_bytes(entropy), 22)}"


def is_id(kind: IdKind, text: str) -> bool:
    """Whether `text` has the shape of an id of `kind`; says nothing about whether it exists."""
    return _SHAPES[kind].fullmatch(text) is not None
