"""Servers with something to show: one where a customer has lived for months, one that has only just begun."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.homes import CSRF, PASSWORD, Home, Mailbox, Person, mail_server, opened_home, take
from tests.scenario.servers import Json, run_keystead
from tests.servers import free_port
from tests.survival.machine import WallClock
from tests.survival.nodes import soon

ADA = "ada@acme.example"
SCOPES = {
    "orders:read": "Read orders, and what becomes of them",
    "orders:write": "Place, change and cancel orders",
    "robots:read": "See where robots are, and how they are",
    "robots:move": "Send robots somewhere",
}
_DAY_S = 86_400
_MADE = re.compile(r'data-made="(key_\w+)"')
_TOKEN = re.compile(r'id="token"[^>]*>(\w+)<')
_SECRET = re.compile(r"/link\?secret=(\w{43})")


@dataclass(slots=True, kw_only=True)
class Acme:
    """A server where Acme Robotics is one customer of several; `facts` are what addresses of pages name."""

    home: Home
    wall: WallClock
    facts: dict[str, str] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where people find it."""
        return self.home.url

    def address(self, path: str) -> str:
        """The address of a page, whose path names facts as `/apps/{fleet}` does; `{let_in}` is made anew."""
        let_in = (
            {"let_in": _secret(self.home.sign_in_link(self.people["katherine"]))} if "let_in" in path else {}
        )
        return self.url + path.format_map({**self.facts, **let_in})

    def made(self, method: str, path: str, body: Json | None = None) -> Json:
        """What a request to its API that must succeed answers with."""
        return self.home.keystead.made(method, path, body)

    def go_to(self, *, seconds_ago: int) -> None:
        """Go on as if it were so long ago, once the uses until then are written down."""
        for key, uses in self.uses.items():
            soon(lambda key=key, uses=uses: self.made("GET", f"keys/{key}")["use_count"] == uses)
        self.wall.set(-seconds_ago)

    def add_person(self, name: str, role: str, organization: Json) -> Person:
        """A member, whose e-mail begins with the first part of the name."""
        first = name.partition(" ")[0].lower()
        body = {"email": f"{first}@acme.example", "role": role}
        member = self.made("POST", f"organizations/{organization['id']}/members", body)
        self.made("PATCH", f"users/{member['user_id']}", {"name": name})
        person = Person(id=member["user_id"], email=body["email"], organization=organization, app={})
        self.people[first] = person
        return person

    def add_app(self, name: str, **fields: object) -> str:
        """An app of Acme Robotics."""
        made = self.made("POST", f"organizations/{self.facts['org']}/apps", {"name": name, **fields})
        return str(made["id"])

    def add_key(self, by: str, app: str, name: str, **fields: str | Sequence[str]) -> str:
        """A key that somebody makes with the form, whose `fields` these are with `_` for `-`."""
        address = f"{self.url}/apps/{app}/keys/new"
        typed = {name.replace("_", "-"): value for name, value in fields.items()}
        with closing(take(self.home.sign_in_link(self.people[by]))) as browser:
            csrf = CSRF.search(browser.get(address).text)
            assert csrf is not None
            sent = {"csrf": csrf[1], "do": "create", "typed": "CREATE", "once": name, "name": name, **typed}
            answer = browser.post(address, data=sent)
        made, token = _MADE.search(answer.text), _TOKEN.search(answer.text)
        assert made, answer.text
        assert token, answer.text
        self.tokens[made[1]] = token[1]
        return made[1]

    def use(self, key: str, times: int = 1, **attempt: str) -> None:
        """Have a key accepted so many times."""
        self.uses[key] = self.uses.get(key, 0) + times
        for _ in range(times):
            verdict = self.home.keystead.verdict(self.tokens[key], **attempt)
            assert verdict["valid"], verdict


@dataclass(slots=True, kw_only=True)
class Beginning:
    """A server at its first start, where anybody may sign up, and what it mails."""

    url: str
    log: Path
    box: Mailbox

    def address(self, path: str) -> str:
        """The address of a page; `{set_up}` is the link that was printed, `{mailed}` the one mailed last."""
        printed = soon(lambda: _SECRET.search(self.log.read_text()))
        mailed = _secret(self.box.letters[-1][1]) if "{mailed}" in path else ""
        return self.url + path.format(set_up=printed[1], mailed=mailed)


