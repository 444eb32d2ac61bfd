"""A site on which every page has something to show, with names that tests choose."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from litestar.routes import HTTPRoute

from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Operator
from keystead.domain.secrets import Secret
from keystead.domain.tenants import Role, User
from keystead.services.context import Actor, Context
from keystead.services.drafts import NewInvitation, NewSignInLink
from keystead.services.links import (
    LINK_PATH,
    link_url,
    make_invitation,
    make_password_reset,
    make_sign_in_link,
)
from tests.dashboard.site import Browser, Site

OPERATOR = Actor(principal=Operator())
RETURN_URL = "https://app.example.com/account"
ALL_WAYS = {"sign_up_open": True, "return_urls": (RETURN_URL,)}
"""What `opened_site` is given where every way to come in is to be open."""

_LINK = re.compile(r"/link\?secret=\w+")
_DAY_S = 86_400


@dataclass(frozen=True, kw_only=True)
class Names:
    """What people have typed, wherever they may type something."""

    organization: str = "Nordwind Logistics"
    app: str = "Storefront"
    key: str = "Nightly export"
    user: str = "Ada Lovelace"
    guest: str = "Grace Hopper"
    scope: str = "Read what customers have ordered"
    label: str = "billing"
    pattern: str = "orders/"
    agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    labels: Mapping[str, str] = field(default_factory=lambda: {"team": "billing", "stage": "two"})

    @property
    def typed(self) -> tuple[str, ...]:
        """All of them."""
        return (self.organization, self.app, self.key, self.user, self.guest, self.scope)


HOSTILE = Names(
    organization="<script>alert(1)</script>",
    app='"><img src=x onerror=alert(2)>',
    key="<u>{{7*7}}</u> </script><script>alert(3)</script>",
    user="javascript:alert(4)",
    guest="'\"><svg onload=alert(5)>",
    scope="=1+1<script>alert(6)</script>",
    pattern="a'b\"c",
    agent="<script>alert(7)</script>",
    labels={"team": "<script>alert(8)</script>", "stage": '=2+2"><img src=x onerror=alert(9)>'},
)
"""What somebody types who wants more than a name."""


@dataclass(frozen=True, kw_only=True)
class Rich:
    """Such a site; `browser` is an operator's who also owns the organization.

    `values` fills the parameters of addresses; `links` are paths by what they do.
    """

    site: Site
    names: Names
    user: User
    browser: Browser
    values: Mapping[str, str]
    links: Mapping[str, str]
    empty_app: str
    keys: Mapping[str, str]

    def path(self, route: str) -> str:
        """The address of a route such as `/apps/{app_id:str}`, of something that is there."""
        for name, value in self.values.items():
            route = route.replace(f"{{{name}}}", value)
        assert "{" not in route, f"say in tests/dashboard/rich.py what stands in {route}"
        return route


def routes(site: Site, method: str) -> Iterator[str]:
    """The path of every route that answers to a method, as the app itself has them."""
    for route in site.pages.routes:
        if isinstance(route, HTTPRoute) and method in route.methods:
            yield route.path_format


def path_of(secret: Secret | None, context: Context) -> str:
    """Where a link leads, without the host."""
    assert secret is not None
    return f"{LINK_PATH}?{urlsplit(link_url(context, secret)).query}"


async def enrich(site: Site, names: Names | None = None) -> Rich:
    """Fill a site."""
    names = names or Names()
    user = await _member(site, names.user, "owner", operator=True)
    guest = await _member(site, names.guest, "developer")
    await _rename(site, names)
    keys = await _keys(site, names)
    values = {
        "organization_id": site.organization["id"],
        "app_id": site.app["id"],
        "user_id": guest.id,
        "name": "orders:read",
        **keys["rolled"],
    }
    empty = await site.world.app(site.organization, name=f"{names.app} 2", environment="test")
    suspended = await site.world.app(site.organization, name=f"{names.app} 3")
    await site.world.made("PATCH", f"apps/{suspended['id']}", {"disabled": True})
    other = await site.world.organization(name=f"{names.organization} 2")
    await site.world.made("PATCH", f"organizations/{other['id']}", {"disabled": True})
    await site.signed_in(user, agent=names.agent)
    browser = await site.signed_in(user, agent=names.agent)
    links, link_id = await _links(site, user, guest)
    [session, *_] = await _sessions(site, user)
    return Rich(
        site=site,
        names=names,
        user=user,
        browser=browser,
        values={**values, "link_id": link_id, "session_id": session, "status": "404"},
        links=links,
        empty_app=empty["id"],
        keys={kind: it["key_id"] for kind, it in keys.items()},
    )


async def _member(site: Site, name: str, role: str, **changes: object) -> User:
    """A new member of the site's organization with a name as it was typed."""
    user = await site.user(**changes)
    await site.join(user, role)
    await site.world.made("PATCH", f"users/{user.id}", {"name": name})
    return user


