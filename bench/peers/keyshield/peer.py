"""keyshield, once fastapi-api-key: `verify_key` in process, on SQLite, its cache filled (`verify.py`)."""

from pathlib import Path

from bench.peers.figure import Figure
from bench.peers.installed import measured, python_with

NAME = "keyshield (FastAPI)"
_HERE = Path(__file__).parent


def measure(folder: Path) -> Figure:
    """Verifications a second; its environment is kept in `folder`. Raises Missing if it cannot be made."""
    python = python_with(folder, "keyshield", _HERE / "requirements.txt")
    return measured(
        [str(python), "-I", str(_HERE / "verify.py")],
        name=NAME,
        note="in process, SQLite; found in its cache, without Argon2, its delays off; state, expiry, a scope;"
        " the last use written",
    )
