"""What each listener serves: nothing that proxies and services ask is on the public one."""

import pytest

from keystead.api.surface import Surface, serves

INTERNAL = [
    "/auth",
    "/auth/nginx",
    "/auth/envoy/jobs",
    "/api/v1/verify",
    "/metrics",
    "//auth//nginx/",
    "/metrics/",
]
PUBLIC = ["/", "/api/v1/keys", "/api/v1/verify/x", "/api/docs", "/authors", "/metrics/x", ""]
BOTH = ["/healthz", "/readyz", "/readyz/"]


@pytest.mark.parametrize("path", [*INTERNAL, *PUBLIC, *BOTH])
def test_without_an_internal_listener_everything_is_there(path):
    assert serves(Surface.ALL, path)


@pytest.mark.parametrize("path", [*INTERNAL, *PUBLIC, *BOTH])
def test_with_one_each_path_is_where_it_belongs(path):
    assert serves(Surface.PUBLIC, path) == (path not in INTERNAL)
    assert serves(Surface.INTERNAL, path) == (path not in PUBLIC)
