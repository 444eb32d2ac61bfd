"""What somebody may send who means no good: to the pages, to the door, and to the cookies."""

import re
from base64 import urlsafe_b64encode

import msgspec
import pytest

from keystead.api.surface import Surface, serves
from keystead.dashboard.cookies import DEVICE, SESSION, VISITOR
from keystead.dashboard.toasts import COOKIE
from keystead.domain.powers import Operator
from keystead.services.context import Actor
from keystead.services.links import link_url, make_password_reset
from tests.dashboard.site import HERE, PASSWORD, Browser, Site, opened_site

SCRIPT = "<script>alert(1)</script>"
NEW = "another long password"


def plant(browser: Browser, name: str, value: str) -> None:
    browser.client.cookies.set(name, value, domain="localhost.local")


@pytest.mark.parametrize(
    "key", ["x%0d%0aSet-Cookie:%20a=b", "x%0d%0a%0d%0a<script>", "%ff", "%C3%A9", "x%00"]
)
async def test_nothing_in_a_path_ends_the_header_that_it_comes_to_stand_in(site: Site, key: str):
    page = await (await site.member("owner")).get(f"/keys/{key}/roll?made")
    assert page.status == 303
    assert re.fullmatch(r"[!-~]+", page.answer.headers["location"])
    assert "set-cookie" not in page.answer.headers


@pytest.mark.parametrize(
    "path", ["/apps/%00", "/keys/%00", "/organizations/%00", "/apps?q=%00", "/apps?q=%ff"]
)
async def test_what_is_no_text_is_no_fault_of_ours(site: Site, path: str):
    assert (await (await site.member("owner")).get(path)).status < 500


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://evil.example:8420", "http://localhost", "https://localhost:8420"],
)
async def test_a_form_is_ours_by_the_public_address_and_never_by_the_host_that_was_asked(
    site: Site, origin: str
):
    owner = await site.member("owner")
    sent = [("csrf", owner.csrf), ("name", "Evil")]
    page = await owner.send("/profile", sent, Origin=origin, Host=origin.partition("://")[2])
    assert page.status == 403


@pytest.mark.parametrize("origin", [HERE, "http://127.0.0.1:8420", "http://[::1]:8420"])
async def test_this_machine_has_several_names(site: Site, origin: str):
    owner = await site.member("owner")
    assert (await owner.send("/profile/theme", [("csrf", owner.csrf)], Origin=origin)).status == 303


@pytest.mark.parametrize(
    ("url", "prefix", "path"),
    [("https://keys.example.com", "__Host-", "/"), ("https://example.com/keys", "__Secure-", "/keys/")],
)
async def test_behind_tls_no_neighbour_can_plant_a_cookie(tmp_path, url: str, prefix: str, path: str):
    environ = {"KEYSTEAD_DATA": str(tmp_path / "data"), "KEYSTEAD_PUBLIC_URL": url}
    async with opened_site(environ) as site:
        user, browser = await site.user(), site.browser()
        page = await browser.get("/sign-in")
        [visitor] = page.answer.headers.get_list("set-cookie")
        assert visitor.startswith(f"{prefix}{VISITOR}=")
        pairs = dict(page.form("sign-in").fields) | {"email": user.email, "password": PASSWORD}
        planted = visitor.partition(";")[0].removeprefix(prefix)
        origin = {"Origin": "https://" + url.split("/")[2]}
        foreign = await browser.send("/sign-in", [*pairs.items()], Cookie=planted, **origin)
        assert foreign.status == 403
        done = await browser.send("/sign-in", [*pairs.items()], Cookie=visitor.partition(";")[0], **origin)
        assert done.status == 303
        cookies = done.answer.headers.get_list("set-cookie")
        assert {it.partition("=")[0] for it in cookies} == {f"{prefix}{SESSION}", f"{prefix}{DEVICE}"}
        for line in cookies:
            assert "; Secure" in line
            assert f"; Path={path};" in f"{line};"
            assert "Domain" not in line
        session = next(it.partition(";")[0] for it in cookies if SESSION in it)
        assert (await browser.get("/profile", Cookie=session)).status == 200
        assert (await browser.get("/profile", Cookie=session.removeprefix(prefix))).status == 303


async def test_a_form_belongs_to_the_browser_that_was_shown_it(site: Site):
    thief, victim, user = site.browser(), site.browser(), await site.user()
    await thief.get("/sign-in")
    await victim.get("/sign-in")
    sent = [("csrf", thief.csrf), ("email", user.email), ("password", PASSWORD)]
    assert (await victim.send("/sign-in", sent)).status == 403
    assert SESSION not in victim.client.cookies


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_no_other_method_does_anything(site: Site, method: str):
    owner = await site.member("owner")
    answer = await owner.client.request(method, "/profile/sessions/end", headers={"Sec-Fetch-Site": "none"})
    assert answer.status_code == 405
    answer = await owner.client.get("/sign-out", headers={"X-HTTP-Method-Override": "POST"})
    assert answer.status_code == 405
    assert (await owner.get("/profile")).status == 200


