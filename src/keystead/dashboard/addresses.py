"""Addresses within the dashboard, relative to the page asked: so a base path needs no setting."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

_LEFT = "/?#[]@!$&'()*+,;=:%"
"""What stands in addresses as it is; a space, a line break or a letter with an accent does not."""

MAX_STEPS = 16
"""Pages lie no deeper than this; a request that claims more is not believed."""


def steps_of(raw_path: str) -> int:
    """How many folders the page at `raw_path` lies below the root, as a browser counts them."""
    return max(raw_path.count("/") - 1, 0)


def relative(path: str, *, steps: int, query: Mapping[str, object] | None = None) -> str:
    """The address of `path`, which starts with a slash, seen from a page `steps` folders deep.

    Entries of `query` that are None are left out; a list becomes several entries. `path` may hold what
    somebody sent: nothing in it ends the header or the attribute that the address comes to stand in.
    """
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"not a path of ours: {path!r}")
    place, mark, fragment = path[1:].partition("#")
    wanted = {name: value for name, value in (query or {}).items() if value is not None}
    # "./" stands before everything at the root: without it a colon would make a scheme of the first segment.
    start = "../" * steps or "./"
    ask = f"?{urlencode(wanted, doseq=True)}" if wanted else ""
    return quote(f"{start}{place}{ask}{mark}{fragment}", safe=_LEFT)
