"""An entrance to nothing, for tests of pages that ask no service."""

import secrets
from types import SimpleNamespace
from typing import Any

from keystead.dashboard.door import Entrance
from keystead.domain.gcra import Rate
from keystead.domain.secrets import SECRET_ENTROPY_BYTES, make_secret
from keystead.ports.chance import Clock
from keystead.services.context import Seals
from keystead.services.throttle import Throttle


def bare_entrance(clock: Clock) -> Entrance:
    """An entrance that knows the time, can seal and makes secrets, and no more."""
    context: Any = SimpleNamespace(
        clock_ms=clock,
        seals=Seals(b"x" * 32),
        new_secret=lambda: make_secret(secrets.token_bytes(SECRET_ENTROPY_BYTES)),
    )
    return Entrance(context=context, throttle=Throttle(Rate(units=1, period_s=1, burst=1)))
