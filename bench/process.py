"""Part `process`: verification in process at one and at ten million keys, and what the replica costs."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.load import ask_script, on_core, pss_bytes_without, run_wrk
from bench.peers.figure import CORE
from bench.peers.nginx import status_of
from bench.primary import environ, new_database, seed
from bench.seed import PATH, SERVER_SETTINGS, token_of
from bench.serving import SECRET_KEY, replica_of, serving
from bench.table import Line, Told, judged, judged_at_most, say
from tests.scenario.servers import new_root_token, serve_command
from tests.servers import Postgres, end, free_port, postgres_data, serve_postgres

FEW, MANY = 1_000_000, 10_000_000
ROUNDS = 12
STARTS = 5
ASKED = 100_000
"""How many tokens go round before memory is told."""

_ROOT = Path(__file__).parent.parent
_MIB = 2**20


def measure() -> Told:
    """Twenty minutes, most of them to make ten million keys and their replica; 20 GB of temporary files."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name, postgres_data() as data:
        folder = Path(name)
        with serve_postgres(data, port=free_port(), **SERVER_SETTINGS) as server:
            return _measured(folder, server)


def _measured(folder: Path, server: Postgres) -> Told:
    url = new_database(server, folder / "first")
    seed(server, url, 1, FEW)
    few = inside(folder / "few", url, FEW)
    seed(server, url, FEW + 1, MANY)
    many = inside(folder / "many", url, MANY)
    size = replica_of(folder / "many").stat().st_size / MANY
    starts = sorted(_start_s(folder / "many", url, token_of(MANY)) for _ in range(STARTS))
    memory = _memory(folder / "many", url)
    rate, ratio = few["per_second"], many["per_second"] / few["per_second"]
    bytes_a_key = f"{size:.0f} B"
    mebibytes = f"{memory / _MIB:.0f} MB"
    start = starts[len(starts) // 2]
    return Told(
        lines=[
            Line(
                what="in-process verify, 1 M keys, secret key, 10 prefix constraints, use counted",
                at_least="150,000 a second a core",
                reach_for="250,000",
                measured=judged(f"{rate:,.0f} ({1e6 / rate:.1f} µs)", rate, 150_000, 250_000),
                note=_rounds(few),
            ),
            Line(
                what="the same with 10 M keys, uniformly random",
                at_least="0.8 times 1 M",
                reach_for="0.95 times",
                measured=judged(f"{ratio:.2f} times ({many['per_second']:,.0f})", ratio, 0.8, 0.95),
                note=_rounds(many),
            ),
            Line(
                what="replica size",
                at_least="≤ 110 B a key",
                measured=judged_at_most(bytes_a_key, size, 110),
                note=f"{size * MANY / _MIB:,.0f} MB for 10 M keys",
            ),
            Line(
                what="memory of a worker at 10 M keys, map excluded (Pss)",
                at_least="≤ 120 MB",
                measured=judged_at_most(mebibytes, memory / 1e6, 120),
                note=f"the larger of two workers, after {ASKED:,} keys were asked about",
            ),
            Line(
                what="start with a warm replica",
                at_least="≤ 2 s",
                measured=judged_at_most(f"{start:.2f} s", start, 2),
                note=f"from exec to the first accepted answer, the median of {STARTS}: {_listed(starts)} s",
            ),
            Line(
                what="rebuild 10 M keys from PostgreSQL",
                at_least="≤ 5 min",
                reach_for="2 min",
                measured=judged(f"{many['level_s'] / 60:.1f} min", many["level_s"], 300, 120),
                note=f"on one core, PostgreSQL on the other; 1 M: {few['level_s']:.0f} s",
            ),
        ]
    )


def inside(folder: Path, url: str | None, keys: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """What `bench.inside` tells, run on one core."""
    folder.mkdir(exist_ok=True)
    say(f"verifying in process, {keys:,} keys")
    settings = [f"{name}={value}" for name, value in environ(folder, url).items()]
    command = ["/usr/bin/env", *settings, sys.executable, "-m", "bench.inside", str(keys), str(rounds)]
    text = subprocess.run(
        on_core(CORE, command), check=True, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    ).stdout
    told: dict[str, Any] = json.loads(text.splitlines()[-1])
    say(str(told))
    return told


def _memory(folder: Path, url: str) -> int:
    with serving(folder, database_url=url, workers=2, core=None) as keystead:
        tokens = [token_of(number) for number in range(1, MANY, MANY // ASKED)]
        script = ask_script(folder, tokens, path=PATH)
        run_wrk(keystead.auth, script, connections=64, seconds=8)
        return max(pss_bytes_without(pid, keystead.replica) for pid in keystead.workers)


def _start_s(folder: Path, url: str, token: str) -> float:
    """Seconds from exec to the first accepted answer."""
    port = free_port()
    command = serve_command(folder, port=port, root=new_root_token(), database_url=url, SECRET_KEY=SECRET_KEY)
    with (folder / "log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while not _accepts(f"http://127.0.0.1:{port}/auth", token):
                if process.poll() is not None:
                    raise RuntimeError(f"it ended with {process.returncode}")
                time.sleep(0.005)
            return time.perf_counter() - began
        finally:
            end(process)


def _accepts(url: str, token: str) -> bool:
    try:
        return status_of(url, token) == 200  # noqa: PLR2004 - HTTP's word for it
    except OSError:
        return False


def _rounds(told: dict[str, Any]) -> str:
    return (
        f"the best of {ROUNDS} rounds, median {told['median_per_second']:,.0f}; p50 {told['p50_us']:.1f} µs,"
        f" p99 {told['p99_us']:.1f} µs; {told['with_handing_over_per_second']:,.0f} with the time in which"
        " counted uses are handed over"
    )


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
