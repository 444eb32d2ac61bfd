"""Part `http`: forward-auth and verify over HTTP, beside nginx with Lua and nginx `map`, in turns."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.load import Load, ask_script, cpu_seconds, round_script, run_wrk
from bench.peers.everyone import OVER_HTTP, nginx_lua, nginx_map
from bench.peers.figure import Missing, Served
from bench.primary import seeded_postgres
from bench.seed import PATH, token_of
from bench.serving import Keystead, require_accepted, serving
from bench.table import Line, Told, judged, say

SIZES = (10_000, 1_000_000)
ASKED = 100_000
"""How many tokens the load goes round, at most."""

VERIFIED = 1_000
"""And how many at the API's own verify."""

CONNECTIONS = 64
ROUNDS = 10
SECONDS = 4
SHARE = 0.7
"""Of its peak: the pace at which times are told."""

OURS = "Keystead"
_FLOORS = {nginx_lua.NAME: (0.9, 1.5), nginx_map.NAME: (0.45, 0.8)}


@dataclass(slots=True)
class Rounds:
    """What one side did, round by round."""

    loads: list[Load] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """Processor time an answer."""

    @property
    def best(self) -> float:
        """Answers a second in the best round."""
        return max(load.per_second for load in self.loads)

    def __str__(self) -> str:
        rates = ", ".join(f"{load.per_second:,.0f}" for load in self.loads)
        return f"{rates}; {min(self.cpu_us):.1f} µs of CPU an answer at best"


def measure() -> Told:
    """A quarter of an hour."""
    lines: list[Line] = []
    more: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name:
        for keys in SIZES:
            folder = Path(name) / str(keys)
            folder.mkdir()
            with seeded_postgres(folder / "first", keys) as url:
                many = keys == max(SIZES)
                found = _forward_auth(folder, url, keys)
                (lines if many else more).extend(found.lines)
                more.extend(found.more)
                if many:
                    lines += _workers(folder, url, keys)
    return Told(lines=lines, more=more)


def _forward_auth(folder: Path, url: str, keys: int) -> Told:
    tokens = _asked(keys)
    with serving(folder / "node", database_url=url) as keystead, _peers(keys, tokens) as (peers, missing):
        require_accepted(keystead.auth, tokens[0])
        ours = Served(url=keystead.auth, pids=keystead.workers)
        rounds = alternate({OURS: ours, **peers}, ask_script(folder, tokens, path=PATH))
        paced = _paced(keystead, folder, tokens, rounds[OURS].best) if keys == max(SIZES) else []
        verify = _verify(keystead, folder, tokens)
    lines = [_beside(name, rounds, keys) for name in peers]
    lines += [_missing(name, reason, keys) for name, reason in missing.items()]
    more = [
        Line(what=f"forward-auth, {keys:,} keys: {name}, a second", measured=f"{it.best:,.0f}", note=str(it))
        for name, it in rounds.items()
    ]
    return Told(lines=[*lines, *paced], more=[*more, verify])


@contextmanager
def _peers(keys: int, tokens: Sequence[str]) -> Iterator[tuple[Mapping[str, Served], Mapping[str, str]]]:
    """Those that can be run, on the same keys, and why the others cannot."""
    # To go round all of them is what counts; a list of a million would take `map` a gigabyte.
    known = {nginx_lua.NAME: [token_of(number) for number in range(1, keys + 1)], nginx_map.NAME: tokens}
    served: dict[str, Served] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        for name, peer in OVER_HTTP.items():
            try:
                served[name] = stack.enter_context(peer(known[name]))
            except Missing as exc:
                missing[name] = exc.reason
        yield served, missing


def alternate(sides: Mapping[str, Served], script: Path) -> Mapping[str, Rounds]:
    """One side after the other, round by round, so that a noisy moment meets them all; raises for errors."""
    found = {name: Rounds() for name in sides}
    for number in range(ROUNDS + 1):
        for name, it in sides.items():
            seconds = SECONDS if number else 2  # the first warms up
            before = cpu_seconds(it.pids)
            load = load_on(it.url, script, seconds)
            if number:
                found[name].loads.append(load)
                spent = cpu_seconds(it.pids) - before
                found[name].cpu_us.append(spent / (load.per_second * seconds) * 1e6)
                say(f"{name}: {load.per_second:,.0f}/s, {found[name].cpu_us[-1]:.1f} µs of CPU an answer")
    return found


def load_on(url: str, script: Path, seconds: int = SECONDS) -> Load:
    """What a server answers; raises if more than one in a thousand is an error, as when it is overwhelmed."""
    load = run_wrk(url, script, connections=CONNECTIONS, seconds=seconds)
    if load.errors > load.per_second * seconds / 1000:
        raise RuntimeError(f"errors of {url}: {load}")
    return load


