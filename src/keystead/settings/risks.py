"""What a server does not start with, and what it warns of."""

from ipaddress import ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from keystead.domain.errors import InvalidInput, Misconfigured
from keystead.domain.networks import parse_address
from keystead.domain.passwords import make_password
from keystead.settings import Settings
from keystead.settings.parsing import SignUp

WIDEST_PROXIES = {4: 16, 6: 48}
"""The shortest prefix, by IP version, that a network of trusted proxies may have without a warning."""


class Risk(NamedTuple):
    """What may be meant, yet should not stay unnoticed."""

    setting: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.setting} {self.problem}. {self.fix}."


def require_startable(settings: Settings) -> None:
    """Raise Misconfigured when a server with these settings would show tokens to the network.

    Likewise for a setting that needs another, and for an operator's password that will not do.
    """
    _require_together(settings)
    _require_admin(settings)
    https = (settings.public_url or "").startswith("https://")
    reached = next((host for host in _hosts(settings) if not is_loopback(host)), None)
    if not (reached is None or https or settings.insecure):
        raise Misconfigured(
            "KEYSTEAD_PUBLIC_URL",
            f"other machines can reach {reached}: set this to the https address of the proxy in front, "
            "such as https://keys.example.com, or listen on 127.0.0.1 "
            "(KEYSTEAD_HOST, KEYSTEAD_INTERNAL_LISTEN). To try it without TLS, set KEYSTEAD_INSECURE=1",
        )


def _require_together(settings: Settings) -> None:
    opened = settings.signup is SignUp.OPEN
    needs = [
        ("KEYSTEAD_ADMIN_EMAIL", settings.admin_email, "KEYSTEAD_ADMIN_PASSWORD", settings.admin_password),
        ("KEYSTEAD_ADMIN_PASSWORD", settings.admin_password, "KEYSTEAD_ADMIN_EMAIL", settings.admin_email),
        ("KEYSTEAD_MAIL_FROM", settings.mail_from, "KEYSTEAD_SMTP_URL", settings.smtp_url),
        ("KEYSTEAD_SIGNUP=open", opened or None, "KEYSTEAD_SMTP_URL", settings.smtp_url),
    ]
    for name, value, needed, other in needs:
        if value is not None and other is None:
            raise Misconfigured(needed, f"is unset, and {name} needs it: set both, or neither")


def _require_admin(settings: Settings) -> None:
    email, password = settings.admin_email, settings.admin_password
    if email is None or password is None:
        return
    try:
        make_password(password, email=email, name=email.partition("@")[0])
    except InvalidInput as exc:
        raise Misconfigured("KEYSTEAD_ADMIN_PASSWORD", exc.problem) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`; a name other than localhost could be anything."""
    address = parse_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def risky(settings: Settings) -> list[Risk]:
    """What `serve` and `doctor` warn of."""
    wide = [network for network in settings.trusted_proxies if _is_wide(network)]
    risks = {
        Risk(
            "KEYSTEAD_INSECURE",
            "is on: tokens may cross the network in clear",
            "Put a proxy with TLS in front, set KEYSTEAD_PUBLIC_URL to its https address and unset this",
        ): settings.insecure,
        Risk(
            "KEYSTEAD_PUBLIC_URL",
            "is http: tokens cross the network in clear",
            "Put a proxy with TLS in front and write its https address",
        ): _is_clear(settings.public_url),
        Risk(
            "KEYSTEAD_INTERNAL_LISTEN",
            "is unset: whoever reaches the public URL also reaches /auth, verify and /metrics",
            "Set it to where only proxies and services of yours come, such as 127.0.0.1:8421 or "
            "unix:/run/keystead/internal.sock",
        ): settings.public_url is not None and settings.internal_listen is None,
        Risk(
            "KEYSTEAD_INTERNAL_LISTEN",
            "is off loopback and without TLS: tokens and verdicts cross that network in clear",
            "Listen on 127.0.0.1 or a Unix socket, or see to it that nobody else is on that network",
        ): not all(map(is_loopback, _hosts(settings)[1:])),
        Risk(
            "KEYSTEAD_TRUSTED_PROXIES",
            f"holds {', '.join(wide)}: any client in there can claim any address",
            "Name only the proxies themselves, such as 10.0.3.7",
        ): bool(wide),
        Risk(
            "KEYSTEAD_ROOT_KEY",
            "pins a root key with every scope: whoever reads this process's environment has it",
            "Make another with `keystead root-key create`, revoke this one and unset it",
        ): settings.root_key is not None,
        Risk(
            "KEYSTEAD_ADMIN_PASSWORD",
            "is an operator's: whoever reads this process's environment has it, until it is changed",
            "Sign in, change it in My profile, and unset this",
        ): settings.admin_password is not None,
    }
    return [risk for risk, present in risks.items() if present]


def _hosts(settings: Settings) -> list[str]:
    """Where we listen, ports left out; a Unix socket is reached from this machine only."""
    listen = settings.internal_listen
    if listen is None or listen.startswith("unix:"):
        return [settings.host]
    return [settings.host, listen.rpartition(":")[0].strip("[]")]


def _is_wide(text: str) -> bool:
    network = ip_network(text)
    return not network.is_loopback and network.prefixlen < WIDEST_PROXIES[network.version]


def _is_clear(public_url: str | None) -> bool:
    parts = urlsplit(public_url or "")
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
