"""Every form that can be filled in wrong: it comes back as it was typed, telling at the field what to do."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser

import pytest
import pytest_asyncio

from keystead.dashboard.texts import Texts, load_texts
from tests.dashboard.html import Page
from tests.dashboard.rich import ALL_WAYS, Rich, enrich, routes
from tests.dashboard.site import Browser, opened_site

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = "a5c4short"
"""A password that is none; no page may repeat it."""

Fields = Sequence[tuple[str, str]]

PRESSED_ONLY = {
    "/apps/{app_id}/resume",
    "/apps/{app_id}/settings/origins",
    "/apps/{app_id}/suspend",
    "/instance/organizations/{organization_id}/resume",
    "/instance/organizations/{organization_id}/suspend",
    "/instance/scopes/{name}/delete",
    "/keys/{key_id}/disable",
    "/keys/{key_id}/enable",
    "/keys/{key_id}/versions/{version_id}/retire",
    "/organizations/{organization_id}/enter",
    "/organizations/{organization_id}/invitations/{link_id}/withdraw",
    "/organizations/{organization_id}/members/{user_id}/remove",
    "/profile/sessions/end",
    "/profile/sessions/{session_id}/end",
    "/profile/theme",
    "/sign-out",
}
"""Forms with a button and nothing to fill in; the one about origins judges lines while they are typed."""


@dataclass(frozen=True, kw_only=True)
class Bad:
    """What is sent to a form, and what it must say: a text by its id, with values, at each field.

    `chosen` is sent too, and cannot come back, since no control offers it.
    """

    route: str
    typed: Fields = ()
    chosen: Fields = ()
    secrets: Fields = ()
    says: Mapping[str, tuple[str, Mapping[str, object]]]
    status: int = 422
    late: bool = False
    link: str = ""
    key: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)
    """The line that a fault in a list begins with."""


def said(message_id: str, **values: object) -> tuple[str, Mapping[str, object]]:
    return message_id, values


NAME = said("fault.name-length", most=100)
KEY_FORM = Bad(
    route="/apps/{app_id}/keys/new",
    typed=[
        ("name", ""),
        ("networks", "10.0.0.0/8\n10.0.0.1/8"),
        ("origins", "https://a.example/"),
        ("labels", "team"),
        ("c0-pattern", "a b"),
    ],
    chosen=[("c0-type", "prefix"), ("expiry", "date"), ("date", "soon"), ("do", "save")],
    says={
        "name": NAME,
        "networks": said("fault.network-bits", network="10.0.0.0/8"),
        "origins": said("fault.origin-slash", origin="https://a.example"),
        "labels": said("fault.label"),
        "date": said("fault.date"),
        "c0-pattern": said("fault.path-ambiguous"),
    },
    lines={"networks": "10.0.0.1/8: ", "origins": "https://a.example/: "},
)

FORMS = {
    "sign in": Bad(
        route="/sign-in",
        typed=[("email", "nobody@example.com")],
        secrets=[("password", SHORT)],
        says={"": said("entrance.wrong")},
    ),
    "prove": Bad(route="/prove", secrets=[("proof", SHORT)], says={"proof": said("fault.proof")}, late=True),
    "invitation": Bad(
        route="/link",
        link="invitation",
        typed=[("name", "")],
        secrets=[("password", SHORT)],
        says={"name": NAME},
    ),
    "password of an invitation": Bad(
        route="/link",
        link="invitation",
        typed=[("name", "Grace")],
        secrets=[("password", SHORT)],
        says={"password": said("fault.password-length", least=12, most=1024)},
    ),
    "sign up, the account": Bad(
        route="/link",
        link="sign-up",
        typed=[("name", "Grace"), ("organization", "a\u200bb")],
        secrets=[("password", SHORT)],
        says={"organization": said("fault.unprintable")},
    ),
    "password reset": Bad(
        route="/link",
        link="password-reset",
        secrets=[("password", "aaaaaaaaaaaaaaa")],
        says={"password": said("fault.password-guessable")},
    ),
    "sign up": Bad(route="/sign-up", typed=[("email", "ada")], says={"email": said("fault.email")}),
    "profile": Bad(route="/profile", typed=[("name", "x" * 101)], says={"name": NAME}),
    "language": Bad(
        route="/profile",
        typed=[("name", "Ada")],
        chosen=[("language", "xx")],
        says={"language": said("fault.language")},
    ),
    "time zone": Bad(
        route="/profile",
        typed=[("name", "Ada")],
        chosen=[("time_zone", "Europe/Nowhere")],
        says={"time_zone": said("fault.time-zone")},
    ),
    "e-mail": Bad(route="/profile/email", typed=[("email", "ada@")], says={"email": said("fault.email")}),
    "e-mail, unproven": Bad(
        route="/profile/email",
        typed=[("email", "ada2@example.com")],
        says={"proof": said("fault.proof-needed")},
        status=403,
        late=True,
    ),
    "password": Bad(
        route="/profile/password",
        secrets=[("password", SHORT)],
        says={"password": said("fault.password-length", least=12, most=1024)},
    ),
    "app": Bad(
        route="/apps/new",
        typed=[("name", "")],
        chosen=[("organization", "{organization_id}"), ("environment", "live")],
        says={"name": NAME},
    ),
    "environment of an app": Bad(
        route="/apps/new",
        typed=[("name", "Shop")],
        chosen=[("organization", "{organization_id}"), ("environment", "x")],
        says={"environment": said("fault.choice")},
    ),
    "origins of an app": Bad(
        route="/apps/{app_id}/settings",
        typed=[
            ("name", "Shop"),
            ("allowed_origins", "https://a.example\nhttps://*.b"),
            ("allowed_networks", ""),
        ],
        says={"allowed_origins": said("fault.origin-wildcard")},
        lines={"allowed_origins": "https://*.b: "},
    ),
    "networks of an app": Bad(
        route="/apps/{app_id}/settings",
        typed=[("name", "Shop"), ("allowed_networks", "10.0.0.256")],
        says={"allowed_networks": said("fault.network")},
        lines={"allowed_networks": "10.0.0.256: "},
    ),
    "address of an app": Bad(
        route="/apps/{app_id}/settings",
        typed=[("name", "Shop"), ("api_base_url", "api.example.com")],
        says={"api_base_url": said("fault.base-url")},
    ),
    "deleting an app": Bad(
        route="/apps/{app_id}/delete",
        chosen=[("typed", "no")],
        says={"typed": said("apps.delete-wrong", name="Storefront")},
    ),
    "key": KEY_FORM,
    "personal key": Bad(
        route="/profile/keys/new",
        typed=KEY_FORM.typed,
        chosen=[*KEY_FORM.chosen, ("organization", "{organization_id}")],
        says=KEY_FORM.says,
        lines=KEY_FORM.lines,
    ),
    "key, its word": Bad(
        route="/apps/{app_id}/keys/new",
        typed=[("name", "Export")],
        chosen=[("do", "create"), ("typed", "create")],
        says={"typed": said("fault.word", word="CREATE")},
    ),
    "key that lives too long": Bad(
        route="/apps/{app_id}/keys/new",
        typed=[("name", "Export")],
        chosen=[("do", "create"), ("typed", "CREATE"), ("expiry", "date"), ("date", "2099-01-01")],
        says={"expiry": said("fault.expiry-above-ceiling", most=timedelta(days=365))},
        status=403,
    ),
    "edit": Bad(
        route="/keys/{key_id}/edit",
        typed=KEY_FORM.typed,
        chosen=KEY_FORM.chosen,
        says=KEY_FORM.says,
        lines=KEY_FORM.lines,
    ),
    "generate": Bad(
        route="/profile/keys/generate",
        chosen=[("organization", "{organization_id}")],
        secrets=[("proof", SHORT)],
        says={"proof": said("fault.proof")},
        late=True,
    ),
    "delete": Bad(
        route="/keys/{key_id}/delete",
        chosen=[("typed", "delete")],
        says={"typed": said("fault.word", word="DELETE")},
    ),
    "roll": Bad(
        route="/keys/{key_id}/roll",
        key="expired",
        chosen=[("expiry", "keep")],
        says={"": said("fault.expired")},
        status=409,
    ),
    "regenerate": Bad(
        route="/keys/{key_id}/regenerate",
        secrets=[("proof", SHORT)],
        says={"proof": said("fault.proof")},
        late=True,
    ),
    "role": Bad(
        route="/organizations/{organization_id}/members/{user_id}/role",
        chosen=[("role", "king")],
        says={"role": said("fault.choice")},
    ),
    "invite": Bad(
        route="/organizations/{organization_id}/invitations/new",
        typed=[("email", "grace at example"), ("role", "viewer")],
        says={"email": said("fault.email")},
    ),
    "invite a member": Bad(
        route="/organizations/{organization_id}/invitations/new",
        typed=[("email", "{guest}"), ("role", "viewer")],
        says={"email": said("fault.already-member")},
        status=409,
    ),
    "reset link": Bad(
        route="/organizations/{organization_id}/members/{user_id}/reset-link",
        secrets=[("proof", SHORT)],
        says={"proof": said("fault.proof")},
        late=True,
    ),
    "organization": Bad(
        route="/organizations/{organization_id}/settings",
        typed=[("name", "a\u202eb")],
        says={"name": said("fault.unprintable")},
    ),
    "deleting an organization": Bad(
        route="/organizations/{organization_id}/delete",
        chosen=[("typed", "no")],
        says={"typed": said("organization.delete-wrong", name="Nordwind Logistics")},
    ),
    "new organization": Bad(
        route="/instance/organizations/new",
        typed=[("name", "Acme 2"), ("external_id", "a b")],
        says={"external_id": said("fault.external-id")},
    ),
    "new organization with an id in use": Bad(
        route="/instance/organizations/new",
        typed=[("name", "Acme 2"), ("external_id", "cus_42")],
        says={"external_id": said("fault.external-id-taken")},
        status=409,
    ),
    "ceiling": Bad(
        route="/instance/organizations/{organization_id}",
        typed=[
            ("external_id", "cus_42"),
            ("limited", "on"),
            ("scopes", "orders:read\norders"),
            ("days", "90"),
        ],
        says={"scopes": said("fault.scope")},
        lines={"scopes": "orders: "},
    ),
    "lifetime of a ceiling": Bad(
        route="/instance/organizations/{organization_id}",
        typed=[("external_id", "cus_42"), ("days", "soon")],
        says={"days": said("fault.days")},
    ),
    "scope": Bad(
        route="/instance/scopes/new",
        typed=[("name", "Orders"), ("description", "All of them"), ("customer_grantable", "on")],
        says={"name": said("fault.scope")},
    ),
    "scope that is there": Bad(
        route="/instance/scopes/new",
        typed=[("name", "orders:read"), ("description", "")],
        says={"name": said("fault.scope-exists")},
        status=409,
    ),
    "edit a scope": Bad(
        route="/instance/scopes/{name}/edit",
        typed=[("description", "x" * 501)],
        says={"description": said("fault.note-length", most=500)},
    ),
    "methods of a rule": Bad(
        route="/apps/{app_id}/keys/new",
        typed=[("name", "Export")],
        chosen=[("c0-type", "prefix"), ("c0-pattern", "x"), ("c0-methods", "get"), ("do", "save")],
        says={"c0-methods": said("fault.method-case", method="GET")},
    ),
    "scopes of a key": Bad(
        route="/apps/{app_id}/keys/new",
        typed=[("name", "Export")],
        chosen=[("do", "create"), ("typed", "CREATE"), ("scopes", "orders:all")],
        says={"scopes": said("fault.scope-not-listed", scope="orders:all")},
    ),
    "root key": Bad(
        route="/instance/root-keys/new",
        typed=[("name", "Sync")],
        says={"scopes": said("fault.no-scope")},
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rich(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rich]:
    data = str(tmp_path_factory.mktemp("rich") / "data")
    async with opened_site({"KEYSTEAD_DATA": data}, **ALL_WAYS) as site:
        yield await enrich(site)


class Ids(HTMLParser):
    """The attributes and the text of every element with an id, and the attributes of those with a name."""

    _VOID = frozenset({"input", "link", "meta", "hr", "br", "img"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.given: dict[str, dict[str, str]] = {}
        self.named: dict[str, dict[str, str]] = {}
        self.text: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        own = given.get("id", "")
        self.given[own] = given
        self.named.setdefault(given.get("name", ""), given)
        self.text.setdefault(own, "")
        if tag not in self._VOID:
            self._open.append(own)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for own in self._open:
            self.text[own] += data


async def sent(rich: Rich, bad: Bad, language: str) -> Page:
    site = rich.site
    if bad.late:
        site.clock.advance(minutes=11)
    outside = bad.link or bad.route in {"/sign-in", "/sign-up"}
    browser = site.browser() if outside else await _browser(rich, late=bad.late)
    browser.client.headers["accept-language"] = language
    async with site.context.store.read() as tables:
        guest = await tables.users.find(rich.values["user_id"])
    values = {**rich.values, "guest": guest.email, **({"key_id": rich.keys[bad.key]} if bad.key else {})}
    path = rich.links[bad.link] if bad.link else _filled(bad.route, values)
    await browser.get("/sign-in" if outside else path)  # a browser that was never here has no cookie yet
    fields = [(name, _filled(value, values)) for name, value in (*bad.typed, *bad.chosen)]
    return await browser.post(path, *fields, *bad.secrets)


async def _browser(rich: Rich, *, late: bool) -> Browser:
    site = rich.site
    browser = await site.signed_in(rich.user)
    site.clock.advance(minutes=11 if late else 2)  # signing in is throttled
    return browser


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _sentence(texts: Texts, bad: Bad, name: str) -> str:
    message_id, values = bad.says[name]
    return bad.lines.get(name, "") + texts.text(message_id, **values)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("which", FORMS)
async def test_a_form_that_is_filled_in_wrong_comes_back_and_says_what_to_do(
    rich: Rich, which: str, language: str
):
    bad, texts = FORMS[which], load_texts()[language]
    page = await sent(rich, bad, language)
    assert page.status == bad.status, page.text
    read = Ids(page.html)
    for name in bad.says:
        sentence = _sentence(texts, bad, name)
        assert sentence in page.text
        if not name:
            continue
        marked = read.given[f"f-{name}"]
        assert f"f-{name}-error" in marked["aria-describedby"].split()
        assert " ".join(read.text[f"f-{name}-error"].split()) == sentence
    typed = {(name, value) for name, value in bad.typed if "{" not in value}
    assert any(typed <= set(form.fields) for form in page.forms), [form.fields for form in page.forms]
    assert not any(value in page.html for _, value in bad.secrets)


async def test_every_form_that_takes_something_is_here(rich: Rich):
    posted = {it.replace(":str", "") for it in routes(rich.site, "POST")}
    assert posted - PRESSED_ONLY == {it.route for it in FORMS.values()}
    assert posted >= PRESSED_ONLY
