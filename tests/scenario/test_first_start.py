"""The first start: a link to the first operator, or the one whom the settings name; never two."""

import re
import sqlite3
import time
from pathlib import Path

import httpx

from tests.scenario.servers import Keystead, new_root_token, run_keystead

LINK = re.compile(r"^  (http://localhost:\d+/link\?secret=[0-9A-Za-z]{43})$", re.MULTILINE)
ADMIN = {"ADMIN_EMAIL": "ada@example.com", "ADMIN_PASSWORD": "correct horse battery"}


def printed(keystead: Keystead, *, starts: int) -> list[str]:
    """The links that so many starts have printed; each ends with what a newcomer does next."""
    deadline = time.monotonic() + 10
    while keystead.log_text().count("In a second terminal") < starts:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return LINK.findall(keystead.log_text())


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(folder / "data/keystead.sqlite3")
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def operators(folder: Path) -> list[tuple[object, ...]]:
    return rows(
        folder,
        "SELECT users.email, organizations.name FROM users JOIN members ON members.user_id = users.id"
        " JOIN organizations ON organizations.id = members.organization_id"
        " WHERE users.operator AND members.role = 'owner'",
    )


def test_each_start_prints_one_link_and_a_restart_ends_the_last(tmp_path: Path):
    with run_keystead(tmp_path) as keystead:
        [first] = printed(keystead, starts=1)
        assert not any(first.rpartition("=")[2] in str(line) for line in keystead.log_lines())
    with run_keystead(tmp_path, WORKERS="2") as keystead:
        [_, second] = printed(keystead, starts=2)
        assert first != second
    assert rows(tmp_path, "SELECT count(*) FROM links WHERE kind = 'set-up'") == [(1,)]


def test_the_settings_make_one_operator_with_an_organization_and_no_link(tmp_path: Path):
    root = new_root_token()
    for starts in (1, 2):
        with run_keystead(tmp_path, root=root, **ADMIN) as keystead:
            assert printed(keystead, starts=starts) == []
    assert operators(tmp_path) == [("ada@example.com", "ada")]
    with run_keystead(tmp_path, root=root) as keystead:
        assert printed(keystead, starts=3) == []
        [user] = keystead.made("GET", "users?email=ada@example.com")["items"]
        assert user["operator"]


def test_the_head_of_a_page_comes_without_its_body(tmp_path: Path):
    with (
        run_keystead(tmp_path) as keystead,
        httpx.Client(base_url=f"http://127.0.0.1:{keystead.port}") as client,
    ):
        whole, head = client.get("/sign-in"), client.head("/sign-in")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert client.head("/profile").status_code == 303
        assert client.get("/sign-in").content  # the connection still holds what it should
