"""How often passwords may be tried and mails asked for: before anything is looked up or hashed.

What is taken is shared by all workers of a node; an instance with several nodes lets as many times more
through. What slows guessing never binds a device that its owner signed in with before: it has an allowance of
its own.
"""

import math
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_network

from keystead.domain.errors import TooManyAttempts
from keystead.domain.gcra import Rate, Refused
from keystead.domain.networks import parse_address
from keystead.ports.people import Throttling
from keystead.services.throttle import Throttle

_HOUR_S = 3_600

ACCOUNT = Rate(units=60, period_s=_HOUR_S, burst=10)
"""Passwords for one account, whoever tries them."""

NETWORK = Rate(units=300, period_s=_HOUR_S, burst=50)
"""Passwords from one network, for whichever accounts."""

DEVICE = Rate(units=60, period_s=_HOUR_S, burst=10)
"""Passwords from a device, in a session that was let in before, or from whoever holds a link."""

RECIPIENT = Rate(units=3, period_s=_HOUR_S, burst=3)
"""Mails to one address."""

SENDER = Rate(units=60, period_s=_HOUR_S, burst=20)
"""Mails that one network, or one organization, asks for."""

_IPV6_PREFIX = 64
"""What one customer of an access provider has at least."""


def _own(_: str, rate: Rate) -> Throttling:
    return Throttle(rate)


class Guessing:
    """All allowances; `throttle` makes those for something at a rate, unless said for this process alone."""

    def __init__(self, throttle: Callable[[str, Rate], Throttling] = _own) -> None:
        self._accounts = throttle("account", ACCOUNT)
        self._networks = throttle("network", NETWORK)
        self._devices = throttle("device", DEVICE)
        self._recipients = throttle("recipient", RECIPIENT)
        self._senders = throttle("sender", SENDER)

    def try_password(self, account: str, address: str | None, now: datetime) -> None:
        """Take one attempt of whoever is not known yet. Raises TooManyAttempts.

        `account` is what was typed, whether or not there is one: so a refusal tells nothing.
        """
        _take(self._networks, network_of(address), now)
        _take(self._accounts, account, now)

    def try_known(self, who: str, now: datetime) -> None:
        """Take one attempt of a device, a session or a link that somebody has. Raises TooManyAttempts."""
        _take(self._devices, who, now)

    def try_mail(self, to: str, sender: str, now: datetime) -> None:
        """Take one mail. Raises TooManyAttempts."""
        _take(self._senders, sender, now)
        _take(self._recipients, to, now)


def network_of(address: str | None) -> str:
    """The network that an address counts for: itself, or the first 64 bits of an IPv6 one."""
    found = None if address is None else parse_address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_PREFIX), strict=False))
    return "-" if found is None else str(found)


def _take(throttle: Throttling, who: str, now: datetime) -> None:
    taken = throttle.take(who, now)
    if isinstance(taken, Refused):
        raise TooManyAttempts(max(1, math.ceil(taken.retry_after_us / 1_000_000)))
