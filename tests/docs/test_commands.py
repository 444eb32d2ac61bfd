"""Every command and request that the pages show is run, page by page, and prints what they say it prints."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import COMMANDS, ILLUSTRATIONS, OUTPUTS, ROOT, Page, pages
from tests.docs.session import TIMEOUT_S, follow
from tests.scenario.servers import run_api, run_keystead
from tests.servers import free_port, run_nginx

NGINX = "docs/proxies/nginx.md"
"""Its commands need the nginx that it configures: the last test runs them there."""

DEPLOY = "docs/deploy.md"
"""Its commands are for root: `test_deploy.py` plays the machine for them."""

OURS = "CONTRIBUTING.md"
"""Its commands run this suite."""

RUN = [page for page in pages() if page.steps and page.name not in {NGINX, DEPLOY, OURS}]


def titled(page: Page) -> str:
    return page.name


@pytest.mark.parametrize("page", pages(), ids=titled)
def test_a_block_is_commands_or_what_they_print_or_a_file(page: Page):
    assert {block.kind for block in page.blocks} <= {COMMANDS, *OUTPUTS, *ILLUSTRATIONS}


@pytest.mark.timeout(TIMEOUT_S + 30)
@pytest.mark.parametrize("page", RUN, ids=titled)
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


def test_the_commands_of_the_nginx_page_work_with_the_nginx_that_it_configures(tmp_path: Path):
    page, port = Page(ROOT / NGINX), free_port()
    [config] = [block.text for block in page.blocks if block.kind == "nginx"]
    (tmp_path / "server").mkdir()
    with run_keystead(tmp_path / "server") as keystead, run_api() as api:
        for shown, ours in {"8420": keystead.port, "9000": api.port, "listen 8080": f"listen {port}"}.items():
            config = config.replace(shown, str(ours))
        with run_nginx(config, port=port) as process:
            nginx = f'#!/bin/sh\nexec {" ".join(map(str, process.args))} "$@"\n'
            token = keystead.key()["token"]
            home = tmp_path / "home"
            home.mkdir()
            [done] = follow(
                page, home, {"8080": str(port)}, environ={"TOKEN": token}, programs={"nginx": nginx}
            )
    assert done.ended, done.printed
    assert re.findall(r"HTTP/1\.1 (\d+)", done.printed) == ["401", "200"]
