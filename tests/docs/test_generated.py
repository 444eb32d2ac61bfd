"""Tables that the code knows are as the code says."""

from pathlib import Path

import pytest

from scripts import tables_docs


def test_the_tables_are_up_to_date():
    assert tables_docs.main(["--check"]) == 0, "run `make docs`"


def test_every_table_stands_on_a_page():
    text = "".join(path.read_text("utf-8") for path in tables_docs.DOCS.glob("*.md"))
    assert {it for it in tables_docs.TABLES if f"<!-- {it}: made by `make docs` -->" not in text} == set()


def test_a_table_that_was_changed_by_hand_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    page = tmp_path / "cli.md"
    page.write_text("# Exit\n\n<!-- exit-codes: made by `make docs` -->\nby hand\n<!-- end -->\n\nAfter.\n")
    monkeypatch.setattr(tables_docs, "DOCS", tmp_path)
    assert tables_docs.main(["--check"]) == 1
    assert tables_docs.main([]) == 0
    assert tables_docs.main(["--check"]) == 0
    assert page.read_text().startswith("# Exit\n\n<!-- exit-codes")
    assert "| 0 | done |" in page.read_text()
    assert page.read_text().endswith("<!-- end -->\n\nAfter.\n")
