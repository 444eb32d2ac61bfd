"""Requests to verify and forward-auth, with the status, and the type or reason, of their answers."""

import json

from tests.unit.api.memory import (
    APP,
    JOBS,
    NETWORK,
    PERSONAL,
    PUBLIC,
    REVOKED,
    ROOT,
    ROOT_BARE,
    SHOP,
    STRANGER,
    TYPO,
    head,
)


def bearer(token):
    return f"Bearer {token.reveal()}"


ASKED = {"x_forwarded_method": "GET", "x_forwarded_uri": "/jobs/7"}
PREFLIGHT = {
    "x_forwarded_method": "OPTIONS",
    "origin": "https://shop.example",
    "access_control_request_method": "PUT",
}


def auth(query="", *, path="/auth", method="GET", token=None, client=("127.0.0.1", 4711), **headers):
    given = {} if token is None else {"authorization": bearer(token)}
    return head(method, path, query, client=client, **given, **headers)


def _jobs(**headers):
    return auth(token=JOBS, **{**ASKED, **headers})


# What is asked, the status, and the type of the problem.
AUTH = {
    "accepted": (auth(token=APP, **ASKED), 200, None),
    "accepted, any method of ours": (auth(token=APP, method="POST", **ASKED), 200, None),
    "accepted by nginx": (auth(path="/auth/nginx", token=APP), 200, None),
    "in lower case": (auth(authorization=f"bearer {APP.reveal()}"), 200, None),
    "with spaces": (auth(authorization=f"Bearer  {APP.reveal()} "), 200, None),
    "bare": (auth(authorization=APP.reveal()), 200, None),
    "as ApiKey": (auth(authorization=f"ApiKey {APP.reveal()}"), 200, None),
    "as X-API-Key": (auth(x_api_key=APP.reveal()), 200, None),
    "the same in two places": (auth(token=APP, x_api_key=APP.reveal()), 200, None),
    "one place empty": (auth(token=APP, x_api_key=""), 200, None),
    "other things sent twice": (auth(token=APP, cookie=["a=1", "b=2"], accept=["a", "b"]), 200, None),
    "different in two places": (auth(token=APP, x_api_key=JOBS.reveal()), 401, "invalid-token"),
    "one place twice": (auth(authorization=[bearer(APP)] * 2), 401, "invalid-token"),
    "one place twice, empty": (auth(authorization=["", ""]), 401, "invalid-token"),
    "X-API-Key twice beside a good one": (auth(token=APP, x_api_key=["x", "x"]), 401, "invalid-token"),
    "no token": (auth(**ASKED), 401, "missing"),
    "an empty token": (auth(authorization=""), 401, "missing"),
    "only a scheme": (auth(authorization="Bearer "), 401, "invalid-token"),
    "two words": (auth(authorization=f"Bearer {APP.reveal()} x"), 401, "invalid-token"),
    "10 kB": (auth(authorization="Bearer " + "x" * 10_000), 401, "invalid-token"),
    "a typo": (auth(authorization=f"Bearer {TYPO}"), 401, "invalid-token"),
    "a stranger": (auth(token=STRANGER), 401, "invalid-token"),
    "a root key": (auth(token=ROOT), 401, "invalid-token"),
    "revoked": (auth(token=REVOKED), 401, "revoked"),
    "no token, for nginx": (auth(path="/auth/nginx"), 401, "missing"),
    "scopes held": (auth("scopes=jobs:read,jobs:write", token=APP), 200, None),
    "a scope missing": (auth("scopes=jobs:read,mail:read", token=APP), 403, "scope-missing"),
    "another environment": (auth("environment=test", token=APP), 403, "wrong-environment"),
    "another owner": (auth(token=PERSONAL), 403, "wrong-owner"),
    "a user": (auth("owner=user", token=PERSONAL), 200, None),
    "an unknown demand": (auth("scope=jobs:read", token=APP), 422, "invalid-input"),
    "a demand twice": (auth("cost=1&cost=1", token=APP), 422, "invalid-input"),
    "an empty demand": (auth("scopes=", token=APP), 422, "invalid-input"),
    "an unknown demand, for nginx": (auth("scope=a:b", path="/auth/nginx", token=APP), 403, "invalid-input"),
    "jobs": (_jobs(), 200, None),
    "jobs by nginx's headers": (_jobs(x_original_method="DELETE", x_original_uri="/"), 200, None),
    "jobs for nginx by other headers": (
        auth(path="/auth/nginx", token=JOBS, **ASKED),
        403,
        "constraint-unmet",
    ),
    "not jobs": (_jobs(x_forwarded_uri="/mail"), 403, "constraint-unmet"),
    "jobs without a method": (auth(token=JOBS, x_forwarded_uri="/jobs/7"), 403, "constraint-unmet"),
    "jobs with two methods": (_jobs(x_forwarded_method=["GET", "GET"]), 403, "constraint-unmet"),
    "jobs, ambiguous": (_jobs(x_forwarded_uri="/jobs/../x"), 403, "ambiguous-request"),
    "jobs, overridden": (_jobs(x_http_method_override="DELETE"), 403, "ambiguous-request"),
    "jobs, overridden twice": (_jobs(x_original_url=["/a", "/b"]), 403, "ambiguous-request"),
    "origin": (auth(token=SHOP, origin="https://shop.example"), 200, None),
    "no origin": (auth(token=SHOP, referer="https://shop.example"), 403, "origin-denied"),
    "origin twice": (auth(token=SHOP, origin=["https://shop.example"] * 2), 403, "origin-denied"),
    "network": (auth(token=NETWORK, x_forwarded_for="198.51.100.1, 203.0.113.9, 10.0.0.1"), 200, None),
    "another network": (auth(token=NETWORK, x_forwarded_for="198.51.100.1"), 403, "network-denied"),
    "network twice": (auth(token=NETWORK, x_forwarded_for=["203.0.113.9"] * 2), 403, "network-denied"),
    "network, nginx": (auth(path="/auth/nginx", token=NETWORK, x_real_ip="203.0.113.9"), 200, None),
    "a public key": (auth(token=PUBLIC, x_forwarded_method="GET"), 200, None),
    "a public key, overridden": (
        auth(token=PUBLIC, x_forwarded_method="GET", x_rewrite_url="/"),
        403,
        "ambiguous-request",
    ),
    "a preflight": (auth("preflight=allow", **PREFLIGHT), 200, None),
    "a preflight not allowed": (auth(**PREFLIGHT), 401, "missing"),
    "a preflight with a token": (auth("preflight=allow", token=STRANGER, **PREFLIGHT), 401, "invalid-token"),
    "no trusted proxy": (auth(token=APP, client=("192.0.2.1", 1)), 404, "not-found"),
    "an odd peer": (auth("nonsense", token=APP, client=("nobody", 1)), 404, "not-found"),
}


