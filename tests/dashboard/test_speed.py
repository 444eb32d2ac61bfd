"""What pages ask of the database, and how much they weigh, with ten thousand keys in one app."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio

from keystead.dashboard.pages.keys import KEYS_PER_PAGE
from keystead.dashboard.paging import Trail
from keystead.domain.keys import Key
from keystead.ports.store import KeyOrder
from keystead.services.reading import position_of
from keystead.storage.sql.engine import WRITE
from tests.contract.watch import statements
from tests.dashboard.many import add_keys, key_id_of
from tests.dashboard.site import Browser, Site, opened_site

MANY = 10_000
MOST_BYTES = 100_000
MOST_BYTES_OF_OURS = 60_000
AS_BROWSERS_ASK = {"Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "same-origin"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Shared by the tests, of which none changes anything."""
    data = tmp_path_factory.mktemp("many") / "data"
    async with opened_site({"KEYSTEAD_DATA": str(data)}) as opened:
        made = await opened.world.key(opened.app, name="Worker 00000")
        writing = opened.instance.engine.execution_options(**WRITE[False])
        await add_keys(writing, await key_of(opened, made["id"]), MANY)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def owner(site: Site) -> Browser:
    return await site.member("owner")


async def key_of(site: Site, key_id: str) -> Key:
    async with site.context.store.read() as tables:
        found = await tables.keys.find(key_id)
    assert found is not None
    return found


def address(site: Site, path: str) -> str:
    return path.format(app=site.app["id"], organization=site.organization["id"])


async def reads(site: Site, owner: Browser, path: str) -> int:
    """How many statements a page asks of the database."""
    async with statements(site.instance.engine) as sent:
        page = await owner.get(path)
    assert page.status == 200
    return len(sent)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        # One resumes the session, whatever the page.
        ("/apps", 4),
        ("/apps/{app}", 14),
        ("/apps/{app}/keys", 6),
        ("/apps/{app}/keys?q=worker&sort=name&status=active&unused=30d", 6),
        ("/apps/{app}/keys/new", 5),
        ("/apps/{app}/settings", 3),
        ("/organizations/{organization}", 6),
        ("/organizations/{organization}/settings", 3),
        ("/organizations/{organization}/settings/keys", 7),
        ("/organizations/{organization}/members", 6),
        ("/organizations/{organization}/audit", 7),
        ("/organizations/{organization}/audit?kind=key&by=system", 7),
        ("/profile", 2),
        ("/profile/keys", 5),
    ],
)
async def test_a_page_asks_the_database_a_bounded_number_of_times(
    site: Site, owner: Browser, path: str, most: int
):
    assert await reads(site, owner, address(site, path)) <= most


@pytest.mark.parametrize("sort", ["", "name", "used", "expiry"])
async def test_the_two_hundredth_page_asks_as_much_as_the_first_and_shows_what_follows(
    site: Site, owner: Browser, sort: str
):
    path = address(site, f"/apps/{{app}}/keys?sort={sort}")
    ended = await key_of(site, key_id_of(200 * KEYS_PER_PAGE))
    [step] = Trail().beyond(position_of(ended, KeyOrder(sort or KeyOrder.NEWEST)))
    far_in = f"{path}&{urlencode({'after': step})}"
    assert await reads(site, owner, far_in) == await reads(site, owner, path)
    page = await owner.get(far_in)
    shown = re.findall(r"Actions for Worker ([0-9]+)", page.text)
    first = 200 * KEYS_PER_PAGE + 1
    assert [int(number) for number in shown] == [*range(first, first + KEYS_PER_PAGE)]


@pytest.mark.parametrize("below", ["", "/keys", "/keys/new", "/settings"])
async def test_a_first_visit_transfers_less_than_100_kb(site: Site, owner: Browser, below: str):
    path = address(site, f"/apps/{{app}}{below}")
    page = await owner.client.get(path, headers=AS_BROWSERS_ASK)
    assert page.headers["content-encoding"] == "gzip"
    parts = [page, *[await owner.client.get(it, headers=AS_BROWSERS_ASK) for it in loaded_by(page)]]
    [style] = [it for it in parts if "text/css" in it.headers["content-type"]]
    # Letters that only some languages have are loaded only where a page shows one.
    fonts = [it for it in re.findall(r'url\("([^"]+[.]woff2)"\)', style.text) if "latin-ext" not in it]
    assert len(fonts) == 2
    parts += [await owner.client.get(style.url.join(it)) for it in fonts]
    parts = list({part.url: part for part in parts}.values())
    assert all(part.status_code == 200 for part in parts)
    weights = {part.url.path: int(part.headers["content-length"]) for part in parts}
    assert sum(weights.values()) < MOST_BYTES, weights
    ours = sum(it for name, it in weights.items() if "dashboard." in name)
    assert ours < MOST_BYTES_OF_OURS, weights


def loaded_by(page: httpx.Response) -> list[httpx.URL]:
    """What a page has the browser load at once."""
    named = re.findall(r'(?:src|href)="([^"]*static/[^"]+)"', page.text)
    return [page.url.join(it) for it in dict.fromkeys(named)]


@pytest.mark.parametrize(
    ("headers", "packed"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Accept-Encoding": "br, gzip"}, True),
        ({"Sec-Fetch-Site": "none", "Accept-Encoding": "gzip"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Accept-Encoding": "gzip"}, False),
        ({"Sec-Fetch-Site": "same-site", "Accept-Encoding": "gzip"}, False),
        ({"Accept-Encoding": "gzip"}, False),
        ({"Sec-Fetch-Site": "none", "Accept-Encoding": "identity"}, False),
    ],
)
async def test_no_page_is_packed_that_another_site_may_have_asked_for(
    site: Site, owner: Browser, headers: dict[str, str], *, packed: bool
):
    answer = await owner.client.get(address(site, "/apps/{app}/keys?q=worker"), headers=headers)
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert (int(answer.headers["content-length"]) < len(answer.text) / 5) is packed
    assert "Worker 00001" in answer.text


async def test_the_time_it_took_is_told_of_pages_and_never_of_forms(site: Site, owner: Browser):
    page = await owner.get("/apps")
    assert re.fullmatch(r"app;dur=[0-9]+[.][0-9]", page.answer.headers["server-timing"])
    form = await owner.post("/apps/new", organization=site.organization["id"], name="", environment="live")
    assert form.status == 422
    assert "server-timing" not in form.answer.headers
    assert "content-encoding" not in form.answer.headers
