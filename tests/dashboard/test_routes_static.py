"""The files that pages load: small, kept for ever by browsers, and none of them in the repository."""

import gzip
import re
import subprocess
from pathlib import Path

from keystead.dashboard.statics import STATIC
from tests.dashboard.site import Site

ROOT = Path(__file__).parents[2]
MOST_BYTES = 60_000
OURS = re.compile(r'(?:href|src)="[./]*(/static/[\w.-]+)"')


async def loaded(site: Site) -> list[str]:
    page = await site.browser().get("/sign-in")
    return [f"/static/{it.rpartition('/')[2]}" for it in OURS.findall(page.html)]


async def test_style_and_script_are_less_than_60_kb_as_they_are_sent(site: Site):
    sizes = {}
    for path in await loaded(site):
        if path.endswith((".css", ".js")):
            async with site.browser().client.stream("GET", path) as answer:
                assert answer.headers["content-encoding"] == "gzip", path
                sizes[path] = sum([len(part) async for part in answer.aiter_raw()])
    assert len(sizes) == 3
    assert sum(sizes.values()) < MOST_BYTES, sizes


async def test_files_are_named_by_their_content_and_kept_for_ever(site: Site):
    paths = await loaded(site)
    assert any("favicon" in path for path in paths)
    for path in paths:
        assert re.search(r"\.[0-9a-f]{12}\.\w+$", path), path
        answer = (await site.browser().get(path)).answer
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert "set-cookie" not in answer.headers, path


async def test_whoever_takes_no_gzip_gets_the_same_file(site: Site):
    for path in await loaded(site):
        browser = site.browser()
        whole = (await browser.get(path, accept_encoding="identity")).answer
        assert "content-encoding" not in whole.headers
        assert whole.content == (await browser.get(path)).answer.content


async def test_a_file_that_is_not_there_is_not_kept(site: Site):
    answer = (await site.browser().get("/static/nothing.000000000000.js")).answer
    assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


def test_no_file_that_was_built_is_committed():
    listed = subprocess.run(
        ["git", "ls-files", "src/keystead/dashboard/static", "*.mo"],  # noqa: S607 - as everybody's git is found
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert listed.stdout == ""


def test_our_own_part_of_them_is_small_too():
    own = [path.read_bytes() for path in STATIC.glob("dashboard.*")]
    assert len(own) == 2
    assert sum(len(gzip.compress(it)) for it in own) < MOST_BYTES / 2
