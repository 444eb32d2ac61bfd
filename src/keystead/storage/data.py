"""The data directory: for us alone, and never in a commit."""

import os
import stat
from pathlib import Path

from keystead.domain.errors import Misconfigured

DATABASE = "keystead.sqlite3"
_SECRET_KEY = "secret.key"  # noqa: S105 - a file's name
_NODE_ID = "node.id"
_REPLICA = "replica"
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600


def prepare(data: Path) -> None:
    """Make the directory if it is not there (0700, with a `.gitignore` of `*`), and see to new files' modes.

    Raises Misconfigured for one that others may write, or that cannot be made.
    """
    os.umask(0o077)
    try:
        data.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        mode = stat.S_IMODE(data.stat().st_mode)
        if mode & 0o022:
            fix = f"others may write {data} (mode {mode:04o}); run `chmod 700 {data}` and look what is in it"
            raise Misconfigured("KEYSTEAD_DATA", fix)
        ignore = data / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        problem = f"{data} cannot be used as the data directory: {error.strerror}"
        raise Misconfigured("KEYSTEAD_DATA", problem) from error


def find_secret_key(data: Path) -> bytes | None:
    """The secret key that was generated into the directory; None when there is none."""
    path = data / _SECRET_KEY
    return path.read_bytes().strip() if path.exists() else None


def generated_secret_key(data: Path, fresh: bytes) -> bytes:
    """The directory's secret key; made of `fresh` (32 random bytes) the first time, whoever comes first."""
    return _kept(data, _SECRET_KEY, fresh.hex())


def kept_node_id(data: Path, fresh: str) -> str:
    """The id of the node whose directory it is; `fresh` the first time, whoever comes first."""
    return _kept(data, _NODE_ID, fresh).decode()


def replica_path(data: Path) -> Path:
    """Where the directory's folder for the replica is, or will be."""
    return data / _REPLICA


def replica_folder(data: Path) -> Path:
    """The directory's folder for the replica, made if it is not there."""
    folder = replica_path(data)
    folder.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
    return folder


def _kept(data: Path, name: str, fresh: str) -> bytes:
    """What stands in a file of one line, which is made if it is not there."""
    path = data / name
    beside = data / f"{name}.{os.getpid()}"
    if not path.exists():
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where the name is taken: of two first starts, one wins, and no half file is seen.
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return path.read_bytes().strip()
