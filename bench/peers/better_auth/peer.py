"""better-auth: `verifyApiKey` in process, on SQLite (`verify.mjs`)."""

import os
import shutil
from pathlib import Path

from bench.peers.figure import Figure, Missing
from bench.peers.installed import made_once, measured, run

NAME = "better-auth verifyApiKey"
_HERE = Path(__file__).parent
_FILES = [_HERE / name for name in ("package.json", "package-lock.json", ".npmrc")]


def measure(folder: Path) -> Figure:
    """Verifications a second; its packages are kept in `folder`. Raises Missing if they cannot be made."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise Missing("Node and npm are not installed")
    installed = made_once(folder, "better-auth", _FILES, _install)
    # Modules are looked for beside the program.
    program = shutil.copy(_HERE / "verify.mjs", installed)
    return measured(
        ["/usr/bin/env", "NODE_ENV=production", node, program],
        name=NAME,
        note="in process, SQLite; SHA-256, state, expiry, permissions; the use written; its rate limit off",
    )


def _install(made: Path) -> None:
    for file in _FILES:
        shutil.copy(file, made)
    run(["npm", "ci", "--silent"], cwd=made)
    # The one native module, compiled here: a ready-made one would come without a hash.
    build = ["npm", "rebuild", "better-sqlite3", "--ignore-scripts=false", "--build-from-source"]
    run(build, cwd=made, env={**os.environ, **_headers()})


def _headers() -> dict[str, str]:
    """Where Node's headers are, if they were installed with it; otherwise node-gyp fetches them."""
    node = Path(str(shutil.which("node"))).resolve()
    root = node.parent.parent
    return {"npm_config_nodedir": str(root)} if (root / "include" / "node" / "node.h").exists() else {}
