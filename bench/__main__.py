"""`python -m bench [PART…]`: measure parts, all of them unless some are named, and write the page.

The page is made from the last result of each part.
"""

import sys
from collections.abc import Callable, Sequence

from bench import beside, dashboard, over_http, process, revoke, writes
from bench.page import write_page
from bench.table import Told, keep, kept, say

PARTS: dict[str, Callable[[], Told]] = {
    "process": process.measure,
    "http": over_http.measure,
    "peers": beside.measure,
    "revoke": revoke.measure,
    "writes": writes.measure,
    "dashboard": dashboard.measure,
}


def main(wanted: Sequence[str]) -> None:
    """Measure, keep, write."""
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for part in wanted or PARTS:
        say(f"part {part}")
        keep(part, PARTS[part]())
    found = {part: told for part in PARTS if (told := kept(part)) is not None}
    print(write_page(found))


if __name__ == "__main__":
    main(sys.argv[1:])
