"""`docs/benchmarks.md`, from the last result of each part."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bench.table import Told, machine

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
_STORY = Path(__file__).parent / "story.md"

_INTRO = """# Benchmarks

Made by `make bench` on {machine}. Machines are noisy: compare figures of one run, and ratios rather than
rates. Each key is secret, with ten prefix constraints, and each accepted attempt is counted as a use. What is
measured runs on one core, and the load (wrk, 64 keep-alive connections) on the other, unless a line says
otherwise.

| what | at least | reach for | measured | peer or note |
| --- | --- | --- | --- | --- |
"""
_MORE = """
## Beside it

| what | measured | note |
| --- | --- | --- |
"""
_RUNS = """
## When it was measured

| part | ended | load average then |
| --- | --- | --- |
"""


def write_page(parts: Mapping[str, Told]) -> str:
    """Write the page, and give its text."""
    lines = [line for told in parts.values() for line in told.lines]
    more = [line for told in parts.values() for line in told.more]
    text = _INTRO.format(machine=machine()) + _rows(
        (it.what, it.at_least, it.reach_for, it.measured, it.note) for it in lines
    )
    if more:
        text += _MORE + _rows((it.what, it.measured, it.note) for it in more)
    text += _RUNS + _rows((part, told.day, f"{told.load:.1f}") for part, told in parts.items())
    text += "\n" + _STORY.read_text(encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")
    return text


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
