"""The page that shows the API, in a real browser under its real policy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from tests.browser.conftest import Served
from tests.servers import free_port, run_nginx


@dataclass
class Seen:
    """What a page did that a good one does not do, and where it asked."""

    faults: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self.note_message)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self.note_request)
        page.on("requestfailed", lambda request: self.faults.append(f"{request.url} {request.failure}"))

    def note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(message.text)

    def note_request(self, request: Request) -> None:
        self.addresses.append(request.url)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture(params=[1440, 390], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, seen: Seen) -> Iterator[Page]:
    """A page that reports violations of its policy as console errors, which browsers do."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    page = context.new_page()
    seen.watch(page)
    yield page
    context.close()


def _show(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator(".opblock").first).to_be_visible()


def test_it_shows_every_operation_and_asks_nobody_else(page: Page, seen: Seen, served: Served):
    _show(page, f"{served.url}/api/docs")
    document = page.request.get(f"{served.url}/api/openapi.json").json()
    expect(page.locator(".opblock")).to_have_count(sum(map(len, document["paths"].values())))
    expect(page.get_by_role("heading", name="Keystead API")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "it scrolls sideways"
    assert seen.faults == []
    assert all(address.startswith((served.url, "data:")) for address in seen.addresses)


def test_an_operation_can_be_tried_with_a_token(page: Page, seen: Seen, served: Served):
    _show(page, f"{served.url}/api/docs")
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.locator("#auth-bearer-value").fill(served.root)
    page.get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close", exact=True).first.click()

    block = page.locator("#operations-Organizations_and_members-list_organizations")
    block.locator("button.opblock-summary-control").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(block.locator(".live-responses-table")).to_contain_text('"next_cursor": null')
    assert seen.faults == []
    assert any(re.search(r"/api/v1/organizations", address) for address in seen.addresses)


def test_it_works_behind_a_base_path(browser: Browser, seen: Seen, served: Served):
    port = free_port()
    config = f"server {{ listen 127.0.0.1:{port}; location /keys/ {{ proxy_pass {served.url}/; }} }}"
    with run_nginx(config, port=port):
        page = browser.new_page()
        seen.watch(page)
        _show(page, f"http://127.0.0.1:{port}/keys/api/docs")
        block = page.locator("#operations-Health-get_health")
        block.locator("button.opblock-summary-control").click()
        block.get_by_role("button", name="Execute").click()
        expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        page.close()
    assert seen.faults == []
    assert all(address.startswith((f"http://127.0.0.1:{port}/keys/", "data:")) for address in seen.addresses)
