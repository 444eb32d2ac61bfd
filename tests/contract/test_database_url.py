"""A database URL that cannot be used names its setting, and repeats nothing of itself."""

import pytest

from keystead.domain.errors import Misconfigured
from keystead.storage.sql.engine import make_engine


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hidden@h/d", "postgresql://u:hidden@h/d?connect_timeout=soon"],
    ids=["scheme", "option"],
)
def test_a_url_that_will_not_do_is_misconfigured(url: str):
    with pytest.raises(Misconfigured, match=r"^KEYSTEAD_DATABASE_URL: ") as caught:
        make_engine(url)
    assert "hidden" not in str(caught.value)
