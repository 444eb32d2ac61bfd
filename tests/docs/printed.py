"""Whether what was printed is what a page shows, where `…` stands for whatever differs from time to time.

Within a line `…` is any text, on a line of its own any lines, and at the end of a JSON object or array
whatever else is in there. The width of a table's columns does not count.
"""

import json
import re

from tests.docs.pages import Block

_ANY = "…"
_REST_OF_OBJECT = re.compile(r"([{,])\s*…\s*(?=\})")
_REST_OF_ARRAY = re.compile(r"([\[,])\s*…\s*(?=\])")


def matches(block: Block, printed: str) -> bool:
    """Whether `printed` is as the block shows."""
    if block.kind == "json":
        return _json_matches(_shown_json(block.text), json.loads(printed))
    return re.fullmatch(_pattern(block.text), _plain(printed)) is not None


def _shown_json(text: str) -> object:
    return json.loads(_REST_OF_ARRAY.sub(r'\1"…"', _REST_OF_OBJECT.sub(r'\1"…":"…"', text)))


def _json_matches(shown: object, found: object) -> bool:
    match shown, found:
        case dict(), dict():
            open_ended = _ANY in shown
            named = shown.keys() - {_ANY}
            known = named <= found.keys() and (open_ended or found.keys() == named)
            return known and all(_json_matches(shown[name], found[name]) for name in named)
        case list(), list():
            open_ended = shown[-1:] == [_ANY]
            items = shown[:-1] if open_ended else shown
            counted = len(items) <= len(found) if open_ended else len(items) == len(found)
            return counted and all(map(_json_matches, items, found))
        case str(), str():
            return re.fullmatch(_line(shown), found, re.DOTALL) is not None
        case _:
            return type(shown) is type(found) and shown == found


def _pattern(text: str) -> str:
    lines = _plain(text).splitlines()
    return "".join(r"(?:.*\n)*?" if line == _ANY else _line(line) + r"\n" for line in lines)


def _line(text: str) -> str:
    return ".*?".join(map(re.escape, text.split(_ANY)))


def _plain(text: str) -> str:
    lines = (re.sub(r"[ \t]+", " ", line).strip() for line in text.strip().splitlines())
    return "".join(f"{line}\n" for line in lines)
