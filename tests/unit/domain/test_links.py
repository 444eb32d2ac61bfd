"""Links and sessions: how long they last, and where a link may lead back to."""

from datetime import timedelta

import pytest

from keystead.domain.errors import InvalidInput, ProofNeeded
from keystead.domain.links import LIFETIMES, LinkKind, make_allowed_return_url, make_return_url
from keystead.domain.sessions import make_agent, require_proven
from tests.contract.samples import DAY, NOW, link, session

INSTANT = timedelta(milliseconds=1)
BELOW = ("https://app.example.com/account", "http://localhost:3000")


def test_every_kind_of_link_has_its_lifetime():
    assert {it.value: LIFETIMES[it] for it in LinkKind} == {
        "set-up": timedelta(hours=1),
        "invitation": timedelta(days=7),
        "password-reset": timedelta(hours=1),
        "email": timedelta(hours=24),
        "sign-in": timedelta(seconds=60),
    }


@pytest.mark.parametrize(
    ("changes", "at", "is_open"),
    [
        pytest.param({}, NOW + DAY - INSTANT, True, id="the last instant"),
        pytest.param({}, NOW + DAY, False, id="the first instant of refusal"),
        pytest.param({"used_at": NOW}, NOW, False, id="used"),
    ],
)
def test_a_link_is_open_until_it_is_used_or_expires(changes, at, is_open):
    assert link(**changes).is_open(at) is is_open


def test_a_session_lives_and_is_proven_for_half_open_intervals():
    held = session(expires_at=NOW + DAY)
    assert held.is_live(NOW + DAY - INSTANT)
    assert not held.is_live(NOW + DAY)
    require_proven(held, NOW + timedelta(minutes=10) - INSTANT)
    with pytest.raises(ProofNeeded):
        require_proven(held, NOW + timedelta(minutes=10))


def test_what_a_browser_says_it_is_is_cut_and_made_printable():
    assert make_agent("Fire\nfox\u202e") == "Firefox"
    assert len(make_agent("x" * 1_000)) == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/account",
        "https://app.example.com/account/",
        "https://app.example.com/account/keys?tab=1#top",
        "https://app.example.com/account?x=1",
        "https://APP.example.com/account",
        "http://localhost:3000",
        "http://localhost:3000/",
        "http://localhost:3000/anything",
    ],
)
def test_a_link_leads_back_to_what_is_on_the_list_or_below(url):
    assert make_return_url(url, BELOW) == url


@pytest.mark.parametrize(
    "url",
    [
        *["", "/", "account", "//app.example.com/account", "javascript:alert(1)", "data:text/html,x"],
        *["https://app.example.com", "https://app.example.com/", "https://app.example.com/accounts"],
        *["https://app.example.com.evil.example/account", "https://evil.example/account"],
        *["https://app.example.com@evil.example/account", "https://u:p@app.example.com/account"],
        *["https://app.example.com/account/../x", "https://app.example.com/account/%2E%2e/x"],
        *["https://app.example.com/account/..%2Fx", "https://app.example.com/account/..%5cx"],
        *["https://app.example.com/account/.%2e/x", "https://app.example.com\\@evil.example/account"],
        *["https://app.example.com:8443/account", "http://app.example.com/account", "http://localhost:3001/"],
        *[
            "https://*.example.com/account",
            "https://app.example.com/account\t",
            "https://äpp.example.com/account",
        ],
        *[
            "https://[::1/account",
            "https://app.example.com:x/account",
            f"https://app.example.com/account/{'x' * 2048}",
        ],
    ],
)
def test_and_nowhere_else(url):
    with pytest.raises(InvalidInput):
        make_return_url(url, BELOW)
    with pytest.raises(InvalidInput):
        make_return_url("https://app.example.com/account", ())


def test_the_list_holds_plain_addresses():
    assert make_allowed_return_url("https://a.example/x/", field="f") == "https://a.example/x"
    for text in (
        "https://a.example/?q",
        "https://a.example/#f",
        "ftp://a.example",
        "a.example",
        "https://*.a.example",
    ):
        with pytest.raises(InvalidInput):
            make_allowed_return_url(text, field="f")
