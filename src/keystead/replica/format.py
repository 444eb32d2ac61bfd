"""What stands in a replica's file, byte by byte.

Compatibility law: `FORMAT` stands in the names of the files. What a stored byte means never changes within a
format; a program with another format keeps files of its own beside these and touches none of them. A replica
can always be made again from the primary, so there are no readers for old formats.

Every value begins with the CRC-32 (zlib's) of the rest of it: what does not agree is not trusted. A file
without `FACT_APPLIED` was never finished.

| database | key | value behind the checksum |
| --- | --- | --- |
| records | digest | ids (33 bytes), flags, policy number, two instants if flagged, name, metadata |
| policies | number, 4 bytes | `Rules` as MessagePack; a number is never used for other rules |
| numbers | 16 bytes of SHA-256 of rules as the primary stores them | their number, 4 bytes |
| tenants | id | `Tenant` as JSON: the integers in metadata have no bound |
| roles | `org_…/usr_…` | the role's word |
| history | epoch, 8 bytes | its mark |
| paused | id of a key or tenant that is paused | the newest epoch that may have paused it, 8 bytes |
| refusals | `kind/id` | a local `Refusal` as MessagePack |
| facts | name | see `FACT_…` |
"""

import struct
import zlib
from typing import TypeVar

import msgspec

from keystead.domain.errors import Unavailable
from keystead.domain.ids import unpack_ids
from keystead.domain.instants import NEVER
from keystead.domain.policy import Rules, Tenant
from keystead.ports.replica import Point, Refusal, VersionRow

FORMAT = 1

RECORDS, POLICIES, NUMBERS, TENANTS, ROLES, HISTORY, PAUSED, REFUSALS, FACTS = DATABASES = (
    b"records",
    b"policies",
    b"numbers",
    b"tenants",
    b"roles",
    b"history",
    b"paused",
    b"refusals",
    b"facts",
)

FACT_APPLIED = b"applied"
"""The newest point applied: 8 bytes of epoch, then its mark. Written in the transaction that applies it."""

FACT_TENANTS = b"tenants"
"""8 bytes that grow whenever an existing tenant or role changes: policies compiled before are outdated."""

FACT_NEXT_POLICY = b"next-policy"
"""The number, 4 bytes, that the next new rules get."""

FACT_UNREADABLE = b"unreadable"
"""The version of the program that last met rules that it does not know: another one reads them all anew."""

UNREADABLE = 0
"""The policy number of rules that this version does not know: such a key is refused."""

REVOKED, DISABLED, TIMED, ENDED = 1, 2, 4, 8

NUMBER = struct.Struct(">I")
EPOCH = struct.Struct(">Q")
HEAD = struct.Struct("<I33sBI")
TIMES = struct.Struct("<QQ")

ABOUT = HEAD.size
"""Where the name and metadata of a record begin that is not flagged TIMED."""

T = TypeVar("T")

_CHECKSUM = struct.Struct("<I")
_BODY = struct.Struct("<33sBI")
_RULES: msgspec.msgpack.Decoder[Rules] = msgspec.msgpack.Decoder(Rules)
_TENANT: msgspec.json.Decoder[Tenant] = msgspec.json.Decoder(Tenant)
_REFUSAL: msgspec.msgpack.Decoder[Refusal] = msgspec.msgpack.Decoder(Refusal)
_ENCODER = msgspec.msgpack.Encoder()


class Damaged(Unavailable):
    """Something in the replica's file is not as it was written."""

    def __init__(self) -> None:
        super().__init__("replica")


def seal(body: bytes) -> bytes:
    """`body` behind its checksum."""
    return _CHECKSUM.pack(zlib.crc32(body)) + body


def unseal(value: bytes | None) -> bytes:
    """What stands behind the checksum. Raises Damaged when they do not agree, or there is nothing."""
    if value is None or len(value) < _CHECKSUM.size:
        raise Damaged
    body = value[_CHECKSUM.size :]
    if _CHECKSUM.unpack_from(value)[0] != zlib.crc32(body):
        raise Damaged
    return body


