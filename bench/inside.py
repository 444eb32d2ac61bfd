"""Verification in process, in a process of its own: `python -m bench.inside KEYS ROUNDS`.

Its settings are those of `keystead serve`. Waits until the replica is level, building it if it is not there;
prints JSON.
"""

import asyncio
import gc
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from statistics import median

import uvloop

from bench.load import pss_bytes
from bench.seed import PATH, token_of
from keystead import logs
from keystead.domain.tokens import Token
from keystead.domain.verdict import Attempt, Demands
from keystead.ports.store import Seen, Used
from keystead.services.context import Context
from keystead.services.verify import verify
from keystead.settings import load_settings
from keystead.usage.counter import FLUSH_INTERVAL, UseCounter
from keystead.wiring import Instance, opened

VERIFIES = 200_000
"""In one round, each with a token drawn anew."""

_AT_ONCE = 2_000
_TELL_EVERY_S = 5.0
_FRESH_MS = 2_000


class _Nowhere:
    """Where counted uses go here."""

    async def add_uses(self, used: Sequence[Used]) -> None:
        """Forget them."""

    async def see_origins(self, seen: Sequence[Seen]) -> None:
        """Forget them."""


async def main(keys: int, rounds: int) -> None:
    """Measure, print."""
    logs.configure_logging(json=False, stream=sys.stderr, quiet=True)
    began = time.perf_counter()
    async with opened(load_settings(os.environ)) as instance:
        await _level(instance)
        level_s = time.perf_counter() - began
        gc.freeze()
        told = [await _round(instance.context, keys) for _ in range(rounds)]
        times = _times(instance.context, keys)
        memory = pss_bytes(os.getpid())
    with_handing, without = zip(*told, strict=True)
    print(
        json.dumps(
            {
                "level_s": level_s,
                "per_second": max(without),
                "median_per_second": median(without),
                "with_handing_over_per_second": max(with_handing),
                "p50_us": times[len(times) // 2],
                "p99_us": times[len(times) * 99 // 100],
                "pss_bytes": memory,
            }
        )
    )


async def _level(instance: Instance) -> None:
    told_at = time.monotonic()
    while instance.context.replica.age_ms() >= _FRESH_MS:
        await asyncio.sleep(0.02)
        rebuilding = instance.stamp.rebuilding
        if rebuilding and time.monotonic() - told_at >= _TELL_EVERY_S:
            told_at = time.monotonic()
            print(
                f"  {rebuilding[0]:,} of about {rebuilding[1]:,} in the replica", file=sys.stderr, flush=True
            )


async def _round(context: Context, keys: int) -> tuple[float, float]:
    """Verifications a second: counting the time in which uses are handed over, and without it."""
    texts = _drawn(keys, VERIFIES)
    counter = context.uses
    if not isinstance(counter, UseCounter):
        raise TypeError(counter)
    handing_s = 0.0
    began = time.perf_counter()
    due = began + FLUSH_INTERVAL.total_seconds()
    for at in range(0, VERIFIES, _AT_ONCE):
        _verify_all(context, texts[at : at + _AT_ONCE])
        now = time.perf_counter()
        if now >= due:
            due += FLUSH_INTERVAL.total_seconds()
            await counter.flush(_Nowhere())
            handing_s += time.perf_counter() - now
    seconds = time.perf_counter() - began
    await counter.flush(_Nowhere())
    await asyncio.sleep(0.3)  # the applier's turn: the replica stays fresh
    return VERIFIES / seconds, VERIFIES / (seconds - handing_s)


def _verify_all(context: Context, texts: Sequence[str]) -> None:
    clock_ms, demands = context.clock_ms, Demands()
    for text in texts:
        verdict = verify(context, Token(text), Attempt(clock_ms(), "GET", PATH), demands)
        if verdict.reason is not None:
            raise RuntimeError(verdict.reason)


def _times(context: Context, keys: int) -> list[float]:
    """What single verifications took, in µs, sorted."""
    took = []
    clock_ms, demands, now = context.clock_ms, Demands(), time.perf_counter_ns
    for text in _drawn(keys, VERIFIES // 2):
        before = now()
        verify(context, Token(text), Attempt(clock_ms(), "GET", PATH), demands)
        took.append((now() - before) / 1000)
    return sorted(took)


def _drawn(keys: int, count: int) -> list[str]:
    return [token_of(random.randint(1, keys)) for _ in range(count)]  # noqa: S311 - no secrets


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
