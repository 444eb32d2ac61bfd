"""What every page has in common: headers, addresses, language, toasts, and that text stays text."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from keystead.dashboard.house import House
from keystead.dashboard.render import Reading, toast_text
from keystead.dashboard.toasts import COOKIE, Toast, decode, encode
from keystead.dashboard.viewer import Place, Spot, Viewer, initials, navigation

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_a_page_has_a_strict_policy_and_is_never_stored(client):
    response = client.get("/_pieces")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/_pieces", "/_pieces/plain", "/_pieces/dialog", "/_pieces/problem/404"])
def test_a_page_has_no_inline_script_or_style_and_only_relative_addresses(client, path):
    html = client.get(path).text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)
    addresses = re.findall(r'\s(?:href|src|action|hx-get)="([^"]*)"', html)
    outside = [it for it in addresses if not it.startswith(("#", "./", "../"))]
    assert set(outside) <= {"https://support.example", "https://docs.example"}


def test_each_file_of_a_page_is_there_and_kept_for_ever(client):
    html = client.get("/_pieces").text
    files = set(re.findall(r'"\./(static/[^"]+)"', html))
    assert len(files) == 5
    for file in files:
        response = client.get(f"/{file}")
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/static/manifest.json").status_code == 404


def test_style_and_script_stay_below_60_kb_compressed(client):
    files = re.findall(r'"\./(static/[^"]+\.(?:css|js))"', client.get("/_pieces").text)
    sizes = [
        int(client.get(f"/{file}", headers={"accept-encoding": "gzip"}).headers["content-length"])
        for file in files
    ]
    assert sum(sizes) < 60_000


def test_a_page_speaks_the_browser_s_language(client):
    html = client.get("/_pieces/problem/404", headers={"accept-language": "es"}).text
    assert '<html lang="es" dir="ltr"' in html
    assert "Aquí no hay nada" in html


def test_an_error_page_names_the_house_and_where_to_turn(client):
    response = client.get("/no/such/page")
    assert response.status_code == 404
    for part in ("Acme Keys", "https://support.example", "https://docs.example", "../../api/docs"):
        assert part in response.text
    assert response.headers["content-security-policy"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 412, 413, 418, 422, 429, 500, 502, 503])
def test_every_status_has_a_page(client, status):
    response = client.get(f"/_pieces/problem/{status}")
    assert response.status_code == status
    assert "<h1" in response.text


def test_a_method_that_a_page_does_not_take_is_a_page_too(client):
    assert client.post("/_pieces").status_code == 405


def sent(client, typed, **headers):
    """The form as its page sends it."""
    [token] = re.findall(r'name="csrf" value="(\w+)"', client.get("/_pieces/dialog").text)[-1:]
    return client.post("/_pieces/dialog", data={"csrf": token, "typed": typed}, headers=headers)


def test_a_form_leads_on_with_a_toast_that_is_shown_once(client):
    response = sent(client, "DELETE")
    assert response.status_code == 303
    assert response.headers["location"] == "../_pieces"
    assert "HttpOnly" in response.headers["set-cookie"]
    assert "Deletion successful!" in client.get("/_pieces").text
    assert "Deletion successful!" not in client.get("/_pieces").text


def test_a_script_is_told_where_to_go_seen_from_its_own_page(client):
    response = sent(client, "DELETE", **{"HX-Request": "true", "Page-Steps": "0"})
    client.cookies.clear()
    assert response.status_code == 204
    assert response.headers["hx-redirect"] == "./_pieces"


@pytest.mark.parametrize("steps", ["-1", "99", "000999", "1e3", "٣", "9" * 400])
def test_a_depth_that_cannot_be_is_not_believed(client, steps):
    html = client.get("/_pieces/dialog", headers={"Page-Steps": steps.encode()}).text
    assert 'data-steps="1"' in html


def test_a_form_with_a_fault_keeps_its_page_and_says_so(client):
    response = sent(client, "delete")
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "no base64",
        "e30",
        encode(Toast(message_id="frame.menu")),
        encode(Toast(message_id="toast.key-deleted")),
        encode(Toast(message_id="toast.none")),
        "A" * 5000,
    ],
    ids=["none", "noise", "object", "not a toast", "value missing", "no such text", "long"],
)
def test_a_cookie_that_we_did_not_write_shows_nothing(cookie, english):
    assert toast_text(cookie, english) is None


def test_a_toast_survives_its_cookie_and_long_values_are_cut():
    toast = decode(encode(Toast(message_id="toast.key-deleted", values={"name": "é" * 500})))
    assert toast == Toast(message_id="toast.key-deleted", values={"name": "é" * 120})
    assert COOKIE == "keystead-toast"


def test_an_instant_is_an_element_with_the_exact_one_beside_it(english):
    reading = Reading(texts=english, zone=None, now=NOW, steps=0)
    assert reading.when(NOW - timedelta(minutes=3)) == (
        '<time class="when" datetime="2026-11-21T11:57:00Z" title="21 Nov 2026, 11:57 UTC" tabindex="0">'
        "3 minutes ago</time>"
    )
    assert "never" in reading.when(None)


@pytest.mark.parametrize(
    ("public_url", "path", "secure"),
    [
        ("http://localhost:8420", "/", False),
        ("https://keys.example", "/", True),
        ("https://acme.example/keys", "/keys/", True),
        ("https://acme.example/keys/", "/keys/", True),
    ],
)
def test_cookies_follow_the_public_url(public_url, path, secure):
    house = House(public_url=public_url)
    assert (house.cookie_path, house.secure) == (path, secure)


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lovelace", "AL"), ("Ada King Lovelace", "AL"), ("Acme", "AC"), ("a@b.example", "AB"), ("★", "?")],
)
def test_initials_are_one_or_two_letters(name, letters):
    assert initials(name) == letters


def test_only_operators_find_the_instance_in_the_navigation():
    viewer = Viewer(name="Ada", email="a@b.example", organization=Spot("org_1", "Acme"))
    place = Place(app=Spot("app_1", "Shop"))
    assert [it.kind for it in navigation(viewer, place)] == ["organization", "app"]
    operator = Viewer(name="Ada", email="a@b.example", operator=True)
    assert [it.kind for it in navigation(operator, Place())] == ["instance"]
