"""Which paths a listener serves: with an internal one, the public one lacks what proxies and services ask."""

import re
from enum import StrEnum

_SLASHES = re.compile(r"/{2,}")
_INTERNAL = frozenset({"/api/v1/verify", "/metrics"})
_BOTH = frozenset({"/healthz", "/readyz"})


class Surface(StrEnum):
    """What a listener is for; `all` where there is only one."""

    ALL = "all"
    PUBLIC = "public"
    INTERNAL = "internal"


def serves(surface: Surface, path: str) -> bool:
    """Whether `path`, percent-decoded, is there on a surface; where it is not, the answer is 404.

    Slashes too many change nothing, as in the framework's routing: `//metrics/` is `/metrics`.
    """
    plain = _SLASHES.sub("/", f"/{path.strip('/')}")
    if surface is Surface.ALL or plain in _BOTH:
        return True
    is_internal = plain in _INTERNAL or plain == "/auth" or plain.startswith("/auth/")
    return is_internal == (surface is Surface.INTERNAL)