def encode_record(row: VersionRow, policy_number: int, ids: bytes) -> bytes:
    """The record of a version; `ids` are packed."""
    flags = (REVOKED if row.revoked else 0) | (DISABLED if row.disabled else 0)
    times = b""
    if row.expires_at_ms != NEVER or row.retires_at_ms != NEVER:
        flags |= TIMED | (ENDED if row.ended else 0)
        times = TIMES.pack(row.expires_at_ms, row.retires_at_ms)
    return seal(_BODY.pack(ids, flags, policy_number) + times + row.about)


def decode_times(flags: int, value: bytes) -> tuple[int, int, bytes]:
    """When the key expires and the version retires, in milliseconds, and a record's name and metadata."""
    if not flags & TIMED:
        return NEVER, NEVER, value[ABOUT:]
    expires_at_ms, retires_at_ms = TIMES.unpack_from(value, ABOUT)
    return expires_at_ms, retires_at_ms, value[ABOUT + TIMES.size :]


def decode_record(digest: bytes, value: bytes | None) -> tuple[VersionRow, int]:
    """The version of a record, without its rules, and its policy's number. Raises Damaged."""
    body = unseal(value)
    if value is None or len(body) < _BODY.size:
        raise Damaged
    ids, flags, number = _BODY.unpack_from(body)
    expires_at_ms, retires_at_ms, about = decode_times(flags, value)
    key_id, version_id = unpack_ids(ids)
    row = VersionRow(
        digest=digest,
        key_id=key_id,
        version_id=version_id,
        revoked=flags & REVOKED != 0,
        disabled=flags & DISABLED != 0,
        expires_at_ms=expires_at_ms,
        retires_at_ms=retires_at_ms,
        about=about,
        rules=(),
        ended=flags & ENDED != 0,
    )
    return row, number


def encode_rules(rules: Rules) -> bytes:
    """Rules, sealed."""
    return seal(_ENCODER.encode(rules))


def decode_rules(value: bytes | None) -> Rules:
    """Rules. Raises Damaged."""
    return _decoded(_RULES, value)


def encode_tenant(tenant: Tenant) -> bytes:
    """A tenant, sealed."""
    return seal(msgspec.json.encode(tenant))


def decode_tenant(value: bytes | None) -> Tenant:
    """A tenant. Raises Damaged."""
    return _decoded(_TENANT, value)


def encode_refusal(refusal: Refusal) -> bytes:
    """A refusal, sealed."""
    return seal(_ENCODER.encode(refusal))


def decode_refusal(value: bytes | None) -> Refusal:
    """A refusal. Raises Damaged."""
    return _decoded(_REFUSAL, value)


def encode_point(point: Point) -> bytes:
    """A point of history, sealed."""
    return seal(EPOCH.pack(point.epoch) + point.mark)


def decode_point(value: bytes | None) -> Point:
    """A point of history. Raises Damaged."""
    body = unseal(value)
    if len(body) < EPOCH.size:
        raise Damaged
    return Point(EPOCH.unpack_from(body)[0], body[EPOCH.size :])


def encode_number(number: int) -> bytes:
    """A policy's number, sealed."""
    return seal(NUMBER.pack(number))


def decode_number(value: bytes | None) -> int:
    """A policy's number. Raises Damaged."""
    return _unpacked(NUMBER, value)


def encode_epoch(epoch: int) -> bytes:
    """An epoch, sealed."""
    return seal(EPOCH.pack(epoch))


def decode_epoch(value: bytes | None) -> int:
    """An epoch. Raises Damaged."""
    return _unpacked(EPOCH, value)


def _unpacked(layout: struct.Struct, value: bytes | None) -> int:
    body = unseal(value)
    if len(body) != layout.size:
        raise Damaged
    found: int = layout.unpack(body)[0]
    return found


def _decoded(decoder: "msgspec.msgpack.Decoder[T] | msgspec.json.Decoder[T]", value: bytes | None) -> T:
    try:
        return decoder.decode(unseal(value))
    except msgspec.DecodeError:
        raise Damaged from None
