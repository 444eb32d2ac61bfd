"""A walk over all that a server leaves behind, looking for what must be nowhere: a secret token."""

import base64
import pickle
import sqlite3
import subprocess
import traceback
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from keystead.domain.keys import Environment
from keystead.domain.tokens import Token, TokenKind, make_token
from keystead.domain.verdict import Verdict
from keystead.settings import load_settings
from tests.api.world import opened_world
from tests.scenario.servers import Json, Keystead, raw_get, run_keystead, send_raw
from tests.servers import Postgres

ADMIN_PASSWORD = "scenario-password-" + "9876543210" * 2
SECRET_KEY = "scenario-secret-key-" + "0123456789" * 2


class Walk:
    """The tokens that were seen, and every text in which they were looked for."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = set(tokens)
        self.public = set[str]()
        """Tokens that are no secret: the database keeps them, and the replica does not."""
        self.texts: dict[str, bytes] = {}
        self.replica: dict[str, bytes] = {}

    def look_into(self, name: str, text: str | bytes) -> None:
        self.texts[f"{len(self.texts)} {name}"] = text.encode() if isinstance(text, str) else text

    def look_into_replica(self, folder: Path) -> None:
        """Each of its files; every token that a key was found by must be there as its digest."""
        files = {it.name: it.read_bytes() for it in folder.iterdir()}
        held = b"".join(files.values())
        assert self.public
        assert all(Token(it).digest in held for it in self.public)
        self.replica |= {f"{len(self.replica)} {name}": content for name, content in files.items()}

    def leaks(self) -> list[tuple[str, str]]:
        """Where 20 characters out of the middle of a token stand: plain, in Base64, in hex or reversed."""
        everything = {**self.texts, **self.replica}
        return [*_leaks(self.tokens, everything), *_leaks(self.public, self.replica)]


def _leaks(tokens: set[str], texts: dict[str, bytes]) -> list[tuple[str, str]]:
    found = []
    for token in tokens:
        # Past the readable start and before the readable end.
        middle = token.rpartition("_")[2][4:-4]
        basic = base64.b64encode(f"{token}:".encode())
        spellings = {
            middle[:20].encode(),
            middle[-20:].encode(),
            middle[:20][::-1].encode(),
            middle[:20].encode().hex().encode(),
            basic[len(basic) // 2 : -8],
        }
        found += [(name, token[:16]) for name, text in texts.items() if any(it in text for it in spellings)]
    return found


def use_everything(keystead: Keystead, walk: Walk) -> None:
    """Live through what a token can meet; every answer but those that make a token is looked into."""

    def ask(method: str, path: str, *, makes: bool = False, **sent: object) -> Json:
        answer = keystead.call(method, path, **sent)
        body = answer.json()
        if makes:
            assert answer.is_success, answer.text
            walk.tokens.add(body.pop("token"))
            walk.look_into(f"{method} {path}", str(body) + str(answer.headers))
            return dict(body)
        walk.look_into(f"{method} {path}", answer.content + str(answer.headers).encode())
        return dict(body)

    app = keystead.app()
    organization, name = app["organization_id"], {"name": "Key"}
    keys, before = f"apps/{app['id']}/keys", set(walk.tokens)
    key = ask("POST", keys, makes=True, json=name, headers={"Idempotency-Key": "one"})
    [token] = walk.tokens - before
    ask("POST", keys, json=name, headers={"Idempotency-Key": "one"})
    ask("POST", f"keys/{key['id']}/rotate", makes=True, json={"grace_s": 600})
    ask("POST", "root-keys", makes=True, json={"name": "Root", "scopes": ["verify"]})
    member = ask(
        "POST", f"organizations/{organization}/members", json={"email": "a@b.example", "role": "owner"}
    )
    ask("POST", f"users/{member['user_id']}/keys", makes=True, json={"name": "Mine"})
    make_links(keystead, walk, organization, member["user_id"])

    for body in ({"token": token}, {"token": token, "explain": True}, {"token": token + "x"}):
        ask("POST", "verify", json=body)
    ask("POST", "keys/lookup", json={"token": token}, headers={"Idempotency-Key": token})
    ask("GET", "self", token=token)
    ask("POST", "self/rotate", token=token, json={"grace_s": 1})
    ask("GET", "scopes", token=token)
    for path in ("", f"?name={quote('Key')}", f"/{key['id']}"):
        ask("GET", f"{keys}{path}")
    ask("GET", f"keys/{key['id']}")
    ask("PATCH", f"keys/{key['id']}", json={"name": "Other"})
    ask("POST", f"keys/{key['id']}/disable")
    ask("GET", "self", token=token)
    ask("DELETE", f"keys/{key['id']}?reason=compromised")
    ask("GET", f"organizations/{organization}/audit?limit=100")

    # Where people put tokens by mistake: none of these may be written down, nor repeated.
    ask("POST", keys, json={"name": "Key", token: 1})
    ask("POST", keys, json={"name": "Key", "type": token})
    ask("POST", keys, json={"name": "Key", "scopes": [token], "allowed_origins": [token]})
    ask("GET", f"{keys}?{token}=1")
    ask("GET", f"{keys}?status={token}")
    ask("GET", f"{keys}?cursor={token}")
    base = f"http://127.0.0.1:{keystead.port}"
    for place in (f"/{token}", f"/api/v1/keys/{token}", f"/apikey/{token}/jobs", f"/?token={token}"):
        answer = httpx.get(base + place, headers={"Authorization": f"Bearer {keystead.root}"})
        walk.look_into(place.replace(token, "T"), answer.content + str(answer.headers).encode())
    for header in (b"X-Request-Id: ", b"User-Agent: ", b"Referer: https://a.example/", b"Cookie: a="):
        reply = send_raw(keystead.port, raw_get(b"/auth", header + token.encode()))
        walk.look_into(f"/auth with {header!r}", reply.body)
    for form in (b"Bearer " + token.encode(), b"Basic " + base64.b64encode(token.encode() + b":")):
        reply = send_raw(keystead.port, raw_get(b"/auth", b"Authorization: " + form))
        walk.look_into("/auth", reply.body + str(reply.headers).encode())
    broken = send_raw(keystead.port, b"GET /" + token.encode() + b" HTTP/9\r\n\r\n")
    walk.look_into("a broken request", broken.body)

    metrics = keystead.client.get("/metrics", headers={"Authorization": f"Bearer {keystead.root}"})
    assert "keystead_verdicts_total" in metrics.text
    walk.look_into("metrics", metrics.content)


def make_links(keystead: Keystead, walk: Walk, organization: str, user: str) -> None:
    """Make a link of each kind, twice with one `Idempotency-Key`, and open it."""
    for path, sent in (
        (f"users/{user}/sign-in-links", {}),
        (f"users/{user}/password-reset-links", None),
        (f"organizations/{organization}/invitations", {"email": "c@d.example", "role": "viewer"}),
    ):
        headers = {"Idempotency-Key": path}
        made, again = (keystead.made("POST", path, sent, headers=headers) for _ in range(2))
        url = made.pop("url")
        walk.tokens.add(url.rpartition("=")[2])
        opened = keystead.client.get(url.partition(f":{keystead.port}")[2])
        for what in (made, again, opened.headers):
            walk.look_into(f"POST {path}", str(what))


def break_in_the_middle(keystead: Keystead, walk: Walk, app: Json, status: int) -> httpx.Response:
    """A mutation that fails when its token has been made already."""
    path = f"apps/{app['id']}/keys"
    answer = keystead.call("POST", path, json={"name": "Key"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    walk.look_into(f"a {status}", answer.content)
    return answer


def require_traceback(keystead: Keystead, answer: httpx.Response) -> None:
    told = [it for it in keystead.log_lines() if it.get("request_id") == answer.json()["request_id"]]
    assert any("Traceback" in it.get("exception", "") for it in told), told


def test_a_server_on_sqlite_leaves_no_secret_behind(tmp_path: Path):
    admin = {"ADMIN_EMAIL": "ada@example.com", "ADMIN_PASSWORD": ADMIN_PASSWORD}
    with run_keystead(tmp_path, SECRET_KEY=SECRET_KEY, **admin) as keystead:
        walk = Walk(keystead.root, f"x_{SECRET_KEY}", f"x_{ADMIN_PASSWORD}")
        walk.public.add(keystead.key(type="public")["token"])
        use_everything(keystead, walk)
        look_into_files(walk, tmp_path / "data")
        app = keystead.app()
        database = sqlite3.connect(tmp_path / "data/keystead.sqlite3", isolation_level=None)
        database.execute("CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        require_traceback(keystead, break_in_the_middle(keystead, walk, app, 500))
        database.execute("DROP TRIGGER broken")
        database.execute("ALTER TABLE audit RENAME TO away")
        break_in_the_middle(keystead, walk, app, 503)
        database.execute("ALTER TABLE away RENAME TO audit")
        database.close()
        assert keystead.key(app)
    look_into_files(walk, tmp_path / "data")
    walk.look_into("log", keystead.log_text())
    assert walk.leaks() == []
    # The walk is no proof unless it would find something.
    walk.look_into("a leak", next(iter(walk.tokens)))
    assert len(walk.leaks()) == 1
    walk.replica["a leak"] = next(iter(walk.public)).encode()
    assert len(walk.leaks()) == 2


def look_into_files(walk: Walk, folder: Path) -> None:
    replica = folder / "replica"
    files = [it for it in folder.rglob("*") if it.is_file() and it.parent != replica]
    assert folder / "keystead.sqlite3" in files
    for file in files:
        walk.look_into(file.name, file.read_bytes())
    walk.look_into_replica(replica)


def test_a_server_on_postgresql_leaves_no_secret_behind(tmp_path: Path, postgres: Postgres):
    url = postgres.new_database()
    with run_keystead(tmp_path, database_url=url, SECRET_KEY=SECRET_KEY) as keystead:
        walk = Walk(keystead.root, f"x_{SECRET_KEY}")
        walk.public.add(keystead.key(type="public")["token"])
        use_everything(keystead, walk)
        dump = [postgres.psql.with_name("pg_dump"), "--inserts", url]
        walk.look_into("dump", subprocess.run(dump, check=True, capture_output=True).stdout)
        app = keystead.app()
        name = url.rpartition("/")[2]
        alter = [
            postgres.psql,
            "-qXd",
            url,
            "-c",
            "ALTER TABLE audit ADD CONSTRAINT broken CHECK (at IS NULL) NOT VALID",
        ]
        subprocess.run(alter, check=True, capture_output=True)
        require_traceback(keystead, break_in_the_middle(keystead, walk, app, 500))
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
        break_in_the_middle(keystead, walk, app, 503)
        ready = keystead.client.get("/readyz", headers={"Authorization": f"Bearer {keystead.root}"})
        assert ready.json()["replica"]["applied_epoch"] > 0
        walk.look_into("readyz", ready.content)
        walk.look_into_replica(tmp_path / "data/replica")
    walk.look_into("log", keystead.log_text())
    assert walk.leaks() == []


def test_no_object_shows_a_token_by_its_repr_or_in_a_traceback():
    token = make_token("ks", TokenKind.SECRET, Environment.LIVE, bytes(range(32)))
    walk = Walk(token.reveal())
    for text in (
        repr(token),
        str(token),
        f"{token}",
        repr([token]),
        repr({token: 1}),
    ):
        walk.look_into("a repr", text)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(token)
    captured = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    walk.look_into("a traceback with locals", "".join(captured.format()))
    assert walk.leaks() == []


async def test_no_value_of_a_mutation_shows_a_token_by_its_repr(tmp_path: Path):
    root = make_token("ks", TokenKind.ROOT, Environment.LIVE, bytes(range(32)))
    environ = {
        "KEYSTEAD_DATA": str(tmp_path / "data"),
        "KEYSTEAD_ROOT_KEY": root.reveal(),
        "KEYSTEAD_SECRET_KEY": SECRET_KEY,
    }
    async with opened_world(environ) as world:
        key = await world.key()
        walk = Walk(key["token"], world.root, root.reveal(), f"x_{SECRET_KEY}")
        settings, context = load_settings(environ), world.instance.context
        known = context.replica.find(Token(key["token"]).digest)
        assert known is not None
        verdict = Verdict(None, known)
        for value in (settings, world.instance.settings, context, context.seals, verdict, world.instance):
            walk.look_into(type(value).__name__, repr(value))
    assert walk.leaks() == []
