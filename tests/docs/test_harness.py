"""The harness itself: what it runs, what it lets pass and what it does not."""

from pathlib import Path

import pytest

from tests.docs.pages import Block, Page
from tests.docs.printed import matches
from tests.docs.session import follow


def page(folder: Path, *blocks: str) -> Page:
    path = folder / "page.md"
    path.write_text("\n".join(blocks))
    return Page(path)


def faults(folder: Path, *blocks: str) -> list[str | None]:
    home = folder / "home"
    home.mkdir()
    return [done.fault for done in follow(page(folder, *blocks), home, {})]


def sh(commands: str) -> str:
    return f"```sh\n{commands}\n```\n"


def text(printed: str) -> str:
    return f"```text\n{printed}\n```\n"


def test_only_a_block_directly_below_is_what_the_commands_print(tmp_path: Path):
    steps = page(tmp_path, sh("echo 1"), text("1"), sh("echo 2"), "And then:\n", text("a drawing")).steps
    assert [step.printed.text if step.printed else None for step in steps] == ["1\n", None]


def test_blocks_share_one_shell(tmp_path: Path):
    assert faults(tmp_path, sh("WORD=yes"), sh('echo "$WORD"'), text("yes")) == [None, None]


def test_what_is_printed_is_compared(tmp_path: Path):
    [fault] = faults(tmp_path, sh("echo no"), text("yes"))
    assert fault is not None
    assert "printed something else" in fault


def test_a_command_that_fails_is_found_and_nothing_after_it_is_run(tmp_path: Path):
    assert faults(tmp_path, sh("false"), sh("true")) == ["failed, or did not end", "was not come to"]


def test_a_failure_that_the_page_shows_is_none(tmp_path: Path):
    assert faults(tmp_path, sh('false || echo "exit $?"'), text("exit 1")) == [None]


def test_an_http_error_is_a_failure_unless_the_page_shows_it(tmp_path: Path):
    found = faults(
        tmp_path,
        sh("keystead serve"),
        sh("curl -s http://127.0.0.1:8420/api/nowhere"),
        sh("curl -s http://127.0.0.1:8420/api/nowhere"),
        '```json\n{"type": "not-found", "status": 404, …}\n```\n',
    )
    assert found[0] is None
    assert found[1] is not None
    assert "was refused" in found[1]
    assert found[2] is None


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("id  key_…", "id       key_0123", True),
        ("id  key_…", "id       app_0123", False),
        ("a\n…\nz", "a\nb\nc\nz", True),
        ("a\n…\nz", "a\nz", True),
        ("a\nz", "a\nb\nz", False),
        ("a", "a\nb", False),
    ],
)
def test_text_is_compared_line_by_line(shown: str, printed: str, same: bool):  # noqa: FBT001 - a table
    assert matches(Block(line=1, kind="text", text=shown), printed) is same


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ('{"id": "key_…"}', '{"id": "key_1"}', True),
        ('{"id": "key_…"}', '{"id": "key_1", "more": 1}', False),
        ('{"id": "key_…", …}', '{"id": "key_1", "more": 1}', True),
        ('{"id": "key_…", …}', '{"more": 1}', False),
        ('{"items": [{…}, …]}', '{"items": [{"a": 1}, 2, 3]}', True),
        ('{"items": [1]}', '{"items": [1, 2]}', False),
        ('{"valid": true}', '{"valid": 1}', False),
    ],
)
def test_json_is_compared_by_its_values(shown: str, printed: str, same: bool):  # noqa: FBT001 - a table
    assert matches(Block(line=1, kind="json", text=shown), printed) is same
