"""Links: what each page shows, that looking uses nothing up, and what the form does, once."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest

from keystead.dashboard.cookies import PROVIDER, SESSION
from keystead.dashboard.provider import back_cookie
from keystead.domain.ids import OrganizationId
from keystead.domain.powers import Operator
from keystead.domain.secrets import Secret
from keystead.domain.tenants import Role, User
from keystead.services.context import Actor
from keystead.services.drafts import NewInvitation, NewSignInLink
from keystead.services.links import link_url, make_invitation, make_password_reset, make_sign_in_link
from keystead.services.set_up import make_set_up_link
from tests.dashboard.html import Page
from tests.dashboard.site import PASSWORD, Browser, Site, opened_site

OPERATOR = Actor(principal=Operator())
BACK = "https://app.example.com/account"
WANTED = f"{BACK}/keys?x=1;y=%2F"


def path_of(site: Site, secret: Secret | None) -> str:
    """Where a link leads, without the host."""
    assert secret is not None
    parts = urlsplit(link_url(site.context, secret))
    return f"{parts.path}?{parts.query}"


async def invitation(site: Site, email: str, role: Role = Role.DEVELOPER) -> str:
    draft = NewInvitation(email=email, role=role)
    made = await make_invitation(site.context, OPERATOR, OrganizationId(site.organization["id"]), draft)
    return path_of(site, made.value.secret)


async def reset(site: Site, user: User) -> str:
    return path_of(site, (await make_password_reset(site.context, OPERATOR, user.id)).value.secret)


async def closed(site: Site, path: str) -> bool:
    page = await site.browser().get(path)
    return page.status == 410 and "does not work any more" in page.text


async def test_the_set_up_link_leads_to_the_first_operator_and_their_apps(site: Site):
    path = path_of(site, await make_set_up_link(site.context))
    browser = site.browser()
    for _ in range(3):
        page = await browser.get(path)
    assert page.status == 200
    wrong = await browser.submit(
        page, path, name="Ada", email="ada", password="correct horse battery", organization="Acme Ltd"
    )
    assert (wrong.status, "Write an e-mail address" in wrong.text) == (422, True)
    assert dict(wrong.form(path).fields) | {"csrf": ""} == {
        "csrf": "",
        "name": "Ada",
        "email": "ada",
        "password": "",
        "organization": "Acme Ltd",
    }
    wrong = await browser.submit(wrong, path, email="ada@example.com", password="short")
    assert "Write 12 to 1,024 characters" in wrong.text
    wrong = await browser.submit(wrong, path, password=PASSWORD, organization=" ")
    assert "Write 1 to 100 characters" in wrong.text
    done = await browser.submit(wrong, path, password=PASSWORD, organization="Acme Ltd")
    assert (done.status, done.location) == (303, "/")
    page = await browser.get("/profile")
    assert "Welcome! Your organization" in page.text
    assert "Acme Ltd" in page.text
    assert await closed(site, path)
    assert await make_set_up_link(site.context) is None


async def test_a_newcomer_accepts_an_invitation_with_a_new_account(site: Site):
    path = await invitation(site, "new@example.com")
    browser = site.browser()
    page = await browser.get(path)
    assert "Join Acme" in page.text
    assert "new@example.com" in page.text
    assert "Developer" in page.text
    done = await browser.submit(page, path, name="New", password=PASSWORD)
    assert (done.status, done.location) == (303, "/")
    page = await browser.get("/profile")
    assert "You joined Acme" in page.text
    assert await closed(site, path)


async def test_who_has_an_account_signs_in_to_accept(site: Site):
    ada, bob = await site.user("ada"), await site.signed_in(await site.user("bob"))
    path = await invitation(site, ada.email, Role.ADMIN)
    page = await bob.get(path)
    assert "You are signed in as bob@example.com" in page.text
    forbidden = await bob.post(path)
    assert forbidden.status == 403
    out = await bob.submit(page, "sign-out")
    assert out.location.startswith("/sign-in?next=%2Flink%3Fsecret%3D")
    page = await bob.follow(out)
    done = await bob.submit(page, "sign-in", email=ada.email, password=PASSWORD)
    assert done.location == path
    page = await bob.follow(done)
    done = await bob.submit(page, path)
    assert (done.status, done.location) == (303, "/")
    assert "Acme" in (await bob.get("/profile")).text
    assert await closed(site, path)


async def test_a_form_to_join_comes_back_after_signing_in(site: Site):
    ada = await site.user("ada")
    path = await invitation(site, ada.email)
    browser = site.browser()
    page = await browser.get(path)
    assert page.links["Sign in to join"].startswith("./sign-in?next=%2Flink")
    sent = await browser.post(path)
    assert sent.location.startswith("/sign-in?next=%2Flink%3Fsecret%3D")
    assert not await closed(site, path)


async def test_a_reset_link_sets_a_password_and_ends_all_sessions(site: Site):
    ada = await site.user("ada")
    signed_in = await site.signed_in(ada)
    path = await reset(site, ada)
    browser = site.browser()
    page = await browser.get(path)
    assert ada.email in page.text
    assert (await browser.submit(page, path, password=ada.email)).status == 422
    done = await browser.submit(page, path, password="another long password")
    assert done.location == "/sign-in"
    assert "Your password is set" in (await browser.follow(done)).text
    assert SESSION not in browser.client.cookies
    assert (await signed_in.get("/profile")).status == 303
    page = await browser.get("/sign-in")
    done = await browser.submit(page, "sign-in", email=ada.email, password="another long password")
    assert done.status == 303
    assert await closed(site, path)


@asynccontextmanager
async def let_in(folder: Path, back: str = WANTED) -> AsyncIterator[tuple[Site, Browser, Page]]:
    """A browser whose person a provider let in with a link, and what the link answered."""
    async with opened_site({"KEYSTEAD_DATA": str(folder / "data")}, return_urls=(BACK,)) as site:
        ada = await site.user("ada")
        await site.join(ada, "owner")
        made = await make_sign_in_link(site.context, OPERATOR, ada.id, NewSignInLink(return_url=back))
        path, browser = path_of(site, made.value.secret), site.browser(ada)
        done = await browser.submit(await browser.get(path), path)
        assert await closed(site, path)
        yield site, browser, done


async def test_a_sign_in_link_leads_into_the_dashboard_whose_pages_lead_back(tmp_path):
    async with let_in(tmp_path) as (site, browser, done):
        assert (done.status, done.location) == (303, "/")
        [cookie] = [it for it in done.answer.headers.get_list("set-cookie") if it.startswith(f"{PROVIDER}=")]
        lasts = int(site.context.people.session_lifetime.total_seconds())
        for said in ("HttpOnly", f"Max-Age={lasts}", "Path=/", "SameSite=lax"):
            assert f"; {said.lower()}" in cookie.lower()
        for path in ("/apps", "/profile", f"/apps/{site.app['id']}/keys"):
            page = await browser.get(path)
            assert page.links["Back to app.example.com"] == WANTED
            assert "form-action 'self';" in page.answer.headers["content-security-policy"]
        assert "Volver a app.example.com" in (await browser.get("/apps", Accept_Language="es")).links


async def test_signing_out_shows_the_way_back_to_the_provider_once_more(tmp_path):
    async with let_in(tmp_path) as (_, browser, _):
        out = await browser.submit(await browser.get("/profile"), "sign-out")
        assert PROVIDER not in browser.client.cookies
        page = await browser.follow(out)
        assert "You are signed out" in page.text
        assert page.links["Back to app.example.com"] == WANTED
        again = await browser.submit(page, "sign-in", email="ada@example.com", password="wrong")
        assert again.links["Back to app.example.com"] == WANTED
        assert "Back to app.example.com" not in (await browser.get("/sign-in")).links


async def test_the_way_back_ends_with_the_session_that_the_provider_began(tmp_path):
    async with let_in(tmp_path) as (site, browser, _):
        other = await site.user("other")
        done = await browser.post("/sign-in", email=other.email, password=PASSWORD)
        assert done.status == 303
        assert PROVIDER not in browser.client.cookies
        assert "Back to" not in (await browser.get("/profile")).text


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/account",
        "https://app.example.com/accounts",
        f"{BACK}/../evil",
        "https://app.example.com@evil.example/account",
        "javascript:alert(1)",
        "//app.example.com/account",
        f"{BACK}\n",
        "é",
        "",
    ],
)
async def test_nobody_can_plant_a_way_to_another_site(tmp_path, url: str):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, return_urls=(BACK,)) as site:
        owner = await site.member("owner")
        for cookie in (back_cookie(url), quote(url), "A", "%"):
            owner.client.cookies.set(PROVIDER, cookie, domain="localhost.local")
            page = await owner.get("/profile")
            assert (page.status, "Back to" in page.text) == (200, False)
        page = await site.browser().get(f"/sign-in?{urlencode({'back': url})}")
        assert (page.status, "Back to" in page.text) == (200, False)


async def test_a_way_back_is_shown_only_while_it_is_on_the_list(tmp_path):
    async with let_in(tmp_path, BACK) as (site, browser, _):
        entrance = site.pages.state.entrance
        people = replace(site.context.people, return_urls=())
        site.pages.state.entrance = replace(entrance, context=replace(site.context, people=people))
        assert "Back to" not in (await browser.get("/profile")).text


async def test_a_sign_in_link_works_for_a_minute(site: Site):
    made = await make_sign_in_link(site.context, OPERATOR, (await site.user()).id, NewSignInLink())
    path = path_of(site, made.value.secret)
    assert (await site.browser().get(path)).status == 200
    site.clock.advance(seconds=60)
    assert await closed(site, path)


async def test_signing_up_leads_through_a_mail_to_an_organization_of_ones_own(tmp_path):
    async with opened_site({"KEYSTEAD_DATA": str(tmp_path / "data")}, sign_up_open=True) as site:
        browser = site.browser()
        assert "./sign-up" in (await browser.get("/sign-in")).links["Make an account"]
        page = await browser.get("/sign-up")
        assert (await browser.submit(page, "sign-up", email="ada")).status == 422
        known = await site.user("known")
        answers = [await browser.submit(page, "sign-up", email=it) for it in (known.email, "new@example.com")]
        texts = {re.sub(r"(known|new)@example.com|req_\w+", "", answer.text) for answer in answers}
        assert len(texts) == 1
        assert "Look into your mail" in texts.pop()
        (_, _, to_known), (_, _, to_new) = site.mail.sent
        assert "/link" not in to_known
        path = re.findall(r"http://localhost:8420(/link\?secret=\w{43})", to_new)[0]
        page = await browser.get(path)
        assert "new@example.com will be your sign-in" in page.text
        done = await browser.submit(page, path, name="New", password=PASSWORD, organization="New Ltd")
        assert done.location == "/"
        assert "New Ltd" in (await browser.get("/profile")).text
        assert await closed(site, path)


async def test_signing_up_is_closed_unless_it_is_opened(site: Site):
    browser = site.browser()
    assert "By invitation only" in (await browser.get("/sign-up")).text
    assert "Make an account" not in (await browser.get("/sign-in")).links
    page = await browser.post("/sign-up", email="ada@example.com")
    assert (page.status, site.mail.sent) == (403, [])


@pytest.mark.parametrize("path", ["/link", "/link?secret=", "/link?secret=x", f"/link?secret={'x' * 43}"])
async def test_what_is_no_link_reads_like_a_used_one(site: Site, path: str):
    assert await closed(site, path)
    assert (await site.browser().post(path)).status in {403, 410}
