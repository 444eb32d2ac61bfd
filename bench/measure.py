"""What is measured: verification in process and over HTTP, and making keys."""

import asyncio
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.seed import PATH
from keystead.domain.tokens import Token
from keystead.domain.verdict import Attempt, Demands
from keystead.services.verify import verify
from keystead.wiring import Instance

HTTP_SECONDS = 8
CONNECTIONS = 32
VERIFIES = 5_000
US_PER_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """So many a second, and the time that half and all but a hundredth of them took at most."""

    per_second: float
    p50_us: float
    p99_us: float

    def __str__(self) -> str:
        return f"{self.per_second:,.0f}/s, p50 {_time(self.p50_us)}, p99 {_time(self.p99_us)}"


async def time_verify(instance: Instance, tokens: Sequence[Token]) -> Timing:
    """One verification after the other in this process, from the database, each counted as a use."""
    demands = Demands()

    async def one(i: int) -> None:
        attempt = Attempt(now=instance.context.clock(), method="GET", path=PATH)
        verdict = await verify(instance.context, tokens[i * 7919 % len(tokens)], attempt, demands)
        if verdict.reason is not None:
            raise RuntimeError(verdict.reason)

    await _timed(one, VERIFIES // 10)
    return await _timed(one, VERIFIES)


async def _timed(one: Callable[[int], Awaitable[None]], count: int) -> Timing:
    took = []
    began = time.perf_counter()
    for i in range(count):
        before = time.perf_counter()
        await one(i)
        took.append(time.perf_counter() - before)
    seconds = time.perf_counter() - began
    took.sort()
    return Timing(
        per_second=count / seconds, p50_us=took[count // 2] * 1e6, p99_us=took[count * 99 // 100] * 1e6
    )


async def time_http(url: str, script: str, folder: Path) -> Timing:
    """Wrk on `url` with a Lua script: one thread, keep-alive connections. Raises if an answer is an error."""
    file = folder / "request.lua"
    file.write_text(script, encoding="utf-8")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{HTTP_SECONDS}s", "--latency", "-s", str(file), url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    text = (await process.communicate())[0].decode()
    if process.returncode or "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    return Timing(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p50_us=_microseconds(_found(r"^\s+50%\s+(\S+)", text)),
        p99_us=_microseconds(_found(r"^\s+99%\s+(\S+)", text)),
    )


def machine() -> str:
    """What this was measured on."""
    cpu = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    cores = os.cpu_count()
    name = cpu[1] if cpu else "unknown processor"
    return f"{name}, {cores} cores, Python {sys.version.split()[0]}"


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"wrk did not say {pattern}: {text}")
    return match[1]


def _microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1_000, "s": 1_000_000}[unit]


def _time(microseconds: float) -> str:
    return f"{microseconds:.0f} µs" if microseconds < US_PER_MS else f"{microseconds / US_PER_MS:.1f} ms"
