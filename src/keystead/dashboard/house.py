"""What an instance says of itself on every page."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from litestar.datastructures import Cookie

from keystead.domain.origins import canonical_origin

_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")


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

    @property
    def origins(self) -> frozenset[str]:
        """What a browser calls a page of ours. This machine has several names: each of them is as good."""
        parts = urlsplit(self.public_url)
        port = "" if parts.port is None else f":{parts.port}"
        host = parts.netloc.removesuffix(port)
        names = _THIS_MACHINE if host in _THIS_MACHINE else (host,)
        found = (canonical_origin(f"{parts.scheme}://{name}{port}") for name in names)
        return frozenset(it for it in found if it is not None)

    def cookie_name(self, name: str) -> str:
        """What a cookie of ours is called while it travels.

        By these prefixes (RFC 6265bis, 4.1.3) browsers take it over TLS only and, where it is for all of the
        host, from nobody else in our domain: a neighbour cannot plant a session that is not its owner's.
        """
        if not self.secure:
            return name
        return f"__Host-{name}" if self.cookie_path == "/" else f"__Secure-{name}"

    def cookie(self, name: str, value: str, *, lasts: timedelta | None = None) -> Cookie:
        """A cookie for our pages only, which no script reads; unless said, it ends with the browser.

        No time at all takes it away.
        """
        return Cookie(
            key=self.cookie_name(name),
            value=value,
            path=self.cookie_path,
            max_age=None if lasts is None else int(lasts.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )
