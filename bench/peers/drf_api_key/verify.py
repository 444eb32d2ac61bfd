"""How fast djangorestframework-api-key's HasAPIKey is: verify.py DATABASE KEYS VERIFIES; prints JSON.

It looks the key up by its prefix, digests it with SHA-512, and checks revocation and expiry. It knows no
constraints and counts no uses, so nothing is written. One thread, one connection that stays open.
"""

import json
import sys
import time

import django
from django.conf import settings

DATABASE, KEYS, VERIFIES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=["rest_framework", "rest_framework_api_key"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be set up first
from django.db import transaction  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402

PERMISSION = HasAPIKey()


def request_with(key: str) -> HttpRequest:
    """A request as the permission reads it."""
    request = HttpRequest()
    request.META["HTTP_AUTHORIZATION"] = f"Api-Key {key}"
    return request


def verify(requests: list[HttpRequest], count: int) -> list[float]:
    """`count` verifications, one after the other; how long each took, sorted, in microseconds."""
    took = []
    for i in range(count):
        request = requests[i * 7919 % len(requests)]
        before = time.perf_counter()
        accepted = PERMISSION.has_permission(request, None)
        took.append((time.perf_counter() - before) * 1e6)
        if not accepted:
            raise RuntimeError("refused")
    return sorted(took)


def main() -> None:
    """Make the keys, warm up, measure."""
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        keys = [APIKey.objects.create_key(name="Bench")[1] for _ in range(KEYS)]
    requests = [request_with(key) for key in keys]
    if PERMISSION.has_permission(request_with(f"{keys[0]}x"), None):
        raise RuntimeError("accepted a wrong key")
    verify(requests, VERIFIES // 10)
    began = time.perf_counter()
    took = verify(requests, VERIFIES)
    per_second = VERIFIES / (time.perf_counter() - began)
    figures = {"p50_us": took[VERIFIES // 2], "p99_us": took[VERIFIES * 99 // 100]}
    print(json.dumps({"one_by_one_per_second": per_second, **figures}))


main()