async def _rename(site: Site, names: Names) -> None:
    scope = {"description": names.scope, "customer_grantable": True}
    await site.world.made("POST", "scopes", {"name": "orders:read", **scope})
    await site.world.made("POST", "scopes", {"name": "orders:write", "customer_grantable": False})
    organization, app = f"organizations/{site.organization['id']}", f"apps/{site.app['id']}"
    await site.world.made("PATCH", organization, {"name": names.organization, "external_id": "cus_42"})
    ceiling = {"max_lifetime_s": 365 * _DAY_S, "public_methods": ["GET", "HEAD"]}
    await site.world.made("PATCH", organization, {"ceiling": ceiling})
    await site.world.made(
        "PATCH",
        app,
        {"name": names.app, "allowed_origins": ["https://shop.example", "https://*.shop.example"]},
    )


async def _keys(site: Site, names: Names) -> dict[str, dict[str, str]]:
    """Keys in every state, by it; `rolled` has everything that a key may have."""
    world = site.world
    rules = [
        {"type": "prefix", "pattern": names.pattern, "methods": ["GET", "POST"]},
        {"type": "regex", "pattern": "reports/[0-9]+", "methods": []},
        {"type": "verb", "methods": ["HEAD"]},
    ]
    full = {
        "constraints": rules,
        "allowed_networks": ["203.0.113.0/24", "2001:db8::/32"],
        "allowed_origins": ["https://shop.example"],
        "scopes": ["orders:read"],
        "labels": dict(names.labels),
        "expires_in": 5 * _DAY_S,
    }
    wanted: dict[str, dict[str, object]] = {
        "rolled": full,
        "plain": {},
        "public": {"type": "public", "constraints": rules[:1]},
        "expired": {"expires_in": 1},
        "disabled": {},
        "revoked": {},
        "long": {"name": (f"{names.key} " * 10)[:100].strip()},
    }
    made = {kind: await world.key(site.app, **{"name": names.key, **it}) for kind, it in wanted.items()}
    site.clock.advance(hours=3)
    await _use(site, names, [made[kind]["token"] for kind in ("rolled", "plain", "public")])
    site.clock.advance(minutes=3)
    await world.made("POST", f"keys/{made['rolled']['id']}/rotate", {"grace_s": _DAY_S})
    await world.made("POST", f"keys/{made['disabled']['id']}/disable")
    await world.made("DELETE", f"keys/{made['revoked']['id']}")
    versions = (await world.made("GET", f"keys/{made['rolled']['id']}"))["versions"]
    old = next(it["id"] for it in versions if it["retires_at"])
    return {kind: {"key_id": it["id"], "version_id": old} for kind, it in made.items()}


async def _use(site: Site, names: Names, tokens: Sequence[str]) -> None:
    """Have keys accepted once."""
    for token in tokens:
        await site.world.verdict(
            token,
            path=f"/{names.pattern}",
            ip="203.0.113.7",
            origin="https://shop.example",
            user_agent=names.agent,
        )
    await site.world.flush()


async def _links(site: Site, user: User, guest: User) -> tuple[dict[str, str], str]:
    """The paths of links of every kind, and the id of an invitation."""
    context = site.context
    own, elsewhere = site.organization, await site.world.organization(name="Elsewhere")
    invited = [
        (
            await make_invitation(
                context,
                OPERATOR,
                OrganizationId(organization["id"]),
                NewInvitation(email=email, role=Role.VIEWER),
            )
        ).value
        for organization, email in ((own, "new@example.com"), (elsewhere, user.email))
    ]
    reset = (await make_password_reset(context, OPERATOR, guest.id)).value
    back = NewSignInLink(return_url=RETURN_URL)
    sign_in = (await make_sign_in_link(context, OPERATOR, guest.id, back)).value
    made = dict(
        zip(("invitation", "join", "password-reset", "sign-in"), (*invited, reset, sign_in), strict=True)
    )
    return {
        **{kind: path_of(it.secret, context) for kind, it in made.items()},
        **await _mailed_links(site, guest),
    }, invited[0].link.id


async def _mailed_links(site: Site, guest: User) -> dict[str, str]:
    """The paths of links that are only sent."""
    browser, visitor = await site.signed_in(guest), site.browser()
    await browser.post("/profile/email", email="other@example.com")
    page = await visitor.get("/sign-up")
    await visitor.submit(page, "sign-up", email="customer@example.com")
    letters = {address: text for address, _, text in site.mail.sent}
    wanted = {"email": "other@example.com", "sign-up": "customer@example.com"}
    return {kind: _LINK.findall(letters[address])[0] for kind, address in wanted.items()}


async def _sessions(site: Site, user: User) -> list[str]:
    async with site.context.store.read() as tables:
        return [it.id for it in await tables.sessions.of_user(user.id)]
