"""Links that let somebody in, once, who has no session: whoever holds the secret holds what the link gives.

What is kept of a secret is its digest. Looking at a link changes nothing; accepting it uses it up.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from keystead.domain.errors import InvalidInput
from keystead.domain.ids import LinkId, OrganizationId, UserId
from keystead.domain.keys import By
from keystead.domain.origins import make_origin
from keystead.domain.tenants import Role

MAX_RETURN_URL_LENGTH = 2_048

_WEB = frozenset({"http", "https"})


class LinkKind(StrEnum):
    """What accepting a link does."""

    SET_UP = "set-up"
    """Makes the first operator, with an organization of their own."""
    INVITATION = "invitation"
    """Makes somebody a member of an organization."""
    PASSWORD_RESET = "password-reset"
    """Gives a user another password, and ends their sessions."""
    EMAIL = "email"
    """Confirms an address: of somebody who signs up, or the new one of a user."""
    SIGN_IN = "sign-in"
    """Signs a user in whom the provider knows already."""


LIFETIMES = {
    LinkKind.SET_UP: timedelta(hours=1),
    LinkKind.INVITATION: timedelta(days=7),
    LinkKind.PASSWORD_RESET: timedelta(hours=1),
    LinkKind.EMAIL: timedelta(hours=24),
    LinkKind.SIGN_IN: timedelta(seconds=60),
}
"""How long a link can be accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that somebody was given. `expires_at` is the first instant of refusal.

    `user_id` is whom it lets in, None for somebody who has no account yet (then `email` says who is
    expected) or who signs in to it first. `organization_id` and `role` are an invitation's, `return_url` is
    where a provider who signed somebody in wants them back.
    """

    id: LinkId
    kind: LinkKind
    digest: bytes = field(repr=False)
    user_id: UserId | None = None
    email: str | None = None
    organization_id: OrganizationId | None = None
    role: Role | None = None
    return_url: str | None = None
    made_by: By
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether it can be accepted at `now`."""
        return self.used_at is None and now < self.expires_at


def make_return_url(text: str, allowed: Collection[str], *, field: str = "return_url") -> str:
    """An address that a provider wants somebody back at, as given.

    It must be one of `allowed` (see `make_allowed_return_url`), or below one of them. Raises InvalidInput.
    """
    parts = _web_address(text)
    if parts is None or not any(_is_below(parts, urlsplit(it)) for it in allowed):
        raise InvalidInput(
            field, "write an address that is on, or below, one of KEYSTEAD_RETURN_URLS", rule="return-url"
        )
    return text


def make_allowed_return_url(text: str, *, field: str) -> str:
    """An address below which return addresses may be: http or https, without query and fragment."""
    parts = _web_address(text)
    if parts is None or parts.query or parts.fragment:
        raise InvalidInput(
            field, "write addresses such as https://app.example.com/account", rule="return-urls"
        )
    return text.rstrip("/")


def _web_address(text: str) -> SplitResult | None:
    """The parts of a plain web address; None for what two readers could read differently."""
    if len(text) > MAX_RETURN_URL_LENGTH or not text.isascii() or not text.isprintable():
        return None
    # Browsers read `\\` as `/`, and step up at dots; servers may read a slash that was escaped: nothing may
    # lead off the list.
    if any(it in text for it in '\\ @<>"') or any(_leads_off(it) for it in _segments(text)):
        return None
    try:
        parts = urlsplit(text)
        make_origin(f"{parts.scheme}://{parts.netloc}", field="return_url")
    except (ValueError, InvalidInput):
        return None
    return parts if parts.scheme in _WEB and "*" not in parts.netloc else None


def _leads_off(segment: str) -> bool:
    return segment in {".", ".."} or "%2f" in segment or "%5c" in segment


def _segments(text: str) -> list[str]:
    path = text.partition("?")[0].partition("#")[0]
    return path.lower().replace("%2e", ".").split("/")


def _is_below(parts: SplitResult, root: SplitResult) -> bool:
    same = (parts.scheme, parts.netloc.lower()) == (root.scheme, root.netloc.lower())
    return same and (parts.path == root.path or parts.path.startswith(f"{root.path.rstrip('/')}/"))
