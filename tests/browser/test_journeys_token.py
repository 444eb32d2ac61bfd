"""A new token is in one answer only: everything that a browser and a server keep is searched for it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.homes import Visit
from tests.browser.journeys import account, make_key, open_keys, shown_token, stored, tab
from tests.browser.looks import screens

KEPT = """() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state,
    history.length, location.href, window.name])"""
REDIRECTS = range(300, 400)


@dataclass
class Record:
    """What a browser asked, what it was sent, and what it kept."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Have every answer handed to us before the browser has it: pages that are left keep none."""
        wire = page.context.new_cdp_session(page)

        def paused(event: dict[str, Any]) -> None:
            asked = {"requestId": event["requestId"]}
            self.asked.append(json.dumps(event["request"]))
            if event["responseStatusCode"] not in REDIRECTS:
                found = wire.send("Fetch.getResponseBody", asked)
                body = base64.b64decode(found["body"]) if found["base64Encoded"] else found["body"].encode()
                headers = {it["name"].lower(): it["value"] for it in event["responseHeaders"]}
                self.answers.append({"method": event["request"]["method"], "body": body, **headers})
            wire.send("Fetch.continueRequest", asked)

        wire.on("Fetch.requestPaused", paused)
        wire.send("Fetch.enable", {"patterns": [{"requestStage": "Response"}]})

    def note(self, page: Page) -> None:
        """Note all that the browser keeps at this moment."""
        self.kept += [page.evaluate(KEPT), json.dumps(page.context.storage_state(indexed_db=True))]


def make(visit: Visit) -> str:
    open_keys(visit)
    return make_key(visit, "Seen once")


def roll(visit: Visit) -> str:
    visit.home.key(visit.person, name="Rolled")
    open_keys(visit)
    visit.page.get_by_role("link", name="Rolled", exact=True).click()
    visit.page.get_by_role("link", name="Roll", exact=True).click()
    visit.page.get_by_role("button", name="Roll key").click()
    return shown_token(visit.page)


def generate(visit: Visit) -> str:
    account(visit.page).get_by_role("link", name="My profile").click()
    tab(visit.page, "API Keys")
    visit.page.get_by_role("button", name="Generate").click()
    return shown_token(visit.page)


@screens
@pytest.mark.parametrize("way", [make, roll, generate])
def test_a_token_is_in_one_answer_that_nobody_stores(visit: Visit, way: Callable[[Visit], str]):
    page, record = visit.page, Record()
    record.listen(page)
    token = way(visit)
    record.note(page)
    if page.get_by_role("link", name="I have stored it").count():
        stored(page)
    record.note(page)
    page.go_back()
    expect(page.locator("#token")).to_have_count(0)
    record.note(page)
    page.reload()
    visit.open("/apps")
    open_keys(visit)
    visit.page.get_by_role("table").get_by_role("link").first.click()
    visit.open(f"/organizations/{visit.person.organization['id']}/audit")
    visit.open("/profile/keys")
    record.note(page)
    secret = token.rpartition("_")[2]
    [carried] = [it for it in record.answers if secret.encode() in it["body"]]
    assert carried["method"] == "POST"
    as_file = f"data:text/plain;charset=utf-8,KEYSTEAD_TOKEN={token}%0A"
    beside = carried["body"].replace(as_file.encode(), b"")
    assert beside.count(secret.encode()) == 1
    assert carried["cache-control"] == "no-store"
    assert carried["content-type"].startswith("text/html")
    assert carried["referrer-policy"] == "no-referrer"
    assert not [it for it in (*record.asked, *record.kept) if secret in it]
    assert secret not in visit.home.keystead.log_text()