@pytest.mark.parametrize(
    "told",
    [
        ("toast.app-created", {"name": SCRIPT}),
        ("toast.app-created", {"name": "x" * 5_000}),
        ("toast.app-created", {"self": "x", "message_id": "y"}),
        ("toast.app-created", {}),
        ("frame.sign-out", {}),
        ("toast.no-such", {"name": "{0.__class__}"}),
        ["toast.app-created"],
        {"a": 1},
    ],
)
async def test_a_toast_that_others_wrote_is_text_or_nothing(site: Site, told: object):
    owner = await site.member("owner")
    plant(owner, COOKIE, urlsafe_b64encode(msgspec.json.encode(told)).decode().rstrip("="))
    page = await owner.get("/profile")
    assert page.status == 200
    assert SCRIPT not in page.html


@pytest.mark.parametrize("cookie", ["%", "é", "a" * 3_000, "=", '"', "\\", "AAAA"])
async def test_cookies_that_are_not_ours_are_none(site: Site, cookie: str):
    for name in (COOKIE, DEVICE, SESSION):
        browser = site.browser()
        answer = await browser.client.get("/profile", headers=[(b"cookie", f"{name}={cookie}".encode())])
        assert answer.status_code == 303, name
    user, browser = await site.user(), site.browser()
    await browser.get("/sign-in")
    visitor = browser.client.cookies[VISITOR]
    sent = [("csrf", browser.csrf), ("email", user.email), ("password", PASSWORD)]
    browser.client.cookies.clear()
    device = "" if not cookie.isascii() else f"; {DEVICE}={cookie}"
    assert (await browser.send("/sign-in", sent, Cookie=f"{VISITOR}={visitor}{device}")).status == 303


async def test_who_copied_a_cookie_is_out_once_its_owner_changes_the_password(site: Site):
    owner, thief = await site.member("owner"), site.browser()
    plant(thief, SESSION, owner.client.cookies[SESSION])
    page = await owner.get("/profile/password")
    assert (await owner.submit(page, "profile/password", password=NEW)).location == "/profile"
    assert (await thief.get("/profile")).status == 303
    assert (await owner.get("/profile")).status == 200
    assert DEVICE in owner.client.cookies


async def test_who_is_kept_out_by_guesses_of_others_gets_in_by_a_reset(site: Site):
    user, browser = await site.user(), site.browser()
    made = await make_password_reset(site.context, Actor(principal=Operator()), user.id)
    assert made.value.secret is not None
    path = link_url(site.context, made.value.secret).removeprefix(HERE)
    await browser.submit(await browser.get(path), path, password=NEW)
    for _ in range(10):
        await site.browser().get("/sign-in")
        guesser = site.browser()
        await guesser.submit(await guesser.get("/sign-in"), "sign-in", email=user.email, password="x")
    page = await guesser.get("/sign-in")
    assert (await guesser.submit(page, "sign-in", email=user.email, password="x")).status == 429
    page = await browser.get("/sign-in")
    assert (await browser.submit(page, "sign-in", email=user.email, password=NEW)).status == 303


async def test_an_exposed_key_is_revoked_by_who_gave_their_password_lately_only(site: Site):
    key, owner = await site.world.key(site.app), await site.member("owner")
    site.clock.advance(minutes=10)
    page = await owner.post(f"/keys/{key['id']}/delete", do="exposed")
    assert (page.status, page.form("/delete").names >= {"proof"}) == (403, True)
    page = await owner.post(f"/keys/{key['id']}/delete", do="exposed", proof="wrong")
    assert page.status == 422
    assert await site.world.reason(key["token"]) is None
    done = await owner.post(f"/keys/{key['id']}/delete", do="exposed", proof=PASSWORD)
    assert done.status == 303
    assert await site.world.reason(key["token"]) == "REVOKED"


async def test_what_makes_a_form_do_its_work_once_is_each_persons_own(site: Site):
    owners = [await site.member("owner") for _ in range(2)]
    sent = {"name": "Same", "environment": "live", "organization": site.organization["id"], "once": "same"}
    made = {(await it.post("/apps/new", **sent)).location for it in (*owners, *owners)}
    assert len(made) == 2


async def test_nobody_keeps_the_others_from_their_pages_by_asking_without_end(tmp_path):
    environ = {"KEYSTEAD_DATA": str(tmp_path / "data"), "KEYSTEAD_MANAGEMENT_BURST": "5"}
    async with opened_site(environ) as site:
        busy, other = await site.member("viewer"), await site.member("viewer")
        assert [(await busy.get("/apps")).status for _ in range(6)] == [200] * 5 + [429]
        assert (await busy.get("/apps")).answer.headers["retry-after"] == "1"
        assert (await other.get("/apps")).status == 200
        site.clock.advance(seconds=1)
        assert (await busy.get("/apps")).status == 200


def test_no_page_is_there_for_services_and_proxies():
    for path in ("/", "/sign-in", "/link", "/apps", "/profile", "/static/x", "/instance/root-keys"):
        assert not serves(Surface.INTERNAL, path)
        assert serves(Surface.PUBLIC, path)
