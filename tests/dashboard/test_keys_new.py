"""Making a key: what is asked, what is refused, and the one page that has its token."""

import re

import pytest

from tests.dashboard.html import Page
from tests.dashboard.site import PASSWORD, Browser, Site

TOKEN = re.compile(r"ks_(?:sk|pk)_(?:live|test)_[0-9A-Za-z]{38}")


def new_path(site: Site) -> str:
    return f"/apps/{site.app['id']}/keys/new"


async def confirmed(owner: Browser, path: str, *pairs: tuple[str, str], **fields: str) -> Page:
    """The page that asks for the word."""
    page = await owner.submit(await owner.get(path), path, *pairs, do="save", **fields)
    assert page.status == 200, page.text
    return page


async def made(owner: Browser, path: str, *pairs: tuple[str, str], **fields: str) -> Page:
    asked = await confirmed(owner, path, *pairs, **fields)
    return await owner.submit(asked, path, do="create", typed="CREATE")


async def test_a_key_is_made_and_its_token_is_in_one_answer_that_nobody_stores(site: Site):
    owner = await site.member("owner")
    page = await made(owner, new_path(site), name="Nightly export")
    assert page.status == 200
    [token] = set(TOKEN.findall(page.text))
    assert page.answer.headers["cache-control"] == "no-store"
    assert "API key created!" in page.text
    table = await owner.get(f"/apps/{site.app['id']}/keys")
    assert "Nightly export" in table.text
    key = await owner.get(table.links["Nightly export"].removeprefix("../.."))
    assert key.status == 200
    assert "Nightly export" in key.text
    assert token[-38:] not in table.html + key.html


async def test_sending_the_form_twice_makes_one_key_and_shows_its_token_once(site: Site):
    owner = await site.member("owner")
    asked = await confirmed(owner, new_path(site), name="Twice")
    first = await owner.submit(asked, new_path(site), do="create", typed="CREATE")
    second = await owner.submit(asked, new_path(site), do="create", typed="CREATE")
    assert TOKEN.search(first.text)
    assert not TOKEN.search(second.text)
    assert "Regenerate" in second.links
    table = await owner.get(f"/apps/{site.app['id']}/keys?q=Twice")
    assert table.text.count("Actions for Twice") == 1


async def test_the_word_must_be_typed(site: Site):
    owner = await site.member("owner")
    asked = await confirmed(owner, new_path(site), name="Nightly export")
    page = await owner.submit(asked, new_path(site), do="create", typed="create")
    assert page.status == 422
    assert "Type CREATE, in capitals." in page.text
    assert ("name", "Nightly export") in page.form("/new").fields


async def test_a_secret_key_asks_for_the_password_where_it_was_given_too_long_ago(site: Site):
    owner = await site.member("owner")
    site.clock.advance(minutes=11)
    asked = await confirmed(owner, new_path(site), name="Nightly export")
    refused = await owner.submit(asked, new_path(site), do="create", typed="CREATE", proof="wrong")
    assert refused.status == 422
    page = await owner.submit(refused, new_path(site), do="create", typed="CREATE", proof=PASSWORD)
    assert TOKEN.search(page.text)
    assert PASSWORD not in page.html


async def test_every_fault_is_marked_and_what_was_typed_is_kept(site: Site):
    owner = await site.member("owner")
    page = await owner.submit(await owner.get(new_path(site)), new_path(site), do="add")
    page = await owner.submit(
        page,
        new_path(site),
        ("c0-pattern", "a//b"),
        do="save",
        name="",
        networks="10.0.0.1/8",
        origins="https:/shop",
        labels="team",
        expiry="date",
        date="soon",
    )
    assert page.status == 422
    for field in ("name", "networks", "origins", "labels", "date", "c0-pattern"):
        assert f'href="#f-{field}"' in page.html, field
    fields = page.form("/new").fields
    assert ("c0-pattern", "a//b") in fields
    assert ("origins", "https:/shop") in fields


async def test_rules_are_added_and_removed_without_a_script(site: Site):
    owner = await site.member("owner")
    page = await owner.submit(await owner.get(new_path(site)), new_path(site), do="path", name="Kept")
    page = await owner.submit(page, new_path(site), ("c0-pattern", "orders/"), do="add")
    page = await owner.submit(page, new_path(site), ("c1-pattern", "jobs"), ("c1-methods", "GET"), do="try")
    assert ("name", "Kept") in page.form("/new").fields
    assert "GET on paths beginning jobs" in page.text
    assert "This also opens /jobsadmin." in page.text
    page = await owner.submit(page, new_path(site), do="remove:0")
    assert ("c0-pattern", "jobs") in page.form("/new").fields
    assert "c1-pattern" not in page.form("/new").names


@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", "orders/1", "Let through by rule 1"),
        ("DELETE", "orders/1", "Refused: rule 1 has this path, but not DELETE."),
        ("GET", "customers", "Refused: no rule has the path /customers"),
        ("GET", "a//b", "Refused: servers could read this path in two ways."),
    ],
)
async def test_the_tester_says_which_rule_lets_a_request_through_or_why_none_does(
    site: Site, method: str, path: str, says: str
):
    owner = await site.member("owner")
    page = await owner.submit(await owner.get(new_path(site)), new_path(site), do="add")
    fields = [("c0-pattern", "orders/"), ("c0-methods", "GET"), ("try-method", method), ("try-path", path)]
    page = await owner.submit(page, new_path(site), *fields, do="try")
    assert says in page.text


async def test_the_tester_says_what_is_wrong_with_a_rule_rather_than_that_there_is_none(site: Site):
    owner = await site.member("owner")
    page = await owner.submit(await owner.get(new_path(site)), new_path(site), do="add")
    fields = [("c0-type", "regex"), ("c0-pattern", "a(b"), ("try-method", "GET"), ("try-path", "orders/1")]
    page = await owner.submit(page, new_path(site), *fields, do="try")
    assert "Rule 1: RE2 does not accept this regex" in page.text
    assert "Let through" not in page.text
    assert "With no rule" not in page.text
    assert ("try-path", "orders/1") in page.form("/new").fields


async def test_a_date_means_the_end_of_that_day_where_the_person_is(site: Site):
    owner = await site.member("owner")
    asked = await confirmed(
        owner, new_path(site), name="Ends", expiry="date", date="2099-02-14", zone="Europe/Madrid"
    )
    assert "22:59 UTC" in asked.text


async def test_what_looks_like_markup_is_text(site: Site):
    owner = await site.member("owner")
    page = await made(owner, new_path(site), name="<script>alert(1)</script>")
    assert "<script>alert" not in page.html
    assert "<script>alert" not in (await owner.get(f"/apps/{site.app['id']}/keys")).html


async def test_a_viewer_makes_no_key_and_is_offered_none(site: Site):
    viewer = await site.member("viewer")
    table = await viewer.get(f"/apps/{site.app['id']}/keys")
    assert "New API key" not in table.links
    assert "Delete" not in table.links
    assert (await viewer.get(new_path(site))).status == 403
    refused = await viewer.post(new_path(site), do="create", typed="CREATE", name="x", once="y")
    assert refused.status == 403


async def test_a_personal_key_is_made_in_the_organization_that_one_is_in(site: Site):
    developer = await site.member("viewer")
    page = await made(developer, "/profile/keys/new", name="My script", environment="test")
    assert "ks_sk_test_" in page.text
    assert "My script" in (await developer.get("/profile/keys")).text
