"""The lines of the table, and where the last ones of each part are kept."""

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keystead-bench"
"""Results of the parts, and the peers' packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured thing; `at_least` and `reach_for` are empty where it is only reported."""

    what: str
    measured: str
    at_least: str = ""
    reach_for: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one part found: the lines of the table, and more to read beside it."""

    lines: Sequence[Line]
    more: Sequence[Line] = ()
    day: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M}")
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """The machine's load average when the part ended."""


def judged(text: str, figure: float, least: float, reach: float | None = None) -> str:
    """`text` and how `figure` stands to the bounds; upwards is better unless `least` is above `reach`."""
    upwards = reach is None or reach >= least
    return text + _verdict(figure, least, reach if reach is not None else least, upwards=upwards)


def judged_at_most(text: str, figure: float, most: float) -> str:
    """`text` and whether `figure` is within its one bound."""
    return text + _verdict(figure, most, most, upwards=False)


def keep(part: str, told: Told) -> None:
    """Keep what a part found, in the place of what it found before."""
    CACHE.mkdir(parents=True, exist_ok=True)
    _file(part).write_text(json.dumps(asdict(told), ensure_ascii=False, indent=1), encoding="utf-8")


def kept(part: str) -> Told | None:
    """What a part found last; None if it never ran."""
    if not _file(part).exists():
        return None
    found = json.loads(_file(part).read_text(encoding="utf-8"))
    lines = {name: [Line(**it) for it in found.pop(name)] for name in ("lines", "more")}
    return Told(**found, **lines)


def machine() -> str:
    """What this is measured on."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = cpu[1] if cpu else "unknown processor"
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {sys.version.split()[0]}"


def say(text: str) -> None:
    """Tell whoever waits how far we are."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _verdict(figure: float, least: float, reach: float, *, upwards: bool) -> str:
    sign = 1 if upwards else -1
    if sign * figure < sign * least:
        return ", **missed**"
    return "" if least == reach else ", reached" if sign * figure >= sign * reach else ", enough"


def _file(part: str) -> Path:
    return CACHE / f"{part}.json"
