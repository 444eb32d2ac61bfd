"""Where answers go: JSON for programs, tables and facts for people."""

# ruff: noqa: PLC0415 - Rich takes long to import, and `keystead --help` and `--json` need none of it

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keystead.cli.exits import Json

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

Reader = Callable[[Json], str]
"""What a person reads of an object; empty where there is nothing to say."""

_WIDTH = 100_000
"""Nothing is folded or cut to the terminal's width: an id broken over two lines cannot be copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How people see a kind of thing: `columns` in a list, `facts` alone, then its `parts` in a list.

    A fact that reads empty is left out.
    """

    many: str
    columns: Mapping[str, Reader]
    facts: Mapping[str, Reader]
    parts: str | None = None
    part_columns: Mapping[str, Reader] | None = None


def print_json(body: object, *, err: bool = False) -> None:
    """JSON, indented and in ASCII so that it reads the same on every terminal."""
    _write(json.dumps(body, indent=2), err=err)


def print_line(text: str, *, err: bool = False) -> None:
    """A line for people or, as of a token, for a program that reads standard output."""
    _write(text, err=err)


def print_list(view: View, items: Sequence[Json], *, err: bool = False) -> None:
    """A table of `items`; without any, a word on standard error, so that a pipe stays empty."""
    if not items:
        print_line(f"no {view.many}", err=True)
        return
    _print([_table(view.columns, items)], err=err)


def print_facts(view: View, item: Json, *, err: bool = False) -> None:
    """All there is to know of one thing."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(no_wrap=True)
    for label, read in view.facts.items():
        if text := read(item):
            grid.add_row(Text(label), Text(clean(text)))
    parts = objects(item.get(view.parts)) if view.parts else []
    shown: list[RenderableType] = [grid]
    if parts and view.part_columns:
        shown += [Text(), _table(view.part_columns, parts)]
    _print(shown, err=err)


def print_token(token: str, note: str) -> None:
    """A token with what to know of it: framed on a terminal, alone on a piped standard output."""
    if not sys.stdout.isatty():
        print_line(note, err=True)
        print_line(token)
        return
    from rich.text import Text

    rule = Text("─" * len(token), style="yellow")
    _print([Text(), rule, Text(clean(token), style="bold"), rule, Text(note, style="yellow")], err=False)


def clean(text: str) -> str:
    """`text` with whatever could drive a terminal written out, escapes and invisible marks included."""
    return "".join(it if it.isprintable() else it.encode("unicode_escape").decode("ascii") for it in text)


def objects(value: object) -> list[Json]:
    """The objects of a JSON array; none for anything else."""
    return [it for it in value if isinstance(it, dict)] if isinstance(value, list) else []


def _table(columns: Mapping[str, Reader], items: Sequence[Json]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in columns:
        table.add_column(name.upper(), no_wrap=True)
    for item in items:
        table.add_row(*(Text(clean(read(item)) or "-") for read in columns.values()))
    return table


def _print(shown: Sequence["RenderableType"], *, err: bool) -> None:
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    is_terminal = stream.isatty()
    console = Console(
        file=stream,
        width=_WIDTH,
        highlight=False,
        # No colours in a pipe, whatever the environment says of terminals.
        force_terminal=is_terminal,
        color_system="auto" if is_terminal else None,
    )
    # Captured, because Rich ends the program with code 1 on a closed pipe, and 1 is a verdict of ours.
    with console.capture() as captured:
        for it in shown:
            console.print(it)
    _write("\n".join(line.rstrip() for line in captured.get().splitlines()), err=err)


def _write(text: str, *, err: bool) -> None:
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()