def call(body, *, query="", token=ROOT, client=("192.0.2.1", 1), **headers):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {} if token is None else {"authorization": bearer(token)}
    asked = head(
        "POST",
        "/api/v1/verify",
        query,
        client=client,
        **given,
        **{"content_length": str(len(sent)), **headers},
    )
    return asked, sent


def attempt(token=APP, **fields):
    return {"token": token.reveal(), "method": "GET", "path": "/jobs/7", **fields}


# What is asked, the status, and the reason or the type of the problem.
VERIFY = {
    "accepted": (call(attempt()), 200, None),
    "accepted, other content type": (call(attempt(), content_type="text/plain"), 200, None),
    "accepted, all said": (
        call(
            attempt(
                origin="https://a.example", ip="203.0.113.9", user_agent="x", scopes=["jobs:read"], cost=0
            )
        ),
        200,
        None,
    ),
    "a user": (call(attempt(PERSONAL, owner="user")), 200, None),
    "a network": (call(attempt(NETWORK, ip="::ffff:203.0.113.9")), 200, None),
    "explained": (call(attempt(JOBS, explain=True, path="/mail")), 200, "CONSTRAINT_UNMET"),
    "explained stranger": (call(attempt(STRANGER, explain=True)), 200, "UNKNOWN"),
    "revoked": (call(attempt(REVOKED)), 200, "REVOKED"),
    "a stranger": (call(attempt(STRANGER)), 200, "UNKNOWN"),
    "a root key": (call(attempt(ROOT)), 200, "UNKNOWN"),
    "no token": (call({"token": ""}), 200, "MISSING"),
    "10 kB": (call({"token": "x" * 10_240}), 200, "MALFORMED"),
    "a token beyond ASCII": (call({"token": "ü"}), 200, "MALFORMED"),
    "a network without address": (call(attempt(NETWORK)), 200, "NETWORK_DENIED"),
    "nothing": (call(b""), 422, "invalid-input"),
    "null": (call(b"null"), 422, "invalid-input"),
    "a list": (call(b"[]"), 422, "invalid-input"),
    "no token field": (call({}), 422, "invalid-input"),
    "an unknown field": (call({"token": "x", "limits": []}), 422, "invalid-input"),
    "an unknown field, then no JSON": (call(b'{"limits":1,'), 400, "bad-request"),
    "a cost that is text": (call(attempt(cost="1")), 422, "invalid-input"),
    "a cost beyond": (call(attempt(cost=1_000_001)), 422, "invalid-input"),
    "a scope that is none": (call(attempt(scopes=["jobs:read", "jobs"])), 422, "invalid-input"),
    "an address that is none": (call(attempt(ip="1.2.3.4:80")), 422, "invalid-input"),
    "an environment that is none": (call(attempt(environment="staging")), 422, "invalid-input"),
    "a token in the wrong place": (call({"token": "x", APP.reveal(): 1}), 422, "invalid-input"),
    "half an object": (call(b'{"token":'), 400, "bad-request"),
    "invalid UTF-8": (call(b'{"token":"\xff"}'), 400, "bad-request"),
    "a lone surrogate": (call(b'{"token":"\\ud800"}'), 400, "bad-request"),
    "too deep": (call(b"[" * 100_000), 400, "bad-request"),
    "a megabyte and more": (call(b'{"token":"' + b"a" * (1 << 20) + b'"}'), 413, "too-large"),
    "a length with many zeros": (
        call(attempt(), content_length=str(len(json.dumps(attempt()))).zfill(5000)),
        200,
        None,
    ),
    "a length of nothing but zeros": (call(b"", content_length="0" * 5000), 422, "invalid-input"),
    "a length of many digits": (call(attempt(), content_length="9" * 5000), 413, "too-large"),
    "a query": (call(attempt(), query="dry_run=1"), 422, "invalid-input"),
    "an empty query": (call(attempt(), query="&"), 200, None),
    "no key": (call(attempt(), token=None), 401, "missing"),
    "no key, and too much": (call(b" " * ((1 << 20) + 1), token=None), 401, "missing"),
    "an unknown key": (call(attempt(), token=STRANGER), 401, "invalid-token"),
    "a revoked key": (call(attempt(), token=REVOKED), 401, "revoked"),
    "two keys": (call(attempt(), x_api_key=APP.reveal()), 401, "invalid-token"),
    "a root key that may not": (call(attempt(), token=ROOT_BARE), 403, "forbidden"),
    "a root key that may not, and no JSON": (call(b"{", token=ROOT_BARE), 403, "forbidden"),
    "a personal key": (call(attempt(), token=PERSONAL), 403, "forbidden"),
    "an app's key": (call(attempt(), token=APP), 403, "forbidden"),
    "a public key": (call(attempt(), token=PUBLIC), 403, "constraint-unmet"),
    "a key for another network": (call(attempt(), token=NETWORK), 403, "network-denied"),
    "a key for this network": (call(attempt(), token=NETWORK, client=("203.0.113.9", 1)), 403, "forbidden"),
    "a key for the network behind a proxy": (
        call(attempt(), token=NETWORK, client=("10.0.0.1", 1), x_forwarded_for="203.0.113.9"),
        403,
        "forbidden",
    ),
    "a key for the network, told twice": (
        call(attempt(), token=NETWORK, client=("10.0.0.1", 1), x_forwarded_for=["203.0.113.9"] * 2),
        403,
        "network-denied",
    ),
}
