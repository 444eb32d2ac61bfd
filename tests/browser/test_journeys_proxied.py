"""The ten journeys behind the nginx of `docs/deploy.md`: over TLS, below the base path `/keys/`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.certificates import make_certificate
from tests.browser.homes import PASSWORD, Home, Visit, opened_home
from tests.browser.journeys import TEN, make_key, open_keys
from tests.docs.pages import ROOT
from tests.docs.pages import Page as Document
from tests.servers import free_port, run_nginx

DOCUMENT = Document(ROOT / "docs/deploy.md")
MEANT = re.compile(r"status of (409|410|422)")
BACK = "http://provider.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home that is reached through nginx only; of the page's file only paths and ports are changed."""
    folder = tmp_path_factory.mktemp("proxied")
    tls, plain, certificate = free_port(), free_port(), make_certificate(folder)
    config = next(it.text for it in DOCUMENT.blocks if it.kind == "nginx")
    config = certificate.installed(config, "example.com")
    with opened_home(folder, PUBLIC_URL=f"https://localhost:{tls}/keys", RETURN_URLS=BACK) as home:
        for shown, ours in {
            "127.0.0.1:8420": f"127.0.0.1:{home.keystead.port}",
            "listen 443 ": f"listen {tls} ",
            "listen 80;": f"listen {plain};",
            "/var/log/nginx": str(folder),
        }.items():
            assert shown in config
            config = config.replace(shown, ours)
        # As Debian's own file has it around ours.
        with run_nginx(f"gzip on;\n{config}", port=tls):
            yield home


@pytest.fixture
def kind(kind: dict[str, Any]) -> dict[str, Any]:
    """Browsers that believe any certificate."""
    return {**kind, "ignore_https_errors": True}


@pytest.mark.parametrize("journey", TEN)
def test_it_is_made(visit: Visit, faults: list[str], journey: str):
    TEN[journey](visit)
    assert [it for it in faults if not MEANT.search(it)] == []


def test_whatever_a_page_asks_for_lies_below_the_base_path(visit: Visit):
    page, asked = visit.page, []
    page.on("response", lambda it: asked.append((it.url, it.status)))
    open_keys(visit)
    make_key(visit, "Asks")
    page.get_by_role("link", name="Docs").click()
    expect(page).to_have_url(f"{visit.home.url}/api/docs")
    expect(page.get_by_role("heading", name="Keystead API")).to_be_visible()
    strangers = [it for it in asked if not it[0].startswith(f"{visit.home.url}/") or it[1] >= 400]
    assert strangers == []
    fonts = [url for url, _ in asked if url.endswith(".woff2")]
    assert fonts


def test_the_bare_path_leads_in(visit: Visit):
    visit.page.goto(visit.home.url)
    expect(visit.page).to_have_url(f"{visit.home.url}/apps")


def test_nginx_compresses_nothing_that_we_did_not(visit: Visit):
    asked = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "cross-site"}
    page = httpx.get(f"{visit.home.url}/sign-in", headers=asked, verify=False)  # noqa: S501 - made for this test
    assert page.status_code == 200
    assert "content-encoding" not in page.headers


def test_the_audit_log_is_taken_away_as_a_file(visit: Visit):
    visit.open(f"/organizations/{visit.person.organization['id']}/audit")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Export as CSV").click()
    assert "key.create" in download.value.path().read_text("utf-8")


def test_whom_a_provider_signs_in_is_led_back_by_a_link(visit: Visit):
    page = visit.another()
    link = visit.home.sign_in_link(visit.person, return_url=f"{BACK}/account")
    assert link.startswith(f"{visit.home.url}/link?")
    page.route(f"{BACK}/account", lambda route: route.fulfill(body="Back at the provider"))
    page.goto(link)
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(f"{visit.home.url}/apps")
    cookies = page.context.cookies()
    ours = {f"__Secure-keystead-{it}" for it in ("session", "device", "provider")}
    assert ours <= {it["name"] for it in cookies}
    for cookie in cookies:
        assert cookie["path"] == "/keys/"
        assert cookie["secure"]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
    page.get_by_role("link", name="Back to provider.example").click()
    expect(page.get_by_text("Back at the provider")).to_be_visible()


def test_a_form_of_another_site_is_refused(visit: Visit):
    """Though it comes with the right word, and the cookie: its origin is not ours."""
    visit.open("/profile")
    csrf = visit.page.locator("[name=csrf]").first.input_value()
    for origin, expected in (("https://localhost.example", 403), (visit.home.url.removesuffix("/keys"), 303)):
        answer = visit.page.request.post(
            f"{visit.home.url}/profile/theme",
            form={"csrf": csrf, "theme": "dark"},
            headers={"Origin": origin},
            max_redirects=0,
        )
        assert answer.status == expected, origin


def test_the_log_of_nginx_has_no_secret_of_a_link(visit: Visit):
    link = visit.home.sign_in_link(visit.person)
    visit.page.goto(link)
    log: Path = visit.home.keystead.folder / "keystead.log"
    expect(visit.page.get_by_role("button", name="Go on")).to_be_visible()
    assert '"GET /keys/link"' in log.read_text()
    assert link.partition("secret=")[2] not in log.read_text()
    assert PASSWORD not in log.read_text()
