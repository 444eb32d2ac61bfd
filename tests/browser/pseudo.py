"""A language that nobody speaks, from right to left: what is not written in it came from no catalog."""

import re
from pathlib import Path

from scripts.locales import LOCALES, merged, write

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = str.maketrans(PLAIN, "áƀçđéƒğĥíĵķĺɱñóþɋŕšţúṽŵẋýžÁƁÇĐÉƑĞĤÍĴĶĹṀÑÓÞɊŔŠŢÚṼŴẊÝŽ")
LANGUAGE = "ar"
"""As which pages know it: a language that is written from right to left."""

_KEPT = re.compile(r"(\{\w*\}|<[^>]*>|&\w+;)")
_PADDING = " ~~~~~"


def write_pseudo(folder: Path) -> None:
    """Write our languages, and this one, as pages read them."""
    folder.mkdir()
    for language in ("en", "es"):
        write(merged(LOCALES / language), folder / f"{language}.mo")
    catalog = merged(LOCALES / "en")
    for message in catalog:
        if message.id:
            forms = message.string if isinstance(message.string, tuple) else (message.string,)
            told = tuple(pseudo(str(form)) for form in forms)
            message.string = told if isinstance(message.string, tuple) else told[0]
    write(catalog, folder / f"{LANGUAGE}.mo")


def pseudo(text: str) -> str:
    """A text with accents, a third longer; values and markup in it stay."""
    parts = _KEPT.split(text)
    accented = [part if at % 2 else part.translate(ACCENTED) for at, part in enumerate(parts)]
    return "".join(accented) + (_PADDING * len(text))[: len(text) // 3].rstrip()
