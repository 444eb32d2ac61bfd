"""A toast survives the redirect after a form in a cookie of its own, which the next page takes away."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

COOKIE = "keystead-toast"
MAX_AGE = timedelta(minutes=1)
_MAX_VALUE = 120
_MAX_COOKIE = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Toast:
    """A message by its id and what is filled in; never a secret: it goes through a cookie."""

    message_id: str
    values: Mapping[str, str] = field(default_factory=dict)


def encode(toast: Toast) -> str:
    """A toast as the value of a cookie; long values are cut."""
    values = {name: value[:_MAX_VALUE] for name, value in toast.values.items()}
    return urlsafe_b64encode(msgspec.json.encode((toast.message_id, values))).decode().rstrip("=")


def decode(cookie: str) -> Toast | None:
    """The toast of a cookie, or None for what we did not write."""
    if not cookie or len(cookie) > _MAX_COOKIE:
        return None
    try:
        raw = urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
        message_id, values = msgspec.json.decode(raw, type=tuple[str, dict[str, str]])
    except (ValueError, msgspec.DecodeError):
        return None
    return Toast(message_id=message_id, values=values)
