"""The ten journeys that people make most, on both kinds of screen, and without scripts."""

import re

import pytest

from tests.browser.homes import Visit
from tests.browser.journeys import TEN
from tests.browser.looks import ways

MEANT = re.compile(r"status of (409|410|422)")
"""What browsers say to the console of answers that are meant to be such."""


@ways
@pytest.mark.parametrize("journey", TEN)
def test_it_is_made(visit: Visit, faults: list[str], journey: str):
    TEN[journey](visit)
    assert [it for it in faults if not MEANT.search(it)] == []
