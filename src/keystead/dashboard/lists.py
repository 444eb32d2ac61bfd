"""Lists that are typed, one thing on each line, and what is wrong with which line."""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"([a-z_.]+)\[([0-9]+)\]")


def lines_of(text: str) -> list[str]:
    """What stands on the lines, without those that are empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def by_field(errors: Mapping[str, str], typed: Mapping[str, str]) -> dict[str, str]:
    """Faults by the field that holds a list: `origins[1]` is about its second line, which is named."""
    return dict(_named(field, problem, typed) for field, problem in errors.items())


def _named(field: str, problem: str, typed: Mapping[str, str]) -> tuple[str, str]:
    place = _PLACE.fullmatch(field)
    if place is None:
        return field, problem
    lines = lines_of(typed.get(place[1], ""))
    index = int(place[2])
    line = lines[index] if index < len(lines) else ""
    return place[1], f"{line}: {problem}" if line else problem
