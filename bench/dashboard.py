"""Part `dashboard`: how long pages take, and how much they weigh, with ten thousand keys in one app."""

import asyncio
import http.client
import re
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urljoin

from bench.primary import DURABLE, new_database
from bench.serving import Keystead, ask_api, new_app, serving
from bench.table import Line, Told, judged_at_most, say
from keystead.domain.ids import KeyId
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore
from tests.dashboard.many import add_keys
from tests.servers import free_port, postgres_data, serve_postgres

KEYS = 10_000
TIMES = 200
MOST_BYTES = 100_000
MOST_MS = 100
"""So soon a list answers typing."""

EMAIL, PASSWORD = "bench@example.com", "a password that is long enough"
PAGES = {
    "Overview": "",
    "keys": "/keys",
    "keys by name": "/keys?sort=name",
    "keys used last first": "/keys?sort=used",
    "keys searched for": "/keys?q=worker+0077",
    "keys searched for in vain": "/keys?q=nothing+like+this",
}
HEADERS = {"Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "same-origin"}

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_LOADED = re.compile(r'(?:src|href)="([^"]*static/[^"]+)"')
_FONTS = re.compile(r'url\("([^"]+[.]woff2)"\)')
_TOOK = re.compile(r"app;dur=([0-9.]+)")


def measure() -> Told:
    """A minute or two."""
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as name, postgres_data() as data:
        folder = Path(name)
        with serve_postgres(data, port=free_port(), **DURABLE) as server:
            url = new_database(server, folder / "first")
            lines = [
                *_measured("PostgreSQL", folder / "postgresql", url),
                *_measured("SQLite", folder / "sqlite", None),
            ]
    return Told(lines=lines)


def _measured(store: str, folder: Path, url: str | None) -> list[Line]:
    given = {"ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD, "MANAGEMENT_BURST": "1000000"}
    with serving(folder, database_url=url, core=None, **given) as keystead:
        app = new_app(keystead)
        primary = url or folder / "data" / "keystead.sqlite3"
        asyncio.run(_fill(primary, _new_key(keystead, app)))
        browser = Browser(keystead)
        browser.sign_in()
        lines = [_line(store, name, browser, f"/apps/{app}{below}") for name, below in PAGES.items()]
        weight = browser.first_visit(f"/apps/{app}")
    say(f"{store}: {weight} bytes")
    return [
        *lines,
        Line(
            what=f"an app's Overview, first visit, {store}",
            at_least=f"{MOST_BYTES // 1000} kB",
            measured=judged_at_most(f"{weight / 1000:.0f} kB", weight, MOST_BYTES),
            note="the page with style, scripts and fonts, as transferred",
        ),
    ]


def _line(store: str, name: str, browser: "Browser", path: str) -> Line:
    answers = [browser.get(path) for _ in range(TIMES)]
    took = sorted(it.took_ms for it in answers)
    p50, p99 = statistics.median(took), took[int(len(took) * 0.99)]
    return Line(
        what=f"page {name}, {KEYS:,} keys, {store}",
        at_least=f"p99 {MOST_MS} ms",
        measured=judged_at_most(f"p50 {p50:.0f} ms, p99 {p99:.0f} ms", p99, MOST_MS),
        note=f"{len(answers[-1].body) / 1000:.0f} kB; `Server-Timing`, one browser",
    )


def _new_key(keystead: Keystead, app: str) -> KeyId:
    return KeyId(str(ask_api(keystead, "POST", f"apps/{app}/keys", {"name": "Worker 00000"})["id"]))


async def _fill(primary: str | Path, key_id: KeyId) -> None:
    engine = make_engine(primary)
    async with SqlStore(engine).read() as tables:
        like = await tables.keys.find(key_id)
    if like is None:
        raise RuntimeError("the key that was made is not there")
    await add_keys(engine, like, KEYS)
    await engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page as it was transferred."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def took_ms(self) -> float:
        """How long the server says that it took."""
        told = _TOOK.search(self.headers["server-timing"])
        if told is None:
            raise RuntimeError("no time is told")
        return float(told[1])


class Browser:
    """One browser on one connection."""

    def __init__(self, keystead: Keystead) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", keystead.port, timeout=60)
        self._cookies: dict[str, str] = {}

    def sign_in(self) -> None:
        """Sign in as the first operator."""
        csrf = _CSRF.search(self.get("/sign-in", **{"Accept-Encoding": "identity"}).body.decode())
        if csrf is None:
            raise RuntimeError("the page to sign in has no form")
        fields = urlencode({"csrf": csrf[1], "email": EMAIL, "password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._ask("POST", "/sign-in", fields, kind, http.client.SEE_OTHER)

    def get(self, path: str, **headers: str) -> Answer:
        """A page or a file."""
        return self._ask("GET", path, None, headers, http.client.OK)

    def first_visit(self, path: str) -> int:
        """The bytes of all that a browser loads which was never there."""
        page = self.get(path, **{"Accept-Encoding": "identity"}).body.decode()
        files = dict.fromkeys(urljoin(path, it) for it in _LOADED.findall(page))
        [style] = [it for it in files if it.endswith(".css")]
        plain = self.get(style, **{"Accept-Encoding": "identity"}).body.decode()
        # Letters that only some languages have are loaded only where a page shows one.
        fonts = [urljoin(style, it) for it in _FONTS.findall(plain) if "latin-ext" not in it]
        return sum(len(self.get(it).body) for it in dict.fromkeys([path, *files, *fonts]))

    def _ask(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str], status: int
    ) -> Answer:
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        self._connection.request(method, path, body, {**HEADERS, **cookies, **headers})
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status != status:
            raise RuntimeError(f"{method} {path}: {answer.status} {told[:500]!r}")
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie, _, kept = value.partition(";")[0].partition("=")
                self._cookies[cookie] = kept
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(headers=found, body=told)
