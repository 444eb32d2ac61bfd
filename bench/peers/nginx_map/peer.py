"""nginx `map`: is the token in a list? No state, expiry, policy, path, use or facts: the least there is."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from bench.peers import nginx
from bench.peers.figure import KEYS, Figure, Served, some_tokens

NAME = "nginx map"


@contextmanager
def serving(tokens: Sequence[str]) -> Iterator[Served]:
    """One worker that answers 204 to `tokens` and 401 to the others. Raises Missing without nginx."""
    with tempfile.TemporaryDirectory(prefix="keystead-peer-") as name:
        folder = Path(name)
        lines = "".join(f'"Bearer {token}" 1;\n' for token in tokens)
        (folder / "tokens").write_text(lines, encoding="utf-8")
        http = _HTTP.replace("FOLDER", name).replace("BUCKETS", str(2 * len(tokens) + 1))
        with nginx.serving(folder, http, token=tokens[0], accepted=HTTPStatus.NO_CONTENT) as served:
            yield served


def measure(folder: Path) -> Figure:
    """Its most requests a second; nothing is kept in `folder`."""
    del folder
    tokens = some_tokens(KEYS)
    with serving(tokens) as served:
        load = nginx.load_on(served, tokens)
    return Figure(
        name=f"{NAME}, {KEYS:,} tokens",
        per_second=load.per_second,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
        note="over HTTP; whether the token is in the list, answering 204, and nothing else",
    )


_HTTP = """
    map_hash_max_size BUCKETS;
    map_hash_bucket_size 256;
    map $http_authorization $known {
        default 0;
        include FOLDER/tokens;
    }
    server {
        listen 127.0.0.1:PORT;
        location = /auth {
            if ($known = 0) { return 401; }
            return 204;
        }
    }
"""
