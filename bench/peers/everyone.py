"""Who is compared with."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bench.peers.better_auth import peer as better_auth
from bench.peers.drf_api_key import peer as drf_api_key
from bench.peers.figure import Figure, Served
from bench.peers.keyshield import peer as keyshield
from bench.peers.nginx_lua import peer as nginx_lua
from bench.peers.nginx_map import peer as nginx_map

Measure = Callable[[Path], Figure]
"""Measures one peer, keeping what it needs in a folder; raises Missing."""

Serving = Callable[[Sequence[str]], AbstractContextManager[Served]]
"""Runs one peer, which accepts these tokens, on core 1 until the block ends; raises Missing."""

IN_PROCESS: dict[str, Measure] = {peer.NAME: peer.measure for peer in (better_auth, drf_api_key, keyshield)}
OVER_HTTP: dict[str, Serving] = {peer.NAME: peer.serving for peer in (nginx_lua, nginx_map)}

MEASURED: dict[str, Measure] = {
    nginx_lua.NAME: nginx_lua.measure,
    nginx_map.NAME: nginx_map.measure,
    **IN_PROCESS,
}
"""All of them, each measured by itself."""
