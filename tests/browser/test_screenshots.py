"""Pictures of all pages can be taken, and no page is without one."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.handlers import HTTPRouteHandler

from keystead.dashboard.app import ROUTES
from keystead.dashboard.pages import pieces
from scripts.scenes import SCENES, Look
from scripts.screenshots import DOCS, take

NO_PAGES = {
    "/": "leads on",
    "/apps/{}/steps": "a part of a page, for its script",
    "/organizations/{}/audit/export.csv": "a file",
    "/organizations/{}/audit/export.jsonl": "a file",
    "/profile/keys/generate": "leads on",
}
MOST_BYTES = 60_000
DARK_PHONE = Look("phone", "dark")


def pages() -> Iterator[str]:
    """The paths of all pages, `{}` standing for what differs."""
    for route in (*ROUTES, *pieces.ROUTES):
        assert isinstance(route, HTTPRouteHandler)
        if "GET" in route.http_methods:
            yield from (re.sub(r"{[^}]*}", "{}", path) for path in route.paths)


def test_each_page_has_a_picture():
    pictured = {re.sub(r"{[^}]*}", "{}", it.path.partition("?")[0]) for it in SCENES}
    # The only ones whose address is chosen for what they show.
    pictured |= {"/_pieces/problem/{}"}
    assert set(pages()) - NO_PAGES.keys() - pictured == set()
    assert NO_PAGES.keys() - set(pages()) == set()


def test_scenes_have_names_of_their_own():
    names = [it.name for it in SCENES]
    assert len(set(names)) == len(names)


@pytest.mark.timeout(600)
def test_all_pictures_of_a_look_are_taken(tmp_path: Path):
    taken = list(take(tmp_path, [DARK_PHONE]))
    assert [it.name for it in taken] == [f"{it.name}.phone-dark.png" for it in SCENES]
    assert all(it.read_bytes().startswith(b"\x89PNG") for it in taken)


def test_the_docs_have_the_pictures_that_scenes_are_marked_for_and_small_ones():
    there = {it.name: it.stat().st_size for it in DOCS.iterdir()}
    assert there.keys() == {f"{it.name}.webp" for it in SCENES if it.doc}
    assert max(there.values()) <= MOST_BYTES
