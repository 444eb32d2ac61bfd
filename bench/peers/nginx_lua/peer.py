"""nginx with its Lua module (`check.lua`): the same check as forward-auth, in one shared dictionary."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from bench.peers import nginx
from bench.peers.figure import KEYS, Figure, Missing, Served, some_tokens

NAME = "nginx + lua"
_HERE = Path(__file__).parent
_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_BYTES_A_KEY = 512
"""Room in the dictionaries: 128 B a record and as much a counter are what it takes."""


@contextmanager
def serving(tokens: Sequence[str]) -> Iterator[Served]:
    """One worker that accepts `tokens`, each secret with ten prefix constraints; 401 and 403 for the others.

    Raises Missing without nginx or its Lua module.
    """
    room = max(16, len(tokens) * _BYTES_A_KEY // 2**20)
    with tempfile.TemporaryDirectory(prefix="keystead-peer-") as name:
        folder = Path(name)
        (folder / "tokens").write_text("\n".join(tokens), encoding="utf-8")
        http = _HTTP.replace("HERE", str(_HERE)).replace("FOLDER", name).replace("ROOM", str(room))
        with nginx.serving(
            folder, http, token=tokens[0], accepted=HTTPStatus.OK, modules=_modules()
        ) as served:
            for refused in ({"method": "PUT"}, {"path": "/v1/other/42"}):
                if nginx.status_of(served.url, tokens[0], **refused) != HTTPStatus.FORBIDDEN:
                    raise RuntimeError(f"{refused} was not refused")
            yield served


def measure(folder: Path, keys: int = KEYS) -> Figure:
    """Its most requests a second; nothing is kept in `folder`."""
    del folder
    tokens = some_tokens(keys)
    with serving(tokens) as served:
        load = nginx.load_on(served, tokens)
    return Figure(
        name=f"{NAME}, {keys:,} keys",
        per_second=load.per_second,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
        note="over HTTP; the same check, uses counted in memory; paths are not made canonical",
    )


def _modules() -> list[Path]:
    folders = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"))
    for folder in folders:
        found = [folder / module for module in _MODULES]
        if all(module.exists() for module in found):
            return found
    raise Missing("nginx's Lua module is not installed")


_HTTP = """
    lua_package_path 'HERE/?.lua;;';
    lua_shared_dict keys ROOMm;
    lua_shared_dict uses ROOMm;
    init_by_lua_block { require('check').load('FOLDER/tokens') }
    server {
        listen 127.0.0.1:PORT;
        location = /auth { content_by_lua_block { require('check').answer() } }
    }
"""
