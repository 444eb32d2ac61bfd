"""Waiting for a SQLite file to change: a thread that looks, since nobody tells."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from keystead.storage.sql.engine import File, file_at

LOOK_EVERY_S = 0.002
IDLE_LOOK_EVERY_S = 0.005
IDLE_AFTER_LOOKS = 1_000
"""How often nothing had changed before it looks less often."""

_END_WITHIN_S = 1.0


class SqliteTail:
    """See `ports.replica.Source.changed`. The first call returns at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = asyncio.Event()
        self._watch: Watch | None = None

    async def changed(self, within: timedelta) -> None:
        """Another file at the path counts as a change, and so does none."""
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._watch = Watch(self._path, lambda: loop.call_soon_threadsafe(self._told.set))
            # Once it looks, nothing is missed; what changed before that may be new to the caller.
            await asyncio.to_thread(self._watch.begin)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._told.wait()
        self._told.clear()

    async def close(self) -> None:
        """End the thread."""
        watch, self._watch = self._watch, None
        if watch is not None:
            await asyncio.to_thread(watch.end)


class Watch:
    """A thread that calls `tell` after each commit to the file at `path`, and when that is replaced."""

    def __init__(self, path: Path, tell: Callable[[], object]) -> None:
        self._path = path
        self._tell = tell
        self._stop = threading.Event()
        self._looks = threading.Event()
        # A daemon, so that whoever forgets to end it can end all the same.
        self._thread = threading.Thread(target=self._run, name="keystead-tail", daemon=True)
        self._file: File | None = None
        self._connection: sqlite3.Connection | None = None

    def begin(self) -> None:
        """Start; returns once it has looked for the first time."""
        self._thread.start()
        self._looks.wait()

    def end(self) -> None:
        """Stop, within a few milliseconds; also when `begin` was cancelled before it began."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)

    def _run(self) -> None:
        seen, unchanged = self._look(), 0
        self._looks.set()
        while not self._stop.wait(LOOK_EVERY_S if unchanged < IDLE_AFTER_LOOKS else IDLE_LOOK_EVERY_S):
            now = self._look()
            unchanged += 1
            if now != seen:
                seen, unchanged = now, 0
                try:
                    self._tell()
                except RuntimeError:  # the event loop was closed
                    break
        self._forget()

    def _look(self) -> tuple[File, int] | None:
        """What differs after each change; None when there is nothing to be read."""
        try:
            file = file_at(self._path)
            if file != self._file or self._connection is None:
                self._open(file)
            assert self._connection is not None  # noqa: S101 - just opened
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except (OSError, sqlite3.Error):
            self._forget()
            return None
        return file, version

    def _open(self, file: File) -> None:
        self._forget()
        # Reading only: the last writer to close a file moves its log into it, and this is never one.
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        self._connection = sqlite3.connect(address, uri=True, isolation_level=None)
        self._file = file

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
