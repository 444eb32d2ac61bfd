"""Fill in the tables of `docs/` that the code knows: `python -m scripts.tables_docs [--check]`.

A table stands between `<!-- name: made by `make docs` -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from keystead.api.openapi_problems import PROBLEMS
from keystead.api.refusals import REFUSALS
from keystead.cli.exits import MEANINGS
from keystead.domain.powers import POWERS
from keystead.domain.tenants import Role
from keystead.domain.verdict import Reason

DOCS = Path(__file__).parent.parent / "docs"

Rows = Iterator[Sequence[str]]

_MARKED = re.compile(r"(<!-- ([a-z-]+): made by `make docs` -->\n).*?(<!-- end -->)", re.DOTALL)


def powers() -> Rows:
    """Who may do what."""
    yield ("to", "root key with", *Role)
    for power, rule in POWERS.items():
        scope = "-" if rule.scope is None else f"`{rule.scope}`"
        yield (power, scope, *("yes" if rule.people or role in rule.roles else "-" for role in Role))


def refusals() -> Rows:
    """How each reason reads over HTTP, in the order judged."""
    yield ("reason", "status", "`type`", "what the one who presents the token is told")
    for reason in Reason:
        refusal = REFUSALS[reason]
        yield (f"`{reason}`", str(refusal.status), f"`{refusal.slug}`", refusal.detail)


def problems() -> Rows:
    """Every problem of our own API."""
    yield ("status", "`type`", "`detail`, for example")
    for status, examples in PROBLEMS.items():
        for slug, detail in examples.items():
            yield (str(status), f"`{slug}`", _without_ids(detail))


def exit_codes() -> Rows:
    """How a command of ours may end."""
    yield ("code", "meaning")
    for code, meaning in MEANINGS.items():
        yield (str(code.value), meaning)


TABLES: Mapping[str, Callable[[], Rows]] = {
    "exit-codes": exit_codes,
    "powers": powers,
    "problems": problems,
    "refusals": refusals,
}


def filled(page: str) -> str:
    """The text of a page with its tables as they must be."""
    return _MARKED.sub(lambda it: f"{it[1]}{_table(TABLES[it[2]]())}{it[3]}", page)


def main(arguments: list[str]) -> int:
    """Write the tables, or with `--check` only say which pages are out of date."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m scripts.tables_docs [--check]", file=sys.stderr)
        return 2
    stale = [path for path in sorted(DOCS.glob("*.md")) if filled(text := path.read_text("utf-8")) != text]
    if not arguments:
        for path in stale:
            path.write_text(filled(path.read_text("utf-8")), "utf-8")
        return 0
    for path in stale:
        print(f"{path.name} is out of date: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _table(rows: Rows) -> str:
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _without_ids(text: str) -> str:
    """An example without the random part of an id, which would only be noise."""
    return re.sub(r"\b([a-z]{3})_[0-9A-Za-z]{22}", r"\1_…", text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
