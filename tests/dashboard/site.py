"""A dashboard in this process, on a real store, with a clock that tests move, as browsers ask it.

`await site.member("owner")` is a browser that a new owner of `site.organization` is signed in with. It can
`get` a path, `post` fields to one (their CSRF token is added), and `submit` a form of a page as it stands
but for the fields given; each answers with a `Page`. After `site.clock.advance(minutes=10)` pages ask for
`PASSWORD` again.
"""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import httpx
from litestar import Litestar

from keystead.api.app import make_app
from keystead.api.metrics import Metrics
from keystead.api.surface import Surface
from keystead.dashboard.cookies import SESSION, VISITOR
from keystead.dashboard.forms import csrf_token
from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Operator
from keystead.domain.tenants import Member, Role, User
from keystead.services import people
from keystead.services.context import Actor, Context, Visit
from keystead.services.mutation import mutation
from keystead.services.users import insert_user, new_user
from keystead.wiring import Instance
from keystead.wiring.pages import pages_of
from tests.api.world import Json, World, opened_world
from tests.clock import FakeClock
from tests.dashboard.html import Page
from tests.people import KeptMail, PlainPasswords

PASSWORD = "correct horse battery"
HERE = "http://localhost:8420"


class Browser:
    """One browser; it follows no redirect by itself, keeps cookies, and runs no script."""

    def __init__(self, client: httpx.AsyncClient, context: Context, user: User | None = None) -> None:
        self.client = client
        self.user = user
        self._context = context

    async def get(self, path: str, **headers: str) -> Page:
        """Ask for a page."""
        return Page(await self.client.get(path, headers=_headers(headers)))

    async def post(self, path: str, *pairs: tuple[str, str], **fields: str) -> Page:
        """Send a form of ours; `pairs` are for names that are no Python words or stand twice."""
        sent = [("csrf", self.csrf), *pairs, *fields.items()]
        return await self.send(path, sent)

    async def submit(self, page: Page, action: str, *pairs: tuple[str, str], **fields: str) -> Page:
        """Send the form of a page whose action ends so, as it stands but for these fields; refuses others."""
        form = page.form(action)
        given = [*pairs, *fields.items()]
        names = {name for name, _ in given}
        unknown = names - form.names
        assert not unknown, f"no such field: {unknown} among {form.names}"
        sent = [field for field in form.fields if field[0] not in names] + given
        target = page.answer.url.join(form.action)
        return await self.send(target.raw_path.decode(), sent)

    async def send(self, path: str, fields: Sequence[tuple[str, str]], **headers: str) -> Page:
        """Send fields as they are, with nothing added."""
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
        content = urlencode(fields).encode()
        return Page(await self.client.post(path, content=content, headers={**kind, **_headers(headers)}))

    async def follow(self, page: Page) -> Page:
        """Go where a redirect leads."""
        return await self.get(page.location)

    @property
    def csrf(self) -> str:
        """What the forms of this browser's pages carry."""
        cookies = self.client.cookies
        return csrf_token(self._context, cookies.get(SESSION) or cookies.get(VISITOR) or "")


@dataclass
class Site:
    """An instance with an organization `Acme` and its first app; `world` drives the same one by its API."""

    instance: Instance
    clock: FakeClock
    world: World
    mail: KeptMail
    organization: Json
    app: Json
    transport: httpx.ASGITransport
    pages: Litestar

    @property
    def context(self) -> Context:
        """What services are given."""
        return self.instance.context

    def browser(self, user: User | None = None) -> Browser:
        """A new browser that nobody is signed in with."""
        return Browser(httpx.AsyncClient(transport=self.transport, base_url=HERE), self.context, user)

    async def user(self, name: str | None = None, **changes: Any) -> User:
        """A new user, whose password is `PASSWORD`."""
        name = name or f"u{secrets.token_hex(4)}"
        async with mutation(self.context, Actor(principal=Operator())) as work:
            made = new_user(self.context, work, f"{name.lower()}@example.com", name.title())
            return await insert_user(work, replace(made, **{"password": f"1:{PASSWORD}", **changes}))

    async def join(self, user: User, role: str, organization: Mapping[str, Any] | None = None) -> None:
        """Make a user a member of `Acme`, or of another organization."""
        organization_id = OrganizationId((organization or self.organization)["id"])
        async with mutation(self.context, Actor(principal=Operator())) as work:
            made = Member(
                organization_id=organization_id, user_id=user.id, role=Role(role), created_at=work.now
            )
            await work.tables.members.insert(made)

    async def signed_in(self, user: User, **visit: Any) -> Browser:
        """A browser that a user is signed in with."""
        browser = self.browser(user)
        at = Visit(**{"address": "127.0.0.1", "agent": "Firefox", **visit})
        found = await people.sign_in(self.context, at, email=user.email, password=PASSWORD)
        assert found is not None
        browser.client.cookies.set(SESSION, found.secret.reveal(), domain="localhost.local")
        return browser

    async def member(self, role: str, organization: Mapping[str, Any] | None = None) -> Browser:
        """A browser that a new member of `Acme`, or of another organization, is signed in with."""
        user = await self.user()
        await self.join(user, role, organization)
        return await self.signed_in(user)

    async def operator(self) -> Browser:
        """A browser that a new operator is signed in with, who belongs to no organization."""
        return await self.signed_in(await self.user(operator=True))


@asynccontextmanager
async def opened_site(
    environ: Mapping[str, str], *, look: Mapping[str, Any] | None = None, **changes: Any
) -> AsyncIterator[Site]:
    """A site on the store that `environ` names; `changes` are to how people sign in, `look` to the pages."""
    # The clock stands still: what is taken of an allowance does not come back while a test asks for pages.
    async with opened_world({"KEYSTEAD_MANAGEMENT_BURST": "100000", **environ}) as world:
        context, mail = world.instance.context, KeptMail()
        signing = replace(context.people, **{"passwords": PlainPasswords(), "mail": mail, **changes})
        instance = replace(world.instance, context=replace(context, people=signing))
        pages = pages_of(instance, **(look or {}))
        app: Any = make_app(instance.door(Metrics()), pages=pages)[Surface.ALL]
        organization = await world.organization()
        yield Site(
            instance=instance,
            clock=world.clock,
            world=world,
            mail=mail,
            organization=organization,
            app=await world.first_app(organization),
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            pages=pages,
        )


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in given.items()}
