"""Ids: `org_ app_ usr_ key_ ver_ …` and 22 base62 characters, random, never reused."""

import re
from binascii import a2b_base64, b2a_base64
from enum import StrEnum
from typing import NewType

from keystead.domain.base62 import base62

OrganizationId = NewType("OrganizationId", str)
AppId = NewType("AppId", str)
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
VersionId = NewType("VersionId", str)
NodeId = NewType("NodeId", str)
SessionId = NewType("SessionId", str)
LinkId = NewType("LinkId", str)

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
    NODE = "nod"
    SESSION = "ses"
    LINK = "lnk"


_SHAPES = {kind: re.compile(rf"{kind}_[0-9A-Za-z]{{22}}") for kind in IdKind}


def make_id(kind: IdKind, entropy: bytes) -> str:
    """An id of `kind` from `ID_ENTROPY_BYTES` random bytes."""
    return f"{kind}_{base62(int.from_bytes(entropy), 22)}"


def is_id(kind: IdKind, text: str) -> bool:
    """Whether `text` has the shape of an id of `kind`; says nothing about whether it exists."""
    return _SHAPES[kind].fullmatch(text) is not None


PACKED_IDS_BYTES = 33
_PACKED = re.compile(rb"[0-9A-Za-z]{44}")


def pack_ids(key_id: str, version_id: str) -> bytes:
    """A key's id and a version's in 33 bytes: their 44 characters, six bits each."""
    letters = (key_id[4:] + version_id[4:]).encode()
    if not _PACKED.fullmatch(letters):
        raise AssertionError("ids that are not of our form")
    return a2b_base64(letters)


def unpack_ids(packed: bytes) -> tuple[KeyId, VersionId]:
    """The key's id and the version's out of `pack_ids`."""
    letters = b2a_base64(packed, newline=False).decode()
    return KeyId(f"key_{letters[:22]}"), VersionId(f"ver_{letters[22:]}")


def key_id_bytes(packed: bytes) -> bytes:
    """The key's id out of `pack_ids`, in ASCII."""
    return b"key_" + b2a_base64(packed, newline=False)[:22]