@contextmanager
def acme(folder: Path) -> Iterator[Acme]:
    """The server of Acme Robotics, whose newest keys were made minutes ago."""
    folder.mkdir()
    wall = WallClock(folder / "offset")
    wall.set(-204 * _DAY_S)
    settings = {
        "ADMIN_EMAIL": ADA,
        "ADMIN_PASSWORD": PASSWORD,
        "SUPPORT_URL": "https://support.example.com",
        "DOCS_URL": "https://docs.example.com",
        "NODE_NAME": "node-1",
    }
    with opened_home(folder, around=wall.environ, **settings) as home:
        acme = Acme(home=home, wall=wall)
        _found(acme)
        _first_keys(acme)
        _later_keys(acme)
        _keys_of_today(acme)
        _instance(acme)
        yield acme


@contextmanager
def beginning(folder: Path) -> Iterator[Beginning]:
    """A server that was just started for the first time."""
    folder.mkdir()
    port = free_port()
    with mail_server() as box:
        settings = {
            "SIGNUP": "open",
            "SMTP_URL": f"smtp://127.0.0.1:{box.port}",
            "MAIL_FROM": "Keystead <keys@example.com>",
        }
        with run_keystead(folder, port=port, **settings):
            yield Beginning(url=f"http://localhost:{port}", log=folder / "log", box=box)


def _found(acme: Acme) -> None:
    """Two hundred days ago: the organization, its people and its apps."""
    [ada] = acme.made("GET", f"users?email={ADA}")["items"]
    acme.made("PATCH", f"users/{ada['id']}", {"name": "Ada Lovelace"})
    [organization] = acme.made("GET", "organizations")["items"]
    own = {"name": "Acme Robotics", "external_id": "cus_42", "metadata": {"plan": "pro"}}
    organization = acme.made("PATCH", f"organizations/{organization['id']}", own)
    acme.facts |= {"ada": ada["id"], "org": organization["id"]}
    acme.people["ada"] = Person(id=ada["id"], email=ADA, organization=organization, app={})
    for name, role in (("Grace Hopper", "admin"), ("Katherine Johnson", "developer"), ("Lin Wei", "viewer")):
        acme.facts[role] = acme.add_person(name, role, organization).id
    for name, description in SCOPES.items():
        scope = {"name": name, "description": description, "customer_grantable": True}
        acme.made("POST", "scopes", scope)
    [first] = acme.made("GET", f"organizations/{organization['id']}/apps")["items"]
    changes = {"name": "Shop", "allowed_origins": ["https://shop.acme.example"]}
    acme.made("PATCH", f"apps/{first['id']}", changes)
    fleet = acme.add_app("Warehouse fleet", api_base_url="https://api.robots.example/v1")
    acme.facts |= {"shop": first["id"], "fleet": fleet}
    [only] = acme.made("GET", f"apps/{first['id']}/keys")["items"]
    acme.facts["last"] = only["id"]


def _first_keys(acme: Acme) -> None:
    fleet = acme.facts["fleet"]
    importer = acme.add_key("ada", fleet, "Legacy importer")
    acme.facts["busy"] = busy = acme.add_key(
        "grace",
        fleet,
        "Nightly export",
        c0_type="prefix",
        c0_pattern="orders/",
        c0_methods=["GET"],
        scopes=["orders:read"],
        labels="team=logistics",
    )
    lost = acme.add_key("grace", fleet, "Partner portal", c0_type="prefix", c0_pattern="orders/")
    acme.go_to(seconds_ago=120 * _DAY_S)
    acme.use(importer, 41)
    acme.use(importer, 1, origin="https://old.acme.example")
    acme.use(lost, 12, path="/orders/7")
    acme.made("DELETE", f"keys/{lost}?reason=compromised")
    acme.facts["revoked"] = lost
    acme.add_key("grace", fleet, "Spring campaign", expiry="30d", c0_type="prefix", c0_pattern="offers/")
    acme.facts["importer"] = importer
    acme.use(busy, 60, path="/orders/1")


