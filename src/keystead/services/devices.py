"""Devices that somebody signed in with before: known by a cookie that only we can make.

It names no session and opens nothing; it only keeps others' guessing from slowing its owner down. It ends
with the password that it was given for.
"""

from keystead.domain.base62 import base62
from keystead.domain.tenants import User
from keystead.services.context import Context

_NONCE_BYTES = 16
_NONCE_LENGTH = 22
_PURPOSE = "device"


def device_cookie(context: Context, user: User) -> str:
    """What a browser keeps, to be known as a device of this user's."""
    nonce = base62(int.from_bytes(context.entropy(_NONCE_BYTES)), _NONCE_LENGTH)
    return f"{nonce}.{context.seals.seal(_PURPOSE, _message(nonce, user)).hex()}"


def known_device(context: Context, user: User, cookie: str | None) -> str | None:
    """The name of the device whose cookie it is, if it was given to this user; else None."""
    nonce, _, seal = (cookie or "").partition(".")
    try:
        given = bytes.fromhex(seal)
    except ValueError:
        return None
    return nonce if context.seals.matches(given, _PURPOSE, _message(nonce, user)) else None


def _message(nonce: str, user: User) -> bytes:
    return "\n".join((nonce, user.id, user.password or "")).encode()
