"""The thread that writes: LMDB ends a transaction where it began, and a commit waits for the disk."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

import lmdb

from keystead.replica.files import unavailable

P = ParamSpec("P")
T = TypeVar("T")

_BREATH_S = 0.0001


class Hand:
    """One thread that does one thing after another."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replica")

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` there; cancelled, end only when it has. Raises `unavailable` for LMDB's errors."""
        running = asyncio.wrap_future(self._executor.submit(work, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except lmdb.Error as exc:
            raise unavailable(exc) from exc
        except asyncio.CancelledError:
            await _ended(running)
            raise

    def close(self) -> None:
        """End the thread, once it has done what it was given."""
        self._executor.shutdown()


def paced(items: Iterable[T], portion: int = 200) -> Iterator[T]:
    """`items`, with a breath after each `portion` of them.

    Whoever shares the interpreter with this thread, and answers requests, would else wait 5 ms for each turn.
    """
    for number, item in enumerate(items, 1):
        yield item
        if number % portion == 0:
            time.sleep(_BREATH_S)


async def _ended(running: "asyncio.Future[T]") -> None:
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    running.exception()  # looked at, lest asyncio complain of it
