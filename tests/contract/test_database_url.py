"""A database URL that cannot be used names its setting, and repeats nothing of itself."""

import pytest

from keystead.domain.errors import Misconfigured
from keystead.storage.sql.engine import make_engine
from keystead.storage.sql.store import SqlStore


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:hidden@h/d",
        "postgresql://u:hidden@h/d?connect_timeout=soon",
        "postgresql://u:hidden@h/d?connect_timeout=nan",
        "postgresql://u:hidden@h/d?connect_timeout=0",
    ],
    ids=["scheme", "option", "no number", "no time"],
)
def test_a_url_that_will_not_do_is_misconfigured(url: str):
    with pytest.raises(Misconfigured, match=r"^KEYSTEAD_DATABASE_URL: ") as caught:
        make_engine(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hidden@127.0.0.1:1/d?sslmode=hidden",
        "postgresql://u:hidden@127.0.0.1:1/d?target_session_attrs=hidden",
        "postgresql://u:x@hidden:hidden/d",
        "postgresql://u:hidden@127.0.0.1:99999/d",
        "postgresql://u:hidden@[::1/d",
    ],
    ids=["sslmode", "session", "password with @", "port", "host"],
)
async def test_what_the_driver_cannot_read_is_misconfigured_when_it_connects(url: str):
    engine = make_engine(url)
    with pytest.raises(Misconfigured, match=r"^KEYSTEAD_DATABASE_URL: ") as caught:
        async with SqlStore(engine).read():
            pass
    await engine.dispose()
    assert "hidden" not in f"{caught.value!s} {caught.value.__cause__!r} {caught.value.__context__!r}"
