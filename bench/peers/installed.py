"""Peers with packages of their own: installed once in a folder that is kept, measured in a new process."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.load import on_core
from bench.peers.figure import CORE, KEYS, Figure, Missing

VERIFIES = 10_000


def made_once(folder: Path, name: str, files: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """A folder made by `make` unless it was made before from the same `files`.

    Raises Missing with the last line of what failed.
    """
    version = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]
    made, done = folder / f"{name}-{version}", folder / f"{name}-{version}.done"
    if not done.exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        try:
            make(made)
        except (OSError, subprocess.CalledProcessError) as exc:
            raise Missing(_why(exc)) from exc
        done.touch()
    return made


def python_with(folder: Path, name: str, requirements: Path) -> Path:
    """The interpreter of a virtual environment that holds `requirements`, all of them with hashes."""

    def make(made: Path) -> None:
        run([sys.executable, "-m", "venv", str(made)])
        pip = [str(made / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "--requirement", str(requirements)])

    return made_once(folder, name, [requirements], make) / "bin" / "python"


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What `command` prints; CalledProcessError when it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd, env=env).stdout


def measured(program: Sequence[str], *, name: str, note: str) -> Figure:
    """The figure that `program DATABASE KEYS VERIFIES` prints as JSON, run on one core with a new database.

    The faster of one by one and many together counts, where it tells both; times are those of one by one.
    """
    with tempfile.TemporaryDirectory(prefix="keystead-peer-") as database:
        arguments = [str(Path(database) / "keys.sqlite"), str(KEYS), str(VERIFIES)]
        text = run(on_core(CORE, [*program, *arguments]))
    told = json.loads(text.splitlines()[-1])
    ways = [told[way] for way in ("one_by_one_per_second", "together_per_second") if way in told]
    if "together_per_second" in told:
        note += f"; one by one {ways[0]:,.0f}/s, 32 together {ways[1]:,.0f}/s"
    return Figure(
        name=f"{name}, {KEYS:,} keys",
        per_second=max(ways),
        p50_us=told["p50_us"],
        p99_us=told["p99_us"],
        note=note,
    )


def _why(exc: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(exc, subprocess.CalledProcessError):
        lines = (exc.stderr or exc.stdout or "").strip().splitlines()
        return f"{exc.cmd[0]} failed: {lines[-1] if lines else exc.returncode}"
    return str(exc)
