"""Load on a server, and what it costs there: wrk at full speed or at a given pace, CPU time and memory."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

LOAD_CORE = 0
"""Where the load comes from, unless told otherwise: what is measured runs on another core."""

# wrk asks before each request how many milliseconds to wait: until the next place in one row of places. What
# fell behind by more than a moment is let go, so that a pause of the server is not followed by a flood.
_PACE = """
local ffi = require 'ffi'
ffi.cdef 'struct moment { long s; long ns; }; int clock_gettime(int clock, struct moment *now);'
local moment, place = ffi.new 'struct moment', 0
function delay()
    ffi.C.clock_gettime(1, moment)
    local now = tonumber(moment.s) + tonumber(moment.ns) / 1e9
    place = math.max(place + 1 / PER_SECOND, now - 0.01)
    return math.max(0, math.floor((place - now) * 1000 + 0.5))
end
"""

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S{4} \S+ \S+ \d+ *(.*)")
_KIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Answers a second, the time half and all but a hundredth took at most, and how many were errors.

    An error is an answer that is not 2xx or 3xx, or a connection that failed or timed out.
    """

    per_second: float
    p50_us: float
    p99_us: float
    errors: int


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """`command`, with all its processes and threads held to one core."""
    return ["taskset", "-c", str(core), *command]


def ask_script(
    folder: Path, tokens: Iterable[str], *, path: str, method: str = "GET", per_second: float | None = None
) -> Path:
    """A script for wrk that asks a forward-auth endpoint about one request, going round `tokens`.

    Requests are made before the first is sent, so that going round costs next to nothing. With `per_second`
    they keep that pace in all as long as the server does; they leave in small bursts, one a millisecond.
    """
    # The token stands in the middle: LuaJIT takes a text's first, middle and last bytes for its hash, and a
    # hundred thousand texts alike in all of these would take hours to make.
    before = "GET /auth HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
    after = f"\r\nX-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {path}\r\n\r\n"
    pace = _PACE.replace("PER_SECOND", str(per_second)) if per_second else ""
    return round_script(folder, tokens, before, after, pace)


def round_script(folder: Path, tokens: Iterable[str], before: str, after: str, more: str = "") -> Path:
    """A script for wrk that sends `before`, a token and `after`, going round `tokens`; `more` is Lua."""
    (folder / "load-tokens").write_text("\n".join(tokens), encoding="utf-8")
    script = folder / "load.lua"
    script.write_text(
        f"""
local requests, at = {{}}, 0
function init(arguments)
    for token in io.lines('{folder}/load-tokens') do
        requests[#requests + 1] = {json.dumps(before)} .. token .. {json.dumps(after)}
    end
end
function request()
    at = at % #requests + 1
    return requests[at]
end
{more}
""",
        encoding="utf-8",
    )
    return script


def run_wrk(url: str, script: Path, *, connections: int, seconds: int, core: int = LOAD_CORE) -> Load:
    """As much as the server takes, from one thread on one core over keep-alive connections."""
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    text = _output(on_core(core, ["wrk", *options, url]))
    return Load(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p50_us=_microseconds(_found(r"^\s+50%\s+(\S+)", text)),
        p99_us=_microseconds(_found(r"^\s+99%\s+(\S+)", text)),
        errors=_wrk_errors(text),
    )


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that these processes have used, all their threads included; the grain is 10 ms."""
    ticks = 0
    for pid in pids:
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> tuple[int, ...]:
    """The processes that the main thread of `pid` has started and that still run."""
    return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()))


def pss_bytes(pid: int) -> int:
    """Memory of a process, pages that others share counted in part."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return int(_found(r"^Pss:\s+(\d+) kB", text)) * _KIB


def pss_bytes_without(pid: int, file: Path) -> int:
    """Memory of a process as `pss_bytes` tells it, the pages of one mapped file left out."""
    total, counted = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if mapping := _MAPPING.fullmatch(line):
            counted = mapping[1].removesuffix(" (deleted)") != str(file)
        elif counted and line.startswith("Pss:"):
            total += int(line.split()[1])
    return total * _KIB


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _wrk_errors(text: str) -> int:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return int(refused[1] if refused else 0) + sum(map(int, failed.groups() if failed else ()))


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"{pattern} was not said: {text}")
    return match[1]


def _microseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if match is None:
        raise RuntimeError(f"not a time: {text}")
    return float(match[1]) * _UNITS_US[match[2]]
