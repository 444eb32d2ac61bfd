"""Write `docs/settings.md` from the settings' own metadata: `python -m scripts.settings_docs [--check]`."""

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from keystead.settings import CLIENT_SETTINGS, SETTINGS, Setting, shown

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_RULES = """\
<!-- Made by `make docs` from src/keystead/settings/: change it there. -->

# Settings

Keystead reads its settings from environment variables, once, when it starts. An option of the command line,
such as `--port`, wins over its variable. A wrong setting stops the start and says how to mend it.

- **Unset** means absent or empty.
- **Files**: any setting may be given as `NAME_FILE` instead, the path of a file that holds the value
  (UTF-8, one line; a line break at its end is left out). Best for secrets. Giving both is an error, and so is
  an empty file.
- **Durations** are whole seconds, or have a unit: `90s`, `5m`, `12h`, `30d`.
- **Booleans** are `1`, `true` or `yes`, and `0`, `false` or `no`.
- **Lists** have commas between their items.
- **Unknown names** that begin with `KEYSTEAD_` stop the start, with the nearest name as a suggestion.
"""


def page() -> str:
    """The whole page."""
    tables = (_table(title, settings) for title, settings in groupby(SETTINGS, lambda s: s.about.group))
    return "\n".join([_RULES, *tables, _client_table()])


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` only say whether it is up to date."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m scripts.settings_docs [--check]", file=sys.stderr)
        return 2
    if not arguments:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.name} is out of date: run `make docs`", file=sys.stderr)
    return 1


def _table(title: str, settings: Iterable[Setting]) -> str:
    return _rows(title, ("name", "default", "takes", "meaning"), map(_row, settings))


def _client_table() -> str:
    rows = ((f"`{name}`", meaning) for name, meaning in CLIENT_SETTINGS.items())
    return _rows("The command line's own", ("name", "meaning"), rows)


def _row(setting: Setting) -> tuple[str, ...]:
    default = None if setting.default is None else shown(setting.default)
    return (
        f"`{setting.name}`",
        "unset" if default is None else f"`{default}`",
        setting.about.takes,
        setting.about.meaning,
    )


def _rows(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (f"| {' | '.join(cells)} |" for cells in _with_rule(head, rows))
    return "\n".join([f"## {title}", "", *lines, ""])


def _with_rule(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    yield head
    yield ("---",) * len(head)
    yield from rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
