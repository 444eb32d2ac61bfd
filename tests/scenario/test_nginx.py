"""What nginx lets through, as whom, and what it refuses."""

import base64
import re
import time

import pytest

from tests.scenario.nginx import IDENTITY, Site, received_headers, refused
from tests.scenario.servers import Headers, raw_get

# What gets through, and as whom


def test_an_accepted_request_reaches_the_api_with_the_facts_of_its_key(site: Site):
    catalogue = [f"nginx:{word}" for word in ("read", "write")]
    for name in catalogue:
        site.keystead.made("POST", "scopes", {"name": name, "customer_grantable": True})
    app = site.keystead.app(external_id="cus_nginx")
    key = site.keystead.key(app, scopes=catalogue)
    answer = site.get("/jobs/7?page=2", key["token"])
    assert answer.status_code == 200
    assert answer.json()["target"] == "/jobs/7?page=2"
    assert {pair for pair in received_headers(answer) if pair[0].startswith("x-key-")} == {
        ("x-key-id", key["id"]),
        ("x-key-owner", f"app:{app['id']}"),
        ("x-key-type", "secret"),
        ("x-key-organization", app["organization_id"]),
        ("x-key-external-id", "cus_nginx"),
        ("x-key-scopes", "nginx:read nginx:write"),
        ("x-key-environment", "live"),
    }


def test_a_personal_key_and_no_external_id_say_so(site: Site):
    key = site.keystead.key()
    answer = site.get("/jobs/7", key["token"])
    said = dict(received_headers(answer))
    assert said["x-key-external-id"] == "-"
    assert said["x-key-scopes"] == "-"


@pytest.mark.parametrize("form", ["bearer", "bare", "apikey", "basic", "x-api-key"])
def test_the_token_never_reaches_the_api(site: Site, form: str):
    token = site.keystead.key()["token"]
    basic = base64.b64encode(f"{token}:".encode()).decode()
    sent = {
        "bearer": ("Authorization", f"Bearer {token}"),
        "bare": ("Authorization", token),
        "apikey": ("authorization", f"ApiKey {token}"),
        "basic": ("Authorization", f"Basic {basic}"),
        "x-api-key": ("X-API-Key", token),
    }[form]
    answer = site.get("/jobs/7", headers=dict([sent]))
    assert answer.status_code == 200
    assert token not in answer.text
    assert basic not in answer.text
    assert not {"authorization", "x-api-key"} & {name for name, _ in received_headers(answer)}


FORGED = [
    b"X-Key-Id: forged",
    b"x-key-owner: forged",
    b"X-KEY-TYPE: forged",
    b"X-Key-Organization: forged",
    b"X-Key-External-Id: forged",
    b"X-Key-Scopes: forged",
    b"X-Key-Environment: forged",
    b"X-Key-Scopes: forged twice",
    b"X_Key_Scopes: forged",
    b"X-Key_Scopes: forged",
    b"x_key-id: forged",
    b"X.Key.Id: forged",
    b"X_Key_External_Id: forged",
    b"X-Original-Method: forged",
    b"X-Original-URI: forged",
    b"X_Original_URI: forged",
    b"X-Forwarded-Method: forged",
    b"X-Forwarded-Uri: forged",
    b"X-Forwarded-For: forged",
    b"X-Forwarded-Host: forged",
    b"X-Forwarded-Proto: forged",
    b"X-Real-IP: forged",
    b"X-API_Key: forged",
]


def test_forged_identity_headers_never_reach_the_api_in_any_spelling(site: Site):
    key = site.keystead.key()
    sent = raw_get(b"/jobs/7", b"Authorization: Bearer " + key["token"].encode(), *FORGED)
    answer, [received] = site.raw(sent)
    assert answer.status == 200
    plain = [re.sub(r"[^a-z0-9]", "-", name.lower()) for name, _ in received["headers"]]
    assert {name: plain.count(name) for name in IDENTITY} == dict.fromkeys(IDENTITY, 1)
    # Of the others nginx passes on what it does not know; none of those speaks of a key.
    passed = {name.lower() for name, value in received["headers"] if value.startswith("forged")}
    assert passed == {"x-forwarded-method", "x-forwarded-uri"}


def test_forged_headers_reach_the_api_as_little_where_nothing_is_asked(site: Site):
    answer, [received] = site.raw(raw_get(b"/health", *FORGED))
    assert answer.status == 200
    plain = {re.sub(r"[^a-z0-9]", "-", name.lower()) for name, _ in received["headers"]}
    assert not plain & IDENTITY


def test_a_client_cannot_make_a_proxy_header_hop_by_hop(site: Site):
    key = site.keystead.key()
    named = b"Connection: close, X-Key-Scopes, X-Original-URI, X-Original-Method"
    sent = raw_get(b"/jobs/7", b"X-API-Key: " + key["token"].encode(), named)
    answer, [received] = site.raw(sent)
    assert answer.status == 200
    assert dict(received["headers"])["X-Key-Scopes"] == "-"


def test_an_accepted_body_reaches_the_api_whole_however_it_is_sent(site: Site):
    token = site.keystead.key()["token"]
    headers = {"X-API-Key": token}
    whole = site.client.post("/jobs/7", headers=headers, content=b"x" * 20_000)
    chunked = site.client.post("/jobs/7", headers=headers, content=iter([b"x" * 10_000, b"x" * 10_000]))
    assert whole.json()["body"] == chunked.json()["body"] == "x" * 20_000


def test_what_the_api_itself_refuses_is_passed_on_untouched(site: Site):
    token = site.keystead.key()["token"]
    for status in (401, 403, 429, 500, 503):
        answer = site.get(f"/answers/{status}", token)
        assert answer.status_code == status
        assert answer.json()["target"] == f"/answers/{status}"