def _later_keys(acme: Acme) -> None:
    fleet = acme.facts["fleet"]
    acme.go_to(seconds_ago=86 * _DAY_S)
    soon_over = acme.add_key(
        "katherine",
        fleet,
        "Contractor access",
        expiry="90d",
        c0_type="exact",
        c0_pattern="robots",
        c0_methods=["GET", "HEAD"],
        networks="203.0.113.0/24",
    )
    acme.facts["public"] = public = acme.add_key(
        "katherine",
        fleet,
        "Live map",
        type="public",
        c0_type="prefix",
        c0_pattern="map/",
        c0_methods=["GET"],
        origins="https://fleet.acme.example",
    )
    paused = acme.add_key("katherine", fleet, "Load test", c0_type="prefix", c0_pattern="robots/")
    acme.made("POST", f"keys/{paused}/disable")
    acme.facts |= {"soon_over": soon_over, "disabled": paused}
    acme.go_to(seconds_ago=2 * _DAY_S)
    acme.use(soon_over, 9, method="GET", path="/robots", ip="203.0.113.9")
    acme.use(public, 230, method="GET", path="/map/7", origin="https://fleet.acme.example")


def _keys_of_today(acme: Acme) -> None:
    fleet = acme.facts["fleet"]
    acme.go_to(seconds_ago=4 * 3600)
    rolling = acme.add_key(
        "grace",
        fleet,
        "Robot firmware",
        c0_type="prefix",
        c0_pattern="robots/",
        c0_methods=["GET", "POST"],
        c1_type="exact",
        c1_pattern="telemetry",
        c1_methods=["POST"],
        scopes=["robots:read", "robots:move"],
    )
    acme.use(rolling, 88, method="POST", path="/telemetry")
    acme.go_to(seconds_ago=180)
    old = acme.tokens[rolling]
    rotated = acme.made("POST", f"keys/{rolling}/rotate", {})
    acme.tokens[rolling] = rotated["token"]
    acme.use(rolling, 5, method="POST", path="/telemetry")
    acme.tokens[rolling] = old
    acme.use(rolling, 1, method="POST", path="/telemetry")
    acme.use(acme.facts["busy"], 340, path="/orders/1")
    acme.facts |= {"rolling": rolling, "version": rotated["versions"][0]["id"]}
    maker = acme.made("POST", f"users/{acme.people['katherine'].id}/keys", {"name": "Deploy pipeline"})
    for name in ("Preview 41", "Preview 42"):
        _made_with(acme, maker["token"], fleet, name)
    acme.facts["maker"] = maker["id"]
    acme.go_to(seconds_ago=0)


def _secret(text: str) -> str:
    """The secret of the link in a text."""
    found = _SECRET.search(text)
    assert found is not None, text
    return found[1]


def _made_with(acme: Acme, token: str, app: str, name: str) -> None:
    """A key that a key makes."""
    answer = acme.home.keystead.call("POST", f"apps/{app}/keys", token=token, json={"name": name})
    assert answer.is_success, answer.text


def _instance(acme: Acme) -> None:
    """What operators see beside: other customers, root keys, and an organization with nothing yet."""
    org = acme.facts["org"]
    acme.facts["new_app"] = acme.add_app("Showroom", environment="test")
    acme.facts["old_shop"] = acme.add_app("Old shop")
    acme.made("PATCH", f"apps/{acme.facts['old_shop']}", {"disabled": True})
    ceiling: dict[str, Any] = {"scopes": ["orders:read", "robots:read"], "max_lifetime_s": 90 * _DAY_S}
    limited = {"name": "Nordwind Logistics", "external_id": "cus_43", "ceiling": ceiling}
    acme.facts["limited"] = acme.made("POST", "organizations", limited)["id"]
    suspended = acme.made("POST", "organizations", {"name": "Bluebird Foods", "external_id": "cus_44"})
    acme.made("PATCH", f"organizations/{suspended['id']}", {"disabled": True})
    empty = acme.made("POST", "organizations", {"name": "Nimbus Labs"})
    [app] = acme.made("GET", f"organizations/{empty['id']}/apps")["items"]
    acme.made("DELETE", f"apps/{app['id']}")
    noor = acme.add_person("Noor Haddad", "owner", empty)
    acme.facts["scope"] = next(iter(SCOPES))
    for name, email in (("invited", "sofia@acme.example"), ("joining", noor.email)):
        body = {"email": email, "role": "developer"}
        link = acme.made("POST", f"organizations/{org}/invitations", body)
        acme.facts |= {name: _secret(link["url"]), "invitation": link["id"]}
    reset = acme.made("POST", f"users/{acme.people['lin'].id}/password-reset-links")
    acme.facts["reset"] = _secret(reset["url"])
    acme.made("POST", "root-keys", {"name": "Billing service", "scopes": ["organizations:*", "keys:*"]})
    acme.made("POST", "root-keys", {"name": "Gateway", "scopes": ["verify"], "expires_in": 90 * _DAY_S})
