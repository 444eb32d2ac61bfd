"""Compile the dashboard's texts: `python -m scripts.locales`. `locales/en/*.po` become `locales/en.mo`."""

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parent.parent / "src/keystead/dashboard/locales"


def merged(folder: Path) -> Catalog:
    """All messages of a language. Raises ValueError for an id that stands twice."""
    whole = Catalog(locale=folder.name.replace("-", "_"))
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            part = read_po(file, locale=whole.locale, abort_invalid=True)
        for message in part:
            if not message.id:
                continue
            if message.id in whole:
                raise ValueError(f"{path}: {message.id!r} stands twice")
            whole[message.id] = message
    return whole


def write(catalog: Catalog, path: Path) -> None:
    """Write a catalog as pages read it."""
    with path.open("wb") as file:
        write_mo(file, catalog)


def main() -> int:
    """Compile every language."""
    for folder in sorted(it for it in LOCALES.iterdir() if it.is_dir()):
        write(merged(folder), LOCALES / f"{folder.name}.mo")
    return 0


if __name__ == "__main__":
    sys.exit(main())
