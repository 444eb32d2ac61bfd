"""Signing in and out, giving one's password again, and what is refused at the door."""

import re

import pytest

from keystead.dashboard.cookies import DEVICE, SESSION
from tests.dashboard.site import HERE, PASSWORD, Browser, Site


async def sign_in(browser: Browser, email: str, password: str = PASSWORD, path: str = "/sign-in"):
    """Fill in the form and send it."""
    return await browser.submit(await browser.get(path), "sign-in", email=email, password=password)


async def test_signing_in_leads_to_the_page_that_was_asked_for(site: Site):
    user = await site.user("ada")
    await site.join(user, "owner")
    browser = site.browser()
    asked = await browser.get("/profile?tab=1")
    assert asked.status == 303
    assert asked.location == "/sign-in?next=%2Fprofile%3Ftab%3D1"
    page = await browser.follow(asked)
    assert "go on to the page you asked for" in page.text
    done = await browser.submit(page, "sign-in", email="Ada@Example.com ", password=PASSWORD)
    assert (done.status, done.location) == (303, "/profile?tab=1")
    there = await browser.follow(done)
    assert (there.status, "ada@example.com" in there.text) == (200, True)
    root = await browser.get("/")
    assert root.location == "/apps"


async def test_cookies_are_for_our_pages_only_and_for_no_script(site: Site):
    user = await site.user("ada")
    done = await sign_in(site.browser(), user.email)
    for line in done.answer.headers.get_list("set-cookie"):
        assert re.search(r"; HttpOnly", line, re.IGNORECASE)
        assert re.search(r"; SameSite=lax", line, re.IGNORECASE)
        assert re.search(r"; Path=/(;|$)", line, re.IGNORECASE)
    names = {line.partition("=")[0] for line in done.answer.headers.get_list("set-cookie")}
    assert names == {SESSION, DEVICE}


async def test_unknown_wrong_suspended_and_passwordless_read_the_same(site: Site):
    ada = await site.user("ada")
    none = await site.user("bob", password=None)
    browser, texts = site.browser(), set()
    for email, password in [
        (ada.email, "wrong password here"),
        ("nobody@example.com", PASSWORD),
        (none.email, PASSWORD),
        ("no address", PASSWORD),
    ]:
        page = await sign_in(browser, email, password)
        assert page.status == 422
        assert page.form("sign-in").fields[-2:] == [("email", email), ("password", "")]
        texts.add(re.sub(r"req_\w+", "", page.text))
        assert SESSION not in browser.client.cookies
    assert len(texts) == 1
    assert "do not go together" in texts.pop()


@pytest.mark.parametrize(
    ("language", "no_email", "no_password"),
    [
        ("en", "Enter your e-mail.", "Enter your password."),
        ("es", "Escribe tu correo electrónico.", "Escribe tu contraseña."),
    ],
)
async def test_an_empty_field_is_marked_and_is_no_guess(
    site: Site, language: str, no_email: str, no_password: str
):
    browser, user = site.browser(), await site.user()
    browser.client.headers["Accept-Language"] = language
    for email, password, expected in [
        ("", "", {"email": no_email, "password": no_password}),
        (" ", PASSWORD, {"email": no_email}),
        *[(user.email, "", {"password": no_password})] * 10,
    ]:
        page = await sign_in(browser, email, password)
        assert page.status == 422
        assert page.html.count('aria-invalid="true"') == len(expected)
        for name, problem in expected.items():
            assert re.search(rf'id="f-{name}-error">.*{re.escape(problem)}', page.html)
        assert 'role="alert"' not in page.html
    assert (await sign_in(browser, user.email)).status == 303


async def test_too_many_attempts_say_how_long_to_wait_and_keep_what_was_typed(site: Site):
    browser = site.browser()
    for _ in range(10):
        await sign_in(browser, "ada@example.com", "wrong password here")
    page = await sign_in(browser, "ada@example.com", "wrong password here")
    assert page.status == 429
    assert "Wait 1 minute, then try again" in page.text
    assert int(page.answer.headers["retry-after"]) == 60
    assert ("email", "ada@example.com") in page.form("sign-in").fields


@pytest.mark.parametrize(
    "onwards",
    ["//evil.example", "https://evil.example", "/\\evil.example", "/a/../../evil", "/%2e%2e/x", "x:y", ""],
)
async def test_signing_in_leads_to_no_other_site(site: Site, onwards: str):
    user, browser = await site.user(), site.browser()
    await browser.get("/sign-in")
    done = await browser.post("/sign-in", email=user.email, password=PASSWORD, next=onwards)
    assert (done.status, done.location) == (303, "/")


async def test_signing_out_ends_the_session_and_forgets_it(site: Site):
    owner = await site.member("owner")
    page = await owner.get("/profile")
    before = owner.client.cookies[SESSION]
    done = await owner.submit(page, "sign-out")
    assert done.location == "/sign-in"
    assert SESSION not in owner.client.cookies
    assert "You are signed out" in (await owner.follow(done)).text
    owner.client.cookies.set(SESSION, before, domain="localhost.local")
    assert (await owner.get("/profile")).status == 303