def _beside(name: str, rounds: Mapping[str, Rounds], keys: int) -> Line:
    least, reach = _FLOORS[name]
    pairs = zip(rounds[OURS].loads, rounds[name].loads, strict=True)
    ratios = sorted(ours.per_second / theirs.per_second for ours, theirs in pairs)
    ratio = median(ratios)
    return Line(
        what=f"forward-auth over HTTP, 64 connections, {keys:,} keys, beside {name}",
        at_least=f"{least} times",
        reach_for=f"{reach} times",
        measured=judged(f"{ratio:.2f} times", ratio, least, reach),
        note=f"{rounds[OURS].best:,.0f}/s beside {rounds[name].best:,.0f}/s at best; CPU an answer"
        f" {min(rounds[OURS].cpu_us):.1f} beside {min(rounds[name].cpu_us):.1f} µs; {ROUNDS} rounds, ratios"
        f" {ratios[0]:.2f} to {ratios[-1]:.2f}",
    )


def _missing(name: str, reason: str, keys: int) -> Line:
    least, reach = _FLOORS[name]
    return Line(
        what=f"forward-auth over HTTP, 64 connections, {keys:,} keys, beside {name}",
        at_least=f"{least} times",
        reach_for=f"{reach} times",
        measured="**the peer is missing**",
        note=reason,
    )


def _paced(keystead: Keystead, folder: Path, tokens: Sequence[str], peak: float) -> list[Line]:
    pace = SHARE * peak
    script = ask_script(folder, tokens, path=PATH, per_second=pace)
    loads = [load_on(keystead.auth, script) for _ in range(ROUNDS)]
    say(f"paced: {loads}")
    times = sorted(load.p99_us / 1000 for load in loads)
    best = min(loads, key=lambda load: load.p99_us)
    return [
        Line(
            what="p99 at 70 % of its peak",
            at_least="≤ 2 ms",
            reach_for="≤ 1 ms",
            measured=judged(f"{best.p99_us / 1000:.2f} ms", best.p99_us / 1000, 2, 1),
            note=f"{best.per_second:,.0f}/s asked for {pace:,.0f}, p50 {best.p50_us / 1000:.2f} ms; the"
            f" rounds: {', '.join(f'{it:.2f}' for it in times)} ms; sent in small bursts, one a millisecond",
        )
    ]


def _verify(keystead: Keystead, folder: Path, tokens: Sequence[str]) -> Line:
    asked = tokens[:: max(1, len(tokens) // VERIFIED)]
    opening, closing = '{"token":"', f'","method":"GET","path":"{PATH}"}}'
    head = (
        "POST /api/v1/verify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {keystead.root}\r\n"
        f"Content-Length: {len(opening) + len(asked[0]) + len(closing)}\r\n\r\n"
    )
    script = round_script(folder, asked, head + opening, closing)
    loads = [load_on(f"{keystead.url}/api/v1/verify", script) for _ in range(3)]
    best = max(loads, key=lambda load: load.per_second)
    return Line(
        what=f"POST /api/v1/verify, {len(asked):,} tokens, a second",
        measured=f"{best.per_second:,.0f}",
        note=f"p50 {best.p50_us / 1000:.2f} ms, p99 {best.p99_us / 1000:.2f} ms at full load",
    )


def _workers(folder: Path, url: str, keys: int) -> list[Line]:
    """CPU time an answer at two workers beside one, none of them held to a core."""
    tokens = _asked(keys)
    # Each with a data directory of its own, on the same database: two nodes.
    one = serving(folder / "node", database_url=url, core=None)
    two = serving(folder / "second", database_url=url, workers=2, core=None)
    with one as single, two as double:
        sides = {
            "one worker": Served(url=single.auth, pids=single.workers),
            "two workers": Served(url=double.auth, pids=double.workers),
        }
        rounds = alternate(sides, ask_script(folder, tokens, path=PATH))
    alone, both = rounds["one worker"], rounds["two workers"]
    ratios = sorted(ours / its for ours, its in zip(both.cpu_us, alone.cpu_us, strict=True))
    ratio = median(ratios)
    return [
        Line(
            what="CPU seconds a request at two workers, beside one",
            at_least="≤ 1.15 times",
            reach_for="1.0 times",
            measured=judged(f"{ratio:.2f} times", ratio, 1.15, 1.0),
            note=f"{min(both.cpu_us):.1f} beside {min(alone.cpu_us):.1f} µs at best; ratios {ratios[0]:.2f}"
            f" to {ratios[-1]:.2f}; the load shares the two cores with them",
        )
    ]


def _asked(keys: int) -> list[str]:
    """So many tokens as the load goes round, from all over the keys."""
    return [token_of(number) for number in range(1, keys + 1, max(1, keys // ASKED))]
