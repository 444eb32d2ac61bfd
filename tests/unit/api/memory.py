"""A door on a replica of the test's own, in memory: what verify and forward-auth are tested on."""

from dataclasses import dataclass, field, replace

from keystead.api.desk import Door
from keystead.api.metrics import Metrics
from keystead.domain.constraints import make_constraints
from keystead.domain.errors import Unavailable
from keystead.domain.gcra import Rate
from keystead.domain.instants import at_ms
from keystead.domain.keys import Environment, KeyType, Owner, OwnerKind
from keystead.domain.policy import Policy, rules_of
from keystead.domain.presented import Place
from keystead.domain.tenants import Role
from keystead.domain.tokens import TokenKind, make_token
from keystead.domain.verdict import known_of
from keystead.services.context import Context, Seals
from keystead.services.throttle import Throttle
from keystead.web.head import Head
from tests.contract.samples import NOW, app, app_id, key, organization, user, user_owner
from tests.people import people
from tests.unit.domain.cases import known


def token(kind=TokenKind.SECRET, number=0):
    """A token of ours, another for each number."""
    return make_token("ks", kind, Environment.LIVE, bytes([number]) * 32)


APP, PERSONAL, ROOT, ROOT_BARE = token(), token(number=1), token(TokenKind.ROOT), token(TokenKind.ROOT, 1)
JOBS, SHOP, NETWORK, REVOKED = (token(number=number) for number in range(2, 6))
PUBLIC, STRANGER = token(TokenKind.PUBLIC), token(number=9)
TYPO = APP.reveal()[:-1] + ("0" if APP.reveal()[-1] != "0" else "1")

ORGANIZATION = organization(external_id="cus_1", metadata={"plan": "pro"})


def root_key(*scopes, number=90):
    """A root key."""
    owner = Owner(kind=OwnerKind.INSTANCE, id=None)
    held = key(number, owner=owner, organization_id=None, scopes=scopes)
    return known_of(held, held.newest, Policy(rules=rules_of(held)))


def _held(number, **changes):
    metadata = {"k": {"deep": [True, None, "ü"]}}
    return known(key(number, metadata=metadata, **changes), organization=ORGANIZATION)


@dataclass
class Memory:
    """A replica of what it is told, which also counts the uses."""

    found: dict = field(default_factory=dict)
    age: int = 0
    away: bool = False
    used: list = field(default_factory=list)
    seen: list = field(default_factory=list)

    def age_ms(self):
        return self.age

    def applied_epoch(self):
        return 42

    def find(self, digest):
        if self.away:
            raise Unavailable("replica")
        return self.found.get(digest)

    def count(self, found, _now_ms):
        self.used.append(found)

    def see_origin(self, found, _now_ms):
        self.seen.append(found)


def filled():
    """A memory with a key of each sort that the cases present."""
    personal = known(
        key(2, owner=user_owner()), organization=ORGANIZATION, app=None, user=user(), role=Role.VIEWER
    )
    jobs = make_constraints([("prefix", "/jobs/", ("GET",))])
    kept = {
        APP: _held(1, scopes=("jobs:read", "jobs:write"), expires_at=NOW.replace(year=2027)),
        PERSONAL: personal,
        ROOT: root_key("verify"),
        ROOT_BARE: root_key("keys:*", number=91),
        JOBS: _held(3, constraints=jobs),
        SHOP: _held(4, allowed_origins=("https://shop.example",)),
        NETWORK: _held(5, allowed_networks=("203.0.113.0/24",)),
        REVOKED: _held(6, revoked_at=NOW),
        PUBLIC: _held(7, type=KeyType.PUBLIC),
    }
    return Memory({it.digest: found for it, found in kept.items()})


def door_on(memory, **changes):
    """A door whose clock stands still, on this memory."""
    context = Context(
        store=None,
        replica=memory,
        uses=memory,
        clock_ms=lambda: at_ms(NOW),
        entropy=bytes,
        seals=Seals(b"x" * 32),
        people=people(),
    )
    door = Door(
        context=context,
        throttle=Throttle(Rate(units=60, period_s=60, burst=2)),
        metrics=Metrics(),
        places=tuple(Place),
        trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"),
    )
    return replace(door, **changes)


def head(method="GET", path="/auth", query="", *, client=("127.0.0.1", 4711), **headers):
    """A head; `x_forwarded_uri="…"` is the header x-forwarded-uri, and a list sends it as often."""
    sent = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return Head(method, path, query.encode(), sent, client)


APP_OWNER = f"app:{app_id(1)}"
APP_ID = app().id