async def test_a_session_of_the_browser_ends_when_somebody_signs_in_with_it(site: Site):
    owner, other = await site.member("owner"), await site.user("other")
    planted = owner.client.cookies[SESSION]
    assert (await owner.get("/sign-in")).location == "/"
    done = await owner.post("/sign-in", email=other.email, password=PASSWORD)
    assert done.status == 303
    assert owner.client.cookies[SESSION] != planted
    thief = site.browser()
    thief.client.cookies.set(SESSION, planted, domain="localhost.local")
    assert (await thief.get("/profile")).status == 303


async def test_an_expired_session_comes_back_after_signing_in(site: Site):
    owner = await site.member("owner")
    site.clock.advance(days=15)
    assert (await owner.get("/profile")).location == "/sign-in?next=%2Fprofile"
    # A form, too: to the page that has it. A path that only takes forms is no place to come back to.
    sent = await owner.post("/profile/password", password="x")
    assert sent.location == "/sign-in?next=%2Fprofile%2Fpassword"
    assert (await owner.post("/profile/theme", theme="dark")).location == "/sign-in"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "null"},
        {"Origin": "http://localhost:8421"},
        {"Content_Type": "text/plain"},
        {"Content_Type": "multipart/form-data; boundary=x"},
    ],
)
async def test_a_form_of_another_site_is_refused(site: Site, headers: dict[str, str]):
    owner = await site.member("owner")
    page = await owner.send("/profile", [("csrf", owner.csrf), ("name", "Evil")], **headers)
    assert page.status in {403, 415}
    assert "Evil" not in (await owner.get("/profile")).html


@pytest.mark.parametrize("headers", [{"Origin": HERE}, {"Origin": "null"}, {"Sec_Fetch_Site": "none"}])
async def test_a_form_of_ours_is_taken(site: Site, headers: dict[str, str]):
    owner = await site.member("owner")
    page = await owner.send("/profile/theme", [("csrf", owner.csrf), ("theme", "dark")], **headers)
    assert page.status == 303


@pytest.mark.parametrize("token", ["", "x", "é", "0" * 64])
async def test_a_form_without_the_right_token_is_refused_with_what_to_do(site: Site, token: str):
    owner = await site.member("owner")
    page = await owner.send("/profile", [("csrf", token), ("name", "Evil")])
    assert page.status == 403
    assert "load the page again" in page.text
    other = await site.member("owner")
    assert (await owner.send("/profile", [("csrf", other.csrf), ("name", "Evil")])).status == 403


async def test_every_route_that_takes_a_form_refuses_a_foreign_one(site: Site):
    owner, seen = await site.member("owner"), 0
    for route in site.pages.routes:
        methods = set(route.methods) - {"GET", "HEAD", "OPTIONS"}
        assert methods <= {"POST"}, route.path
        if methods:
            path = re.sub(r"\{\w+\}", "x", route.path_format)
            page = await owner.send(path, [("csrf", owner.csrf)], Sec_Fetch_Site="cross-site")
            assert page.status == 403, path
            seen += 1
    assert seen > 10


async def test_pages_are_kept_by_nobody_and_carry_our_headers(site: Site):
    owner = await site.member("owner")
    for path in ("/sign-in", "/profile", "/nothing", "/link?secret=x"):
        headers = (await (owner if path == "/profile" else site.browser()).get(path)).answer.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers.get_list("x-content-type-options") == ["nosniff"]


async def test_the_password_is_asked_for_again_after_ten_minutes(site: Site):
    owner = await site.member("owner")
    assert "proof" not in (await owner.get("/profile/password")).form("password").names
    site.clock.advance(minutes=10)
    page = await owner.get("/profile/password")
    again = await owner.submit(page, "profile/password", password="another long one", proof="wrong password")
    assert (again.status, "That is not your password." in again.text) == (422, True)
    done = await owner.submit(again, "profile/password", password="another long one", proof=PASSWORD)
    assert done.location == "/profile"


async def test_prove_goes_on_to_where_one_was_going(site: Site):
    owner = await site.member("owner")
    assert (await owner.get("/prove?next=/apps")).location == "/apps"
    site.clock.advance(minutes=10)
    page = await owner.get("/prove?next=/apps")
    assert (await owner.submit(page, "prove", proof="wrong password")).status == 422
    done = await owner.submit(page, "prove", proof=PASSWORD)
    assert done.location == "/apps"
    assert (await owner.get("/prove?next=//evil.example")).location == "/"


async def test_going_to_another_organization(site: Site):
    owner = await site.member("owner")
    other = await site.world.organization(name="Nordwind")
    assert owner.user is not None
    assert (await owner.post(f"/organizations/{other['id']}/enter")).status in {403, 404}
    await site.join(owner.user, "viewer", other)
    done = await owner.post(f"/organizations/{other['id']}/enter")
    assert done.location == "/apps"
    page = await owner.get("/profile")
    assert 'aria-current="true"' in page.html
    assert page.html.index("Nordwind") < page.html.index("Acme")


async def test_the_api_keeps_its_paths(site: Site):
    browser = site.browser()
    assert (await browser.get("/healthz")).answer.json() == {"status": "ok"}
    assert (await browser.get("/api/v1/nothing")).answer.headers["content-type"] == "application/problem+json"
    assert (await browser.get("/apis")).answer.headers["content-type"].startswith("text/html")
