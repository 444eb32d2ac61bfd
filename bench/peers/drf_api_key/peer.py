"""djangorestframework-api-key: `HasAPIKey().has_permission` in process, on SQLite (`verify.py`)."""

from pathlib import Path

from bench.peers.figure import Figure
from bench.peers.installed import measured, python_with

NAME = "djangorestframework-api-key"
_HERE = Path(__file__).parent


def measure(folder: Path) -> Figure:
    """Verifications a second; its environment is kept in `folder`. Raises Missing if it cannot be made."""
    python = python_with(folder, "drf-api-key", _HERE / "requirements.txt")
    return measured(
        [str(python), "-I", str(_HERE / "verify.py")],
        name=NAME,
        note="in process, SQLite; SHA-512, revocation and expiry; no constraints, no uses counted",
    )
