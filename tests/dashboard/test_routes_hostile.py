"""What people typed stands on pages, in letters, in files and in code as what it is: text."""

import csv
import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from keystead.dashboard.audit_log import as_csv
from keystead.domain.audit import Entry, Subject, SubjectKind
from keystead.domain.ids import OrganizationId
from keystead.domain.keys import By, ByKind
from keystead.domain.tenants import Role
from keystead.services.drafts import NewInvitation
from keystead.services.links import make_invitation
from tests.clock import BEGINNING
from tests.dashboard.rich import ALL_WAYS, HOSTILE, OPERATOR, Rich, enrich
from tests.dashboard.site import opened_site
from tests.dashboard.test_routes import Inline, pages

STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What programs that open CSV take a cell for a formula by."""

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rich(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rich]:
    data = str(tmp_path_factory.mktemp("rich") / "data")
    async with opened_site({"KEYSTEAD_DATA": data}, **ALL_WAYS) as site:
        yield await enrich(site, HOSTILE)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_page_shows_what_was_typed_as_text(rich: Rich):
    seen = set()
    for path in pages(rich):
        page = await rich.browser.get(path)
        if "text/html" not in page.answer.headers["content-type"]:
            continue
        read = Inline(page.html)
        assert read.found == [], path
        assert "<script>alert" not in page.html, path
        assert "<img" not in page.html, path
        seen |= {text for text in HOSTILE.typed if " ".join(text.split()) in page.text}
    assert seen == set(HOSTILE.typed)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_letter_is_text_and_has_one_subject(rich: Rich):
    organization_id = OrganizationId(rich.values["organization_id"])
    draft = NewInvitation(email="letter@example.com", role=Role.VIEWER)
    await make_invitation(rich.site.context, OPERATOR, organization_id, draft)
    _, subject, text = rich.site.mail.sent[-1]
    assert HOSTILE.organization in text
    assert "\n" not in subject
    assert text.count("http") == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_no_cell_of_an_export_is_a_formula(rich: Rich):
    path = f"/organizations/{rich.values['organization_id']}/audit/export.csv"
    rows = list(csv.reader(io.StringIO((await rich.browser.get(path)).html)))
    assert len(rows) > 10
    assert not [cell for row in rows for cell in row if cell.startswith(STARTS)]


@pytest.mark.parametrize("text", FORMULAS)
async def test_whatever_an_entry_holds_its_cells_are_text(text: str):
    async def entries() -> AsyncIterator[Entry]:
        yield Entry(
            id=text,
            at=BEGINNING,
            by=By(kind=ByKind.USER, id=text),
            action=text,
            subject=Subject(kind=SubjectKind.KEY, id=text),
            organization_id=None,
            before={"name": text},
            after=None,
            address=text,
            request_id=text,
            epoch=1,
        )

    told = "".join([row async for row in as_csv(entries())])
    _, cells = csv.reader(io.StringIO(told, newline=""))
    assert f"'{text}" in cells
    assert not [cell for cell in cells if cell.startswith(STARTS)]
