"""The way back to the provider who let somebody in with a link, for as long as that session lasts.

It is in a cookie, and after signing out in an address. Others can write both: what is read is judged like the
API's `return_url`, so it leads nowhere but on, or below, one of KEYSTEAD_RETURN_URLS.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection

from keystead.dashboard.cookies import PROVIDER
from keystead.dashboard.render import AnyRequest, find_cookie
from keystead.dashboard.viewer import Back
from keystead.domain.errors import InvalidInput
from keystead.domain.links import make_return_url

BACK_FIELD = "back"


def back_cookie(url: str) -> str:
    """The address as the value of the cookie, where `;`, `%` and the like would not survive."""
    return urlsafe_b64encode(url.encode()).decode().rstrip("=")


def find_back(request: AnyRequest, allowed: Collection[str]) -> Back | None:
    """Where the cookie says that the provider wants somebody back; None where none of `allowed` is."""
    cookie = find_cookie(request, PROVIDER)
    try:
        url = urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4)).decode("ascii")
    except ValueError:
        return None
    return make_back(url, allowed)


def make_back(url: str, allowed: Collection[str]) -> Back | None:
    """A way back to an address; None for one that is neither on nor below one of `allowed`."""
    try:
        return Back(make_return_url(url, allowed))
    except InvalidInput:
        return None
