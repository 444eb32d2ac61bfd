"""A running Keystead that people live in: their accounts, and browsers that they are signed in with."""

import re
import secrets
import socketserver
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, Page

from keystead.dashboard.cookies import SESSION
from tests.scenario.servers import Json, Keystead, run_keystead
from tests.servers import LOOPBACK, free_port

PASSWORD = "correct horse battery"
OPERATOR = "ada@example.com"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
LINK = re.compile(r"https?://\S+/link\?secret=\w{43}")
_MAIL_TIMEOUT_S = 10
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account, and the organization that they came for."""

    id: str
    email: str
    organization: Json
    app: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A server, and where people find it; what nobody sees on pages is done through its API."""

    keystead: Keystead
    url: str

    def person(self, role: str = "owner", organization: Json | None = None) -> Person:
        """A new member of a new organization, or of the one given; they have no password yet."""
        made = self.keystead.made
        mark = secrets.token_hex(4)
        own = organization or made("POST", "organizations", {"name": f"Acme {mark}"})
        email = f"{role}-{mark}@example.com"
        member = made("POST", f"organizations/{own['id']}/members", {"email": email, "role": role})
        return self._known(member["user_id"], email, own)

    def operator(self) -> Person:
        """The first operator."""
        [user] = self.keystead.made("GET", f"users?email={OPERATOR}")["items"]
        [own] = self.keystead.made("GET", "organizations?name=ada")["items"] or [None]
        return self._known(user["id"], OPERATOR, own)

    def set_password(self, person: Person) -> None:
        """Have somebody choose `PASSWORD`, by a link as operators make them; their sessions end."""
        link = self.keystead.made("POST", f"users/{person.id}/password-reset-links")["url"]
        take(link, password=PASSWORD).close()

    def sign_in_link(self, person: Person, **wishes: str) -> str:
        """A link that signs somebody in, as a provider with a login of their own makes them."""
        return str(self.keystead.made("POST", f"users/{person.id}/sign-in-links", dict(wishes))["url"])

    def enter(self, context: BrowserContext, person: Person) -> None:
        """Have a browser signed in, without a password that is tried: guessing is slowed."""
        with closing(take(self.sign_in_link(person))) as client:
            [(name, value)] = [it for it in client.cookies.items() if it[0].endswith(SESSION)]
        context.add_cookies([{"name": name, "value": value, "url": f"{self.url}/"}])

    def let_pass(self, minutes: int, person: Person) -> None:
        """Have a person's password given so long ago."""
        with closing(sqlite3.connect(self.keystead.folder / "data" / "keystead.sqlite3", timeout=10)) as db:
            db.execute(
                "UPDATE sessions SET proven_at = proven_at - ? WHERE user_id = ?",
                (minutes * _MINUTE_MS, person.id),
            )
            db.commit()

    def key(self, person: Person, **fields: object) -> Json:
        """A new key of the person's app, with its token, made by the provider."""
        return self.keystead.made("POST", f"apps/{person.app['id']}/keys", {"name": "Made", **fields})

    def _known(self, user_id: str, email: str, organization: Json) -> Person:
        app = self.keystead.made("GET", f"organizations/{organization['id']}/apps")["items"][0]
        return Person(id=user_id, email=email, organization=organization, app=app)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A browser at a home, and who sits before it; `another` is a page of another browser of its kind."""

    home: Home
    person: Person
    page: Page
    another: Callable[[], Page]

    def open(self, path: str, page: Page | None = None) -> None:
        """Go to a page by its path."""
        (page or self.page).goto(f"{self.home.url}{path}")


@contextmanager
def opened_home(folder: Path, *, around: Mapping[str, str] | None = None, **settings: str) -> Iterator[Home]:
    """A home with its first operator; `settings` are `KEYSTEAD_*` variables without that beginning."""
    port = free_port()
    given = {"ADMIN_EMAIL": OPERATOR, "ADMIN_PASSWORD": PASSWORD, **settings}
    with run_keystead(folder, port=port, around=around, **given) as keystead:
        yield Home(keystead=keystead, url=settings.get("PUBLIC_URL", f"http://localhost:{port}"))


def take(link: str, **fields: str) -> httpx.Client:
    """Use a link up as a browser would: look at it, then send its form."""
    # Whose certificate it is was made by the test that asks.
    client = httpx.Client(verify=False, timeout=30)  # noqa: S501
    csrf = CSRF.search(client.get(link).text)
    assert csrf is not None, link
    answer = client.post(link, data={"csrf": csrf[1], **fields})
    assert answer.has_redirect_location, answer.text
    return client


@dataclass(slots=True)
class Mailbox:
    """What a mail server took."""

    port: int = 0
    letters: list[tuple[str, str]] = field(default_factory=list)

    def link(self, to: str) -> str:
        """The link in the newest letter to somebody, once there is one."""
        deadline = time.monotonic() + _MAIL_TIMEOUT_S
        while (found := self._link(to)) is None:
            assert time.monotonic() < deadline, self.letters
            time.sleep(0.02)
        return found

    def _link(self, to: str) -> str | None:
        texts = [text for recipient, text in reversed(self.letters) if recipient == to]
        return next((found[0] for text in texts if (found := LINK.search(text))), None)


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server that takes everything."""
    box = Mailbox()

    class Talk(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                match line.split()[0].upper():
                    case "DATA":
                        self.say("354 go on")
                        self.take()
                        self.say("250 taken")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 ok")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def take(self) -> None:
            lines = list(iter(self.rfile.readline, b".\r\n"))
            letter = message_from_bytes(b"".join(lines), policy=policy.default)
            box.letters.append((str(letter["to"]), letter.get_content()))

    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Talk) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()
