"""Keys and attempts from small pools, which meet often enough for a property to mean something."""

from datetime import timedelta
from ipaddress import ip_address

from hypothesis import strategies as st

from keystead.domain.constraints import make_constraint
from keystead.domain.instants import at_ms
from keystead.domain.keys import Environment, Key, KeyType, OwnerKind
from keystead.domain.policy import Policy, rules_of, tenant_of
from keystead.domain.tenants import Ceiling
from keystead.domain.verdict import Attempt, Demands, Known, known_of
from tests.contract.samples import NOW, app, key, organization

HOUR = timedelta(hours=1)
INSTANT = timedelta(milliseconds=1)

LONG = "/a/" + "x" * 2100

CONSTRAINTS = [
    make_constraint(kind, pattern, methods.split(), field="c")
    for kind, pattern, methods in [
        ("exact", "/a", ""),
        ("exact", "a", "GET"),
        ("exact", "/a/1", "GET HEAD"),
        ("prefix", "/a", ""),
        ("prefix", "/a/", "GET"),
        ("prefix", "/", "GET POST"),
        ("prefix", "/", ""),
        ("regex", "/a/[0-9]+", ""),
        ("regex", "a.*", "GET"),
        ("regex", ".*", ""),
        ("verb", None, "GET"),
        ("verb", None, "GET HEAD POST"),
    ]
]
ORIGINS = [
    "https://*.example.com",
    "https://*.b.example.com",
    "https://a.example.com",
    "https://a.b.example.com",
    "https://a.example.com:8443",
    "http://a.example.com",
    "http://localhost:3000",
]
NETWORKS = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3/32",
    "192.0.2.0/24",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1/128",
]
SCOPES = ["jobs:read", "jobs:write", "jobs:*", "*:read", "*:*", "maps:read"]

PATHS = ["/a", "/a/1", "/a/1?b=//", "/%61", "/a/x", "/b", "/", "/a//1", "/a/../b", "", LONG]
METHODS = ["GET", "HEAD", "POST", "get"]
SENT_ORIGINS = [
    *(it for it in ORIGINS if "*" not in it),
    "HTTPS://A.EXAMPLE.COM:443",
    "https://evil.test",
    "null",
]
ADDRESSES = [
    ip_address(it)
    for it in ["10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1", "::ffff:10.1.2.3", "2001:db8::1", "::1"]
]
LIFETIMES = [None, HOUR, 2 * HOUR, 24 * HOUR]
LATER = [
    timedelta(0),
    HOUR - INSTANT,
    HOUR,
    HOUR + INSTANT,
    2 * HOUR - INSTANT,
    2 * HOUR,
    24 * HOUR,
    999 * HOUR,
]


def joined(*parts: str) -> str:
    """A sample token from its pieces, so that scanners stay quiet."""
    return "_".join(parts)


def some(pool, most=3):
    """A list of up to `most` different ones, often empty."""
    return st.just(()) | st.lists(st.sampled_from(pool), max_size=most, unique=True).map(tuple)


ATTEMPTS = st.builds(
    Attempt,
    now_ms=st.sampled_from(LATER).map(lambda later: at_ms(NOW + later)),
    method=st.none() | st.sampled_from(METHODS),
    path=st.none() | st.sampled_from(PATHS),
    origin=st.none() | st.sampled_from(SENT_ORIGINS),
    address=st.none() | st.sampled_from(ADDRESSES),
    overridden=st.sampled_from([False, False, False, True]),
)
DEMANDS = st.builds(
    Demands,
    scopes=some(["jobs:read", "jobs:write", "maps:read", "jobs:*"], most=2),
    environment=st.sampled_from([None, None, *Environment]),
    type=st.sampled_from([None, None, *KeyType]),
    owner=st.sampled_from([None, OwnerKind.APP, OwnerKind.APP, OwnerKind.USER]),
)


def tried(now=NOW, **circumstances) -> Attempt:
    """An attempt at an instant."""
    return Attempt(now_ms=at_ms(now), **circumstances)


def made_of(*, lifetime: timedelta | None = None, **changes) -> Key:
    """A key made now, with a lifetime from now."""
    return key(expires_at=None if lifetime is None else NOW + lifetime, lifetime=lifetime, **changes)


KEYS = st.builds(
    made_of,
    type=st.sampled_from([KeyType.SECRET, KeyType.SECRET, KeyType.PUBLIC]),
    environment=st.sampled_from([Environment.LIVE, Environment.LIVE, Environment.TEST]),
    constraints=some(CONSTRAINTS),
    allowed_origins=some(ORIGINS),
    allowed_networks=some(NETWORKS),
    scopes=some(SCOPES),
    lifetime=st.sampled_from(LIFETIMES),
)
APPS = st.builds(app, allowed_origins=some(ORIGINS, most=1), allowed_networks=some(NETWORKS, most=1))


ABOVE = {"organization": organization(), "app": app(), "user": None}


def known(held: Key | None = None, *, version=None, role=None, **above) -> Known:
    """A key of an app, found by its newest token."""
    held = held or key()
    tenants = {name: it and tenant_of(it) for name, it in {**ABOVE, **above}.items()}
    return known_of(held, version or held.newest, Policy(rules=rules_of(held), role=role, **tenants))


KNOWN = st.builds(known, KEYS, app=APPS)
HELD = st.tuples(KEYS, APPS)
"""A key and its app, for what changes one of them."""

PUBLIC_CEILING = organization(ceiling=Ceiling(public_methods=("GET", "HEAD", "POST")))
