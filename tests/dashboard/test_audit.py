"""The audit log: filtered, paged, exported."""

import csv
import io
import json

import pytest

from keystead.domain.powers import Operator
from keystead.services.apps import change_app
from keystead.services.context import Actor
from keystead.services.drafts import AppChange
from tests.dashboard.site import Site

OPERATOR = Actor(principal=Operator())


def _path(site: Site) -> str:
    return f"/organizations/{site.organization['id']}/audit"


async def test_an_entry_says_who_did_what_and_when(site: Site):
    owner = await site.member("owner")
    await owner.post("/apps/new", organization=site.organization["id"], name="Shop", environment="live")
    page = await owner.get(_path(site))
    assert page.status == 200
    assert "App created" in page.text
    assert owner.user.name in page.text
    assert "Shop" in page.text


async def test_the_log_is_filtered_and_goes_on_to_older_entries(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keystead.dashboard.pages.audit.ENTRIES_PER_PAGE", 2)
    owner = await site.member("owner")
    for name in ("One", "Two", "Three"):
        site.clock.advance(seconds=1)
        await change_app(site.context, OPERATOR, site.app["id"], AppChange(name=name))
    first = await owner.get(f"{_path(site)}?kind=app")
    assert "Key created" not in first.text
    assert "Three" in first.text
    older = await owner.get(first.links["Next"].replace("../../", "/"))
    assert "App created" in older.text
    assert "Next" not in older.links
    assert "Previous" in older.links
    nobody = await owner.get(f"{_path(site)}?by=usr_nobody")
    assert "No entry is like this" in nobody.text


@pytest.mark.parametrize("file", ["csv", "jsonl"])
async def test_the_links_to_files_carry_download_and_the_filter(site: Site, file: str):
    admin = await site.member("admin")
    page = await admin.get(f"{_path(site)}?kind=app")
    assert (
        f'download href="../../organizations/{site.organization["id"]}/audit/export.{file}?kind=app"'
        in page.html
    )
    answer = await admin.get(f"{_path(site)}/export.{file}?kind=app")
    assert answer.status == 200
    assert answer.answer.headers["content-disposition"].startswith("attachment")
    assert "app.create" in answer.html
    assert "key.create" not in answer.html


async def test_no_cell_of_the_csv_is_a_formula(site: Site, monkeypatch: pytest.MonkeyPatch):
    owner = await site.member("owner")
    await change_app(site.context, OPERATOR, site.app["id"], AppChange(name="=1+1"))
    answer = await owner.get(f"{_path(site)}/export.csv")
    rows = list(csv.reader(io.StringIO(answer.answer.text)))
    assert rows[0][0] == "at"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in rows for cell in row)


async def test_json_lines_are_entries_as_the_api_shows_them(site: Site):
    owner = await site.member("owner")
    answer = await owner.get(f"{_path(site)}/export.jsonl")
    lines = [json.loads(line) for line in answer.answer.text.splitlines()]
    shown = await site.world.call("GET", f"organizations/{site.organization['id']}/audit")
    assert lines == shown.json()["items"]


@pytest.mark.parametrize("role", ["developer", "viewer"])
async def test_who_may_not_read_the_log_is_not_led_there_and_refused(site: Site, role: str):
    member = await site.member(role)
    for below in ("", "/export.csv", "/export.jsonl"):
        assert (await member.get(f"{_path(site)}{below}")).status == 403
    assert "Audit log" not in (await member.get("/apps")).links


async def test_script_shaped_values_are_text(site: Site):
    owner = await site.member("owner")
    await change_app(site.context, OPERATOR, site.app["id"], AppChange(name="<script>x</script>"))
    page = await owner.get(_path(site))
    assert "<script>x" not in page.html
    assert "&lt;script&gt;x" in page.html
