"""Part `revoke`: from sending a revocation to the first refusal, by every worker of three nodes."""

import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.primary import DURABLE, new_database
from bench.probe import A_WORKER, EVERY_S, Probe, ask_until, probes_of, question_on
from bench.serving import Keystead, ask_api, new_app, serving
from bench.table import Line, Told, judged, say
from tests.scenario.servers import new_root_token
from tests.servers import free_port, postgres_data, serve_postgres

NODES, WORKERS = 3, 2
REVOCATIONS = 200
SETTLED = 8
"""So many refusals in a row on each connection, none accepted after the first, and it counts as refused."""

_MILLISECONDS = 1000


def measure() -> Told:
    """A minute."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keystead-bench-")))
        data = stack.enter_context(postgres_data())
        server = stack.enter_context(serve_postgres(data, port=free_port(), **DURABLE))
        url, root = new_database(server, folder / "first"), new_root_token()
        nodes = [
            stack.enter_context(
                serving(folder / f"node{it}", database_url=url, workers=WORKERS, core=None, root=root)
            )
            for it in range(NODES)
        ]
        app = new_app(nodes[0])
        # One more than is revoked: an app's last key cannot be.
        keys = [
            ask_api(nodes[0], "POST", f"apps/{app}/keys", {"name": "Key"}) for _ in range(REVOCATIONS + 1)
        ]
        probes = [probe for number, node in enumerate(nodes) for probe in probes_of(number, node)]
        say(f"revoking {REVOCATIONS} keys, {len(probes)} connections asking")
        took = [_revoke(nodes[0], str(it["id"]), str(it["token"]), probes) for it in keys[1:]]
        for probe in probes:
            probe.socket.close()
    here, there = zip(*took, strict=True)
    return Told(
        lines=[
            _line("refused by every worker of it", here, 30, 10),
            _line("by every worker of two other nodes, over PostgreSQL", there, 60, 20),
        ]
    )


def _revoke(node: Keystead, key: str, token: str, probes: Sequence[Probe]) -> tuple[float, float]:
    """Milliseconds until every worker of the node itself refuses, and until all of the others do."""
    for probe in probes:
        probe.reset()
    order = f"DELETE /api/v1/keys/{key} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {node.root}\r\n\r\n"
    question = question_on(token)
    ask_until(probes, question, lambda probe: probe.accepted > 1)
    with socket.create_connection(("127.0.0.1", node.port)) as ordering:
        sent_at = time.perf_counter()
        ordering.sendall(order.encode())
        ask_until(probes, question, lambda probe: probe.refusals >= SETTLED)
        answer = ordering.recv(65536)
    if not answer.startswith(b"HTTP/1.1 2"):
        raise RuntimeError(answer)
    last = {same: max(it.refused_at for it in probes if (it.node == 0) is same) for same in (True, False)}
    return (last[True] - sent_at) * _MILLISECONDS, (last[False] - sent_at) * _MILLISECONDS


def _line(what: str, times_ms: Sequence[float], most: float, reach: float) -> Line:
    times = sorted(times_ms)
    p99 = times[len(times) * 99 // 100]
    return Line(
        what=f"revoke on one node → {what} (p99)",
        at_least=f"≤ {most} ms",
        reach_for=f"{reach} ms",
        measured=judged(f"{p99:.1f} ms", p99, most, reach),
        note=f"p50 {times[len(times) // 2]:.1f}, max {times[-1]:.1f} ms of {len(times)}; {NODES} nodes of"
        f" {WORKERS} workers, PostgreSQL and those who ask share two cores; each worker is asked every"
        f" {EVERY_S / A_WORKER * _MILLISECONDS:.0f} ms, and none accepted again",
    )
