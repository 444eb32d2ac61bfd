"""The profile `/auth`, and what both profiles have in common, asked as a proxy asks."""

import time

import httpx
import pytest

from tests.scenario.servers import Json, Keystead, raw_get, run_keystead, send_raw

IDENTITY = [
    "X-Key-Id",
    "X-Key-Owner",
    "X-Key-Type",
    "X-Key-Organization",
    "X-Key-External-Id",
    "X-Key-Scopes",
    "X-Key-Environment",
]
PREFLIGHT = {
    "X-Forwarded-Method": "OPTIONS",
    "X-Original-Method": "OPTIONS",
    "Origin": "https://shop.example",
    "Access-Control-Request-Method": "PUT",
}


def ask(keystead: Keystead, token: str | None = None, *, at: str = "/auth", **headers: str) -> httpx.Response:
    """What a trusted proxy is told; `x_forwarded_for="…"` is the header X-Forwarded-For."""
    given = {} if token is None else {"Authorization": f"Bearer {token}"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return keystead.client.get(at, headers=given | named)


def problem(answer: httpx.Response, status: int) -> Json:
    """The problem that a refusal carries, checked for what every one has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    return dict(body)


@pytest.fixture
def token(free_token: str) -> str:
    return free_token


JOBS = {"x_forwarded_method": "GET", "x_forwarded_uri": "/jobs/7?page=2"}


# Accepted


@pytest.mark.parametrize("at", ["/auth", "/auth/nginx"])
def test_an_accepted_answer_says_who_asks(keystead: Keystead, at: str):
    keystead.made("PUT", "organizations/external/cus_auth", {"name": "Acme"})
    [organization] = keystead.made("GET", "organizations?external_id=cus_auth")["items"]
    name = f"auth{len(at)}:read"
    keystead.made("POST", "scopes", {"name": name, "customer_grantable": True})
    app = keystead.made("POST", f"organizations/{organization['id']}/apps", {"name": "Web"})
    key = keystead.key(app, scopes=[name])
    answer = ask(keystead, key["token"], at=at)
    assert answer.status_code == 200
    assert answer.content == b""
    assert {name: answer.headers[name] for name in IDENTITY} == {
        "X-Key-Id": key["id"],
        "X-Key-Owner": f"app:{app['id']}",
        "X-Key-Type": "secret",
        "X-Key-Organization": organization["id"],
        "X-Key-External-Id": "cus_auth",
        "X-Key-Scopes": name,
        "X-Key-Environment": "live",
    }
    assert answer.headers["cache-control"] == "no-store"
    assert key["token"] not in str(answer.headers)


def test_a_personal_key_opens_what_asks_for_users_and_nothing_else(keystead: Keystead):
    organization = keystead.made("POST", "organizations", {"name": "Acme"})
    path = f"organizations/{organization['id']}/members"
    member = keystead.made("POST", path, {"email": "auth@example.com", "role": "viewer"})
    key = keystead.made("POST", f"users/{member['user_id']}/keys", {"name": "Mine"})
    assert problem(ask(keystead, key["token"]), 403)["type"] == "wrong-owner"
    answer = ask(keystead, key["token"], at="/auth?owner=user")
    assert answer.headers["x-key-owner"] == f"user:{member['user_id']}"
    assert answer.headers["x-key-external-id"] == "-"
    assert answer.headers["x-key-scopes"] == "-"


def test_a_use_is_counted(keystead: Keystead):
    key = keystead.key()
    for _ in range(3):
        ask(keystead, key["token"])
    ask(keystead, key["token"], at="/auth?scopes=no:such")
    deadline = time.monotonic() + 5
    while (count := keystead.made("GET", f"keys/{key['id']}")["use_count"]) < 3:
        assert time.monotonic() < deadline, "the uses were not written down"
        time.sleep(0.05)
    assert count == 3


# Refused: each reason in its status, with its challenge


BARE = ['Bearer realm="api"', 'ApiKey realm="api"']
INVALID = ['Bearer realm="api", error="invalid_token"', 'ApiKey realm="api"']


@pytest.mark.parametrize("at", ["/auth", "/auth/nginx"])
def test_no_token_is_challenged_without_an_error(keystead: Keystead, at: str):
    answer = ask(keystead, at=at)
    assert problem(answer, 401)["type"] == "missing"
    assert answer.headers.get_list("www-authenticate") == BARE


@pytest.mark.parametrize("at", ["/auth", "/auth/nginx"])
@pytest.mark.parametrize("state", ["unknown", "made-up", "10-kB", "disabled", "revoked", "root", "suspended"])
def test_a_token_that_does_not_work_is_401(keystead: Keystead, state: str, at: str):
    key = keystead.key()
    token, slug = key["token"], "invalid-token"
    match state:
        case "unknown":
            token = "acme_sk_live_" + "0" * 38
        case "made-up":
            token = "nonsense"
        case "10-kB":
            token = "x" * 10_000
        case "root":
            token = keystead.root
        case "disabled":
            keystead.made("POST", f"keys/{key['id']}/disable")
            slug = "disabled"
        case "suspended":
            keystead.made("PATCH", f"organizations/{key['organization_id']}", {"disabled": True})
            slug = "disabled"
        case "revoked":
            keystead.made("DELETE", f"keys/{key['id']}?reason=compromised")
            slug = "revoked"
    answer = ask(keystead, token, at=at)
    assert problem(answer, 401)["type"] == slug
    assert answer.headers.get_list("www-authenticate") == INVALID
    assert token not in answer.text


@pytest.mark.parametrize(
    ("at", "slug"),
    [
        ("environment=test", "wrong-environment"),
        ("type=public", "wrong-type"),
        ("owner=user", "wrong-owner"),
    ],
)
def test_another_kind_of_key_is_403_without_a_challenge(keystead: Keystead, token: str, at: str, slug: str):
    for path in ("/auth", "/auth/nginx"):
        answer = ask(keystead, token, at=f"{path}?{at}")
        assert problem(answer, 403)["type"] == slug
        assert "www-authenticate" not in answer.headers


def test_a_missing_scope_is_403_and_named(keystead: Keystead, token: str):
    answer = ask(keystead, token, at="/auth?scopes=jobs:read,jobs:write")
    assert problem(answer, 403)["type"] == "scope-missing"
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", scope="jobs:read jobs:write"'
    )


@pytest.mark.parametrize(
    "query",
    [
        "scope=jobs:read",
        "Scopes=jobs:read",
        "scopes=jobs:read&scopes=jobs:write",
        "scopes=Jobs",
        "scopes=",
        "scopes",
        "scopes=,+",
        "environment=prod",
        "environment=",
        "type=secret&nonsense",
        "owner=root",
        "cost=-1",
        "cost=1000001",
        "cost=1.5",
        "cost=",
        "preflight=1",
        "preflight=",
        "method=GET",
    ],
)
def test_an_address_with_a_demand_that_is_not_understood_refuses(keystead: Keystead, token: str, query: str):
    assert problem(ask(keystead, token, at=f"/auth?{query}"), 422)["type"] == "invalid-input"
    for_nginx = ask(keystead, token, at=f"/auth/nginx?{query}")
    problem(for_nginx, 403)
    assert for_nginx.headers["x-auth-status"] == "422"


@pytest.mark.parametrize(
    "query",
    ["environment=live", "environment=any", "type=any&owner=any&cost=0", "cost=1000000", "type=secret"],
)
def test_demands_that_the_key_meets_let_it_through(keystead: Keystead, token: str, query: str):
    assert ask(keystead, token, at=f"/auth?{query}").status_code == 200


# What is believed of the request


def test_method_and_path_come_from_the_profiles_own_headers_only(keystead: Keystead, jobs_token: str):
    nginx = {"x_original_method": "GET", "x_original_uri": "/jobs/7"}
    forged = {"x_forwarded_method": "DELETE", "x_forwarded_uri": "/admin"}
    assert ask(keystead, jobs_token, **JOBS).status_code == 200
    assert ask(keystead, jobs_token, at="/auth/nginx", **nginx, **forged).status_code == 200
    assert problem(ask(keystead, jobs_token, **nginx), 403)["type"] == "constraint-unmet"
    assert problem(ask(keystead, jobs_token, at="/auth/nginx", **JOBS), 403)["type"] == "constraint-unmet"


@pytest.mark.parametrize("left_out", ["x_forwarded_method", "x_forwarded_uri"])
def test_what_is_missing_refuses(keystead: Keystead, jobs_token: str, left_out: str):
    given = {name: value for name, value in JOBS.items() if name != left_out}
    assert problem(ask(keystead, jobs_token, **given), 403)["type"] == "constraint-unmet"


@pytest.mark.parametrize("header", [b"X-Forwarded-Method: GET", b"X-Forwarded-Uri: /jobs/7"])
def test_a_header_sent_twice_counts_as_absent(keystead: Keystead, jobs_token: str, header: bytes):
    once = [b"X-API-Key: " + jobs_token.encode(), b"X-Forwarded-Method: GET", b"X-Forwarded-Uri: /jobs/7"]
    assert send_raw(keystead.port, raw_get(b"/auth", *once)).status == 200
    assert send_raw(keystead.port, raw_get(b"/auth", *once, header)).status == 403


def test_two_tokens_and_one_header_twice_are_no_token(keystead: Keystead, token: str):
    other = keystead.key()["token"].encode()
    one = token.encode()
    for headers in (
        [b"Authorization: Bearer " + one, b"X-API-Key: " + other],
        [b"Authorization: Bearer " + one, b"authorization: Bearer " + one],
        [b"X-API-Key: " + one, b"X-API-Key: " + one],
    ):
        assert send_raw(keystead.port, raw_get(b"/auth", *headers)).status == 401
    same = [b"Authorization: Bearer " + one, b"X-API-Key: " + one]
    assert send_raw(keystead.port, raw_get(b"/auth", *same)).status == 200


def test_an_ambiguous_path_or_a_method_override_refuses_a_constrained_key(
    keystead: Keystead, jobs_token: str, token: str
):
    for extra in ({"x_forwarded_uri": "/jobs/../admin"}, {"x_http_method_override": "DELETE"}):
        answer = ask(keystead, jobs_token, **(JOBS | extra))
        assert problem(answer, 403)["type"] == "ambiguous-request"
        assert ask(keystead, token, **(JOBS | extra)).status_code == 200


FORWARDED_FOR = [
    ("203.0.113.9", True),
    ("198.51.100.1, 203.0.113.9", True),
    ("203.0.113.9, 10.1.2.3", True),
    ("203.0.113.9, 10.1.2.3, 127.0.0.1", True),
    ("203.0.113.9:4711", True),
    ("::ffff:203.0.113.9", True),
    ("203.0.113.9, 198.51.100.1", False),
    ("203.0.113.9, unknown", False),
    ("203.0.113.9, , 10.1.2.3", False),
    ("203.0.113.9,198.51.100.1, 10.1.2.3", False),
    ("10.1.2.3", False),
    ("127.0.0.1", False),
    ("", False),
    ("203.0.113.9/32", False),
    ("nonsense", False),
]


@pytest.mark.parametrize(("value", "accepted"), FORWARDED_FOR)
def test_the_rightmost_address_that_is_no_trusted_proxy_counts(
    keystead: Keystead, networks_token: str, value: str, *, accepted: bool
):
    answer = ask(keystead, networks_token, x_forwarded_for=value)
    assert answer.status_code == (200 if accepted else 403), answer.text


def test_without_an_address_or_with_two_headers_a_network_is_denied(keystead: Keystead, networks_token: str):
    assert problem(ask(keystead, networks_token), 403)["type"] == "network-denied"
    assert ask(keystead, networks_token, x_real_ip="203.0.113.9").status_code == 403
    headers = [b"X-API-Key: " + networks_token.encode(), *[b"X-Forwarded-For: 203.0.113.9"] * 2]
    assert send_raw(keystead.port, raw_get(b"/auth", *headers)).status == 403


def test_nginx_tells_the_address_in_x_real_ip_alone(keystead: Keystead, networks_token: str):
    for headers, status in (
        ({"x_real_ip": "203.0.113.9"}, 200),
        ({"x_forwarded_for": "203.0.113.9"}, 403),
        ({"x_real_ip": "198.51.100.1", "x_forwarded_for": "203.0.113.9"}, 403),
        ({"x_real_ip": "203.0.113.9, 203.0.113.9"}, 403),
    ):
        assert ask(keystead, networks_token, at="/auth/nginx", **headers).status_code == status


@pytest.fixture(scope="module")
def networks_token(keystead: Keystead) -> str:
    """A token of a key for one network."""
    return str(keystead.key(allowed_networks=["203.0.113.0/24"])["token"])


def test_an_origin_is_read_from_origin_and_never_from_referer(keystead: Keystead):
    token = keystead.key(allowed_origins=["https://shop.example"])["token"]
    assert ask(keystead, token, origin="https://shop.example").status_code == 200
    for headers in ({"referer": "https://shop.example/"}, {"origin": "https://evil.example"}, {}):
        assert problem(ask(keystead, token, **headers), 403)["type"] == "origin-denied"


# Preflights


@pytest.mark.parametrize("profile", ["/auth", "/auth/nginx"])
def test_a_preflight_without_a_token_passes_only_where_the_address_says_so(keystead: Keystead, profile: str):
    asked = {name.replace("-", "_"): value for name, value in PREFLIGHT.items()}
    passed = ask(keystead, at=f"{profile}?preflight=allow", **asked)
    assert passed.status_code == 200
    assert {passed.headers[name] for name in IDENTITY} == {"-"}
    problem(ask(keystead, at=profile, **asked), 401)
    for absent in ("Origin", "Access_Control_Request_Method", "X_Forwarded_Method", "X_Original_Method"):
        if {"X_Forwarded_Method": "/auth/nginx", "X_Original_Method": "/auth"}.get(absent) != profile:
            less = {name: value for name, value in asked.items() if name != absent}
            problem(ask(keystead, at=f"{profile}?preflight=allow", **less), 401)
    problem(ask(keystead, "nonsense", at=f"{profile}?preflight=allow", **asked), 401)


def test_the_method_of_our_own_request_is_no_preflight(keystead: Keystead):
    headers = {name: value for name, value in PREFLIGHT.items() if not name.startswith("X-")}
    answer = keystead.client.options("/auth?preflight=allow", headers=headers)
    problem(answer, 401)


# Who may ask


def test_a_peer_that_is_no_trusted_proxy_finds_nothing(tmp_path):
    with run_keystead(tmp_path, TRUSTED_PROXIES="10.0.0.0/8") as keystead:
        token = keystead.key()["token"]
        nothing = problem(keystead.client.get("/api/nothing"), 404)
        for path in ("/auth", "/auth/nginx", "/auth?preflight=allow", "/auth?nonsense", "/%61uth"):
            for headers in ({}, {"x_forwarded_for": "10.0.0.1"}, {"x_real_ip": "10.0.0.1"}):
                found = problem(ask(keystead, token, at=path, **headers), 404)
                assert found | {"request_id": ""} == nothing | {"request_id": ""}


def test_no_other_path_is_forward_auth(keystead: Keystead, token: str):
    for path in ("/auth/", "/auth/nginx/", "/auth/caddy"):
        problem(ask(keystead, token, at=path), 404)


# When keys cannot be judged


def test_without_the_database_keys_are_judged_until_the_node_is_stale(tmp_path, postgres):
    url = postgres.new_database()
    with run_keystead(tmp_path, database_url=url, FRESH_FOR="1s", STALE_LIMIT="4s") as keystead:
        token = keystead.key()["token"]
        assert "x-auth-degraded" not in ask(keystead, token).headers
        postgres.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")
        seen = []
        while (answer := ask(keystead, token)).status_code == 200:
            seen.append(answer.headers.get("x-auth-degraded"))
            assert len(seen) < 200, "the node is never stale"
            time.sleep(0.05)
        assert seen == sorted(seen, key=bool)
        assert set(seen) == {None, "1"}
        assert problem(answer, 503)["type"] == "stale"
        assert answer.headers["retry-after"] == "1"
        for_nginx = ask(keystead, token, at="/auth/nginx")
        assert problem(for_nginx, 403)["type"] == "stale"
        assert for_nginx.headers["x-auth-status"] == "503"
        assert keystead.verdict(token)["reason"] == "STALE"
        assert problem(keystead.client.get("/readyz"), 503)["type"] == "stale"
