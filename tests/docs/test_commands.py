"""Every command and request that the pages show is run, page by page, and prints what they say it prints."""

from pathlib import Path

import pytest

from tests.docs.pages import COMMANDS, ILLUSTRATIONS, OUTPUTS, Page, pages
from tests.docs.session import TIMEOUT_S, follow

ELSEWHERE = {
    "CONTRIBUTING.md": "is about this suite, and would run it",
    "docs/proxies/nginx.md": "is run by tests/scenario/test_nginx.py",
}
"""Pages whose commands are not run from here, and why."""


def titled(page: Page) -> str:
    return page.name


@pytest.mark.parametrize("page", pages(), ids=titled)
def test_a_block_is_commands_or_what_they_print_or_a_file(page: Page):
    if page.name in ELSEWHERE:
        pytest.skip(ELSEWHERE[page.name])
    assert {block.kind for block in page.blocks} <= {COMMANDS, *OUTPUTS, *ILLUSTRATIONS}


@pytest.mark.timeout(TIMEOUT_S + 30)
@pytest.mark.parametrize(
    "page", [it for it in pages() if it.steps and it.name not in ELSEWHERE], ids=titled
)
def test_every_command_of_a_page_does_what_the_page_says(
    page: Page, tmp_path: Path, request: pytest.FixtureRequest
):
    replacements = {}
    if "5432" in page.text:
        postgres = request.getfixturevalue("postgres")
        postgres.execute("CREATE DATABASE keystead")
        replacements["5432"] = str(postgres.port)
    for done in follow(page, tmp_path, replacements):
        assert done.fault is None, (
            f"{page.name}:{done.step.line} {done.fault}\n\n{done.step.commands}\nprinted:\n{done.printed}"
        )
