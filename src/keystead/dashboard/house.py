"""What an instance says of itself on every page."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from litestar.datastructures import Cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Names and links of the instance; None: there is no such place, and pages leave it out.

    `public_url` is the only source for links that leave the page, for the path of cookies and for `Secure`;
    inside a page all addresses are relative.
    """

    product_name: str = "Keystead"
    support_url: str | None = None
    docs_url: str | None = None
    public_url: str = "http://localhost:8420"

    @property
    def cookie_path(self) -> str:
        """The path under which the pages are, for cookies; it ends in a slash."""
        return urlsplit(self.public_url).path.rstrip("/") + "/"

    @property
    def secure(self) -> bool:
        """Whether cookies may travel over TLS only."""
        return urlsplit(self.public_url).scheme == "https"

    def cookie(self, name: str, value: str, *, lasts: timedelta | None = None) -> Cookie:
        """A cookie for our pages only, which no script reads; unless said, it ends with the browser.

        No time at all takes it away.
        """
        return Cookie(
            key=name,
            value=value,
            path=self.cookie_path,
            max_age=None if lasts is None else int(lasts.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )
