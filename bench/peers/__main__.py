"""Measure the peers alone: `python -m bench.peers FOLDER`, which keeps what they need in FOLDER."""

import sys
from pathlib import Path

from bench.peers.everyone import MEASURED
from bench.peers.figure import Missing


def main(folder: Path) -> None:
    """Print a line for each, as soon as it is known."""
    for name, measure in MEASURED.items():
        try:
            it = measure(folder)
        except Missing as exc:
            print(f"{name}: missing, {exc.reason}", flush=True)
        else:
            times = f"p50 {it.p50_us:,.0f} µs, p99 {it.p99_us:,.0f} µs"
            print(f"{it.name}: {it.per_second:,.0f}/s, {times} ({it.note})", flush=True)


main(Path(sys.argv[1]).resolve())