# What does not


def test_a_constrained_key_does_what_it_may_and_no_more(site: Site, jobs_token: str):
    assert site.get("/jobs/7", jobs_token).status_code == 200
    refused(site.get("/jobs/7", jobs_token, method="POST"), 403)
    refused(site.get("/admin", jobs_token), 403)
    refused(site.get("/job", jobs_token), 403)
    refused(site.get("/JOBS/7", jobs_token), 403)
    assert site.get("/jobs/7", jobs_token, method="HEAD").status_code == 403


FORGED_CIRCUMSTANCES = [
    {"X-Original-URI": "/jobs/7"},
    {"X-Original-Method": "GET", "X-Original-URI": "/jobs/7"},
    {"X_Original_URI": "/jobs/7"},
    {"X-Forwarded-Uri": "/jobs/7", "X-Forwarded-Method": "GET"},
    {"X-Forwarded-Prefix": "/jobs"},
    {"Forwarded": "for=127.0.0.1;host=localhost;proto=https"},
]


@pytest.mark.parametrize("headers", FORGED_CIRCUMSTANCES, ids=str)
def test_forged_circumstances_change_nothing(site: Site, jobs_token: str, headers: Headers):
    before = len(site.api.received)
    refused(site.get("/admin", jobs_token, headers=headers), 403)
    refused(site.get("/jobs/7", jobs_token, headers=headers, method="DELETE"), 403)
    assert len(site.api.received) == before


@pytest.mark.parametrize(
    "name",
    ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"],
)
def test_a_method_override_refuses_a_constrained_key_and_never_reaches_the_api(
    site: Site, jobs_token: str, name: str
):
    refused(site.get("/jobs/7", jobs_token, headers={name: "DELETE"}), 403)
    free = site.get("/jobs/7", site.keystead.key()["token"], headers={name: "DELETE"})
    assert free.status_code == 200
    assert name.lower() not in dict(received_headers(free))


def test_an_address_cannot_be_forged(site: Site):
    here = site.keystead.key(allowed_networks=["127.0.0.1"])["token"]
    elsewhere = site.keystead.key(allowed_networks=["203.0.113.0/24"])["token"]
    for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"X-Real-IP": "203.0.113.9"}):
        assert site.get("/jobs/7", here, headers=headers).status_code == 200
        refused(site.get("/jobs/7", elsewhere, headers=headers), 403)


def test_without_a_key_the_challenge_says_how_to_send_one(site: Site):
    answer = site.get("/jobs/7")
    refused(answer, 401)
    assert 'Bearer realm="api"' in answer.headers["www-authenticate"]
    assert "error=" not in answer.headers["www-authenticate"]


def test_two_keys_are_no_key(site: Site):
    one, two = (site.keystead.key()["token"].encode() for _ in range(2))
    for sent in (
        (b"Authorization: Bearer " + one, b"X-API-Key: " + two),
        (b"X-API-Key: " + one, b"X-API-Key: " + one),
        (b"X-API-Key: " + one, b"X-API-Key: " + two),
    ):
        answer, received = site.raw(raw_get(b"/jobs/7", *sent))
        assert (answer.status, received) == (401, [])
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    # Some versions of nginx refuse this one themselves.
    answer, received = site.raw(raw_get(b"/jobs/7", *[b"Authorization: Bearer " + one] * 2))
    assert (answer.status in {400, 401}, received) == (True, [])


@pytest.mark.parametrize(
    "token",
    ["ks_sk_" + "live_" + "0" * 38, "nonsense", "x" * 10_000, "ks_rk_live_" + "0" * 38],
    ids=["unknown", "made up", "10 kB", "root-like"],
)
def test_an_invalid_token_is_401(site: Site, token: str):
    answer = site.get("/jobs/7", token)
    # nginx itself refuses a header line of more than 8 kB.
    assert answer.status_code == (401 if len(token) < 8000 else 400)


def test_a_root_key_opens_nothing_but_our_own_api(site: Site):
    refused(site.get("/jobs/7", site.keystead.root), 401)


def test_the_life_of_a_key_shows_at_once(site: Site):
    key = site.keystead.key()
    keys = f"keys/{key['id']}"
    assert site.get("/a", key["token"]).status_code == 200

    rotated = site.keystead.made("POST", f"{keys}/rotate", {"grace_s": 600})
    assert [site.get("/a", it["token"]).status_code for it in (key, rotated)] == [200, 200]
    regenerated = site.keystead.made("POST", f"{keys}/rotate", {"grace_s": 0})
    statuses = [site.get("/a", it["token"]).status_code for it in (key, rotated, regenerated)]
    assert statuses == [401, 401, 200]

    site.keystead.made("POST", f"{keys}/disable")
    refused(site.get("/a", regenerated["token"]), 401)
    site.keystead.made("POST", f"{keys}/enable")
    assert site.get("/a", regenerated["token"]).status_code == 200
    site.keystead.made("DELETE", f"{keys}?reason=compromised")
    refused(site.get("/a", regenerated["token"]), 401)


def test_an_expired_key_and_a_token_after_its_grace_are_refused(site: Site):
    key, short = site.keystead.key(), site.keystead.key(expires_in=2)
    rotated = site.keystead.made("POST", f"keys/{key['id']}/rotate", {"grace_s": 2})
    assert [site.get("/a", it["token"]).status_code for it in (key, rotated, short)] == [200] * 3
    time.sleep(2)
    statuses = [site.get("/a", it["token"]).status_code for it in (key, rotated, short)]
    assert statuses == [401, 200, 401]
    assert "invalid_token" in site.get("/a", short["token"]).headers["www-authenticate"]
