"""The path that is judged is the path that is served; and what each location demands."""

from collections.abc import Iterator

import pytest

from tests.scenario.nginx import IDENTITY, Site, received_headers, refused, run_site
from tests.scenario.servers import Api, Keystead, raw_get


@pytest.fixture(scope="module", params=[True, False], ids=["as shown", "without the guard"])
def any_site(request: pytest.FixtureRequest, keystead: Keystead, api: Api) -> Iterator[Site]:
    """The page says that one line may be taken out: constrained keys are safe without it."""
    with run_site(keystead, api, guarded=request.param) as running_site:
        yield running_site


# Paths

TWO_READINGS = [
    b"/jobs/../admin",
    b"/jobs/%2e%2e/admin",
    b"/jobs/%2E%2E/admin",
    b"/jobs/.%2e/admin",
    b"/jobs/%2e./admin",
    b"/jobs/..%2fadmin",
    b"/jobs/..%2Fadmin",
    b"/jobs%2f..%2fadmin",
    b"/jobs%2F%2e%2e%2Fadmin",
    b"/jobs/..\\admin",
    b"/jobs\\..\\admin",
    b"/jobs/..%5cadmin",
    b"/jobs/%2e%2e%5Cadmin",
    b"/jobs/..;/admin",
    b"/jobs/..;x=y/admin",
    b"/jobs/..%3b/admin",
    b"/jobs/%2e%2e;/admin",
    b"/jobs/;/../admin",
    b"/jobs/%252e%252e/admin",
    b"/jobs/%252e%252e%252fadmin",
    b"/jobs/..%252fadmin",
    b"/jobs/..%255cadmin",
    b"/jobs//../admin",
    b"/jobs//..//admin",
    b"/jobs/..//admin",
    b"//jobs/../admin",
    b"/jobs/./../admin",
    b"/jobs/x/../../admin",
    b"/jobs/x/%2e%2e/%2e%2e/admin",
    b"/jobs/../../../admin",
    b"/jobs/../admin/",
    b"/jobs/../admin?x=/jobs/",
    b"/jobs/..?/admin",
    b"/jobs/%c0%ae%c0%ae/admin",
    b"/jobs/..%c0%afadmin",
    b"/jobs/\xc0\xae\xc0\xae/admin",
    b"/jobs/..%00/admin",
    b"/jobs/%00/../admin",
    b"/jobs/..\x00/admin",
    b"/jobs/..%09/admin",
    b"/jobs/..\t/admin",
    b"/jobs/.. /admin",
    b"/jobs/..#/admin",
    b"/jobs/#/../admin",
    b"/jobs/..%23/admin",
    b"/jobs/..%3f/admin",
    b"/jobs/%u002e%u002e/admin",
    b"/jobs/..%2/admin",
    b"http://localhost/jobs/../admin",
    b"http:///jobs/../admin",
    b"/admin#/jobs/",
    b"/admin;/jobs/",
    b"//admin",
    b"/./admin",
    b"admin",
    b"*",
]
ONE_READING = [
    b"/admin",
    b"/%61dmin",
    b"/admin?/jobs/",
    b"http://localhost/admin",
    b"/jobs/..%ff/admin",
    b"/jobs/%e0%80%ae%e0%80%ae/admin",
]


@pytest.mark.parametrize("target", [*TWO_READINGS, *ONE_READING], ids=repr)
def test_no_spelling_of_a_path_takes_a_constrained_key_elsewhere(
    any_site: Site, jobs_token: str, target: bytes
):
    sent = raw_get(target, b"Authorization: Bearer " + jobs_token.encode())
    answer, received = any_site.raw(sent)
    assert (answer.status in {400, 403}, received) == (True, [])


@pytest.mark.parametrize("target", TWO_READINGS, ids=repr)
def test_the_guard_refuses_two_readings_for_keys_without_constraints_too(
    site: Site, free_token: str, target: bytes
):
    answer, received = site.raw(raw_get(target, b"X-API-Key: " + free_token.encode()))
    assert (answer.status, received) == (400, [])


LITERAL = [
    b"/jobs/7",
    b"/jobs/..%20/x",
    b"/jobs/%EF%BC%8E%EF%BC%8E/admin",
    b"/jobs/.../x",
    b"/jobs/100%25",
    b"/jobs/%7e%41:@!$&'()*+,=",
]


@pytest.mark.parametrize("target", LITERAL, ids=repr)
def test_what_was_judged_reaches_the_api_byte_for_byte(any_site: Site, free_token: str, target: bytes):
    for query in (b"", b"?a=%2F..%2F&b=//;"):
        answer, [received] = any_site.raw(raw_get(target + query, b"X-API-Key: " + free_token.encode()))
        assert (answer.status, received["target"].encode()) == (200, target + query)


def test_a_location_with_other_demands_is_not_missed_by_another_spelling(site: Site, free_token: str):
    for target in (b"/reports/7", b"/%72eports/7", b"/reports/%37"):
        answer, received = site.raw(raw_get(target, b"X-API-Key: " + free_token.encode()))
        assert (answer.status, received) == (403, [])


# Demands, and preflights


def test_a_missing_scope_is_refused_and_named(site: Site, free_token: str):
    refused(answer := site.get("/reports/7", free_token), 403)
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="api", error="insufficient_scope", scope="reports:read"'
    )
    site.keystead.made("POST", "scopes", {"name": "reports:read", "customer_grantable": True})
    granted = site.keystead.key(scopes=["reports:read"])["token"]
    assert site.get("/reports/7", granted).status_code == 200


def test_demands_do_not_come_from_the_client(site: Site, free_token: str):
    for query in ("scopes=", "scopes=&cost=0", "preflight=allow", "environment=any"):
        refused(site.get(f"/reports/7?{query}", free_token), 403)
        refused(site.get(f"/jobs/7?{query}", headers=PREFLIGHT, method="OPTIONS"), 401)
    assert site.get("/jobs/7?scopes=no:such", free_token).status_code == 200


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}


def test_a_preflight_reaches_the_api_only_where_the_address_allows_it(site: Site):
    allowed = site.get("/widgets/7", headers=PREFLIGHT, method="OPTIONS")
    assert allowed.status_code == 200
    said = [(name, value) for name, value in received_headers(allowed) if name in IDENTITY]
    assert sorted(said) == sorted((name, "-") for name in IDENTITY)
    refused(site.get("/jobs/7", headers=PREFLIGHT, method="OPTIONS"), 401)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", {}),
        ("OPTIONS", {"Origin": "https://shop.example"}),
        ("OPTIONS", {"Access-Control-Request-Method": "PUT"}),
        ("GET", PREFLIGHT),
        ("OPTIONS", PREFLIGHT | {"X-API-Key": "nonsense"}),
    ],
    ids=["plain", "origin only", "method only", "GET", "with a token"],
)
def test_what_is_no_preflight_needs_a_token(site: Site, method: str, headers: dict[str, str]):
    refused(site.get("/widgets/7", headers=headers, method=method), 401)


def test_a_client_cannot_ask_keystead(site: Site, free_token: str):
    for path in ("/_keystead/", "/_keystead/plain", "/_keystead/reports", "/_keystead/none"):
        before = len(site.api.received)
        assert site.get(path, free_token).status_code == 404
        assert len(site.api.received) == before
