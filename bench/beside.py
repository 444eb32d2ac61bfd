"""Part `peers`: verification in process, beside what people use today."""

import asyncio
import tempfile
from pathlib import Path

from bench.peers.everyone import IN_PROCESS
from bench.peers.figure import KEYS, Missing
from bench.primary import environ
from bench.process import inside
from bench.seed import seed_sqlite
from bench.table import CACHE, Line, Told, judged, say
from keystead.settings import load_settings
from keystead.storage.data import DATABASE
from keystead.wiring import set_up

ROUNDS = 6
_LEAST, _REACH = 20, 50


def measure() -> Told:
    """Some minutes; the peers' packages are fetched the first time, and kept."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name:
        folder = Path(name) / "node"
        folder.mkdir()
        asyncio.run(set_up(load_settings(environ(folder))))
        seed_sqlite(folder / "data" / DATABASE, 1, KEYS)
        ours = inside(folder, None, KEYS, ROUNDS)
    rate = ours["per_second"]
    note = f"{KEYS:,} keys, on SQLite; median {ours['median_per_second']:,.0f}, p99 {ours['p99_us']:.1f} µs"
    return Told(
        lines=[_beside(name, rate) for name in IN_PROCESS],
        more=[Line(what="in-process verify, beside the peers, a second", measured=f"{rate:,.0f}", note=note)],
    )


def _beside(name: str, rate: float) -> Line:
    say(f"measuring {name}")
    what = f"in-process verify, {KEYS:,} keys, ahead of {name} by"
    try:
        peer = IN_PROCESS[name](CACHE / "peers")
    except Missing as exc:
        measured, note = "**the peer is missing**", exc.reason
    else:
        ratio = rate / peer.per_second
        measured = judged(f"{ratio:,.0f} times", ratio, _LEAST, _REACH)
        note = f"{rate:,.0f} beside {peer.per_second:,.0f} a second (p50 {peer.p50_us:,.0f} µs); {peer.note}"
    return Line(
        what=what, at_least=f"{_LEAST} times", reach_for=f"{_REACH} times", measured=measured, note=note
    )
