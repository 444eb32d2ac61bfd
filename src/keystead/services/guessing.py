"""How often passwords may be tried and mails asked for: before anything is looked up or hashed.

Kept in this process, so that an instance with several workers lets as many times more through. What slows
guessing never binds a device that its owner signed in with before: it has an allowance of its own.
"""

import math
from datetime import datetime
from ipaddress import IPv6Address, ip_network

from keystead.domain.errors import TooManyAttempts
from keystead.domain.gcra import Rate, Refused
from keystead.domain.networks import parse_address
from keystead.services.throttle import Throttle

_MINUTE_S, _HOUR_S = 60, 3_600

ACCOUNT = Rate(units=60, period_s=_HOUR_S, burst=10)
"""Passwords for one account, whoever tries them."""

NETWORK = Rate(units=300, period_s=_HOUR_S, burst=50)
"""Passwords from one network, for whichever accounts."""

DEVICE = Rate(units=5, period_s=_MINUTE_S, burst=10)
"""Passwords from a device, or in a session, that was let in before."""

RECIPIENT = Rate(units=3, period_s=_HOUR_S, burst=3)
"""Mails to one address."""

SENDER = Rate(units=60, period_s=_HOUR_S, burst=20)
"""Mails that one network, or one organization, asks for."""

_IPV6_PREFIX = 64
"""What one customer of an access provider has at least."""


class Guessing:
    """The allowances of one process."""

    def __init__(self) -> None:
        self._accounts = Throttle(ACCOUNT)
        self._networks = Throttle(NETWORK)
        self._devices = Throttle(DEVICE)
        self._recipients = Throttle(RECIPIENT)
        self._senders = Throttle(SENDER)

    def try_password(self, account: str, address: str | None, now: datetime) -> None:
        """Take one attempt of whoever is not known yet. Raises TooManyAttempts.

        `account` is what was typed, whether or not there is one: so a refusal tells nothing.
        """
        _take(self._networks, network_of(address), now)
        _take(self._accounts, account, now)

    def try_known(self, who: str, now: datetime) -> None:
        """Take one attempt of a device or a session that was let in before. Raises TooManyAttempts."""
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


def _take(throttle: Throttle, who: str, now: datetime) -> None:
    taken = throttle.take(who, now)
    if isinstance(taken, Refused):
        raise TooManyAttempts(max(1, math.ceil(taken.retry_after_us / 1_000_000)))
