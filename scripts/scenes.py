"""What pictures show: each page of the dashboard, as who looks at it, and after what they have done there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Literal, NamedTuple

from playwright.sync_api import Page

from tests.browser.homes import PASSWORD
from tests.browser.sample import ADA

Theme = Literal["light", "dark"]
Act = Callable[[Page], None]
OK, DENIED, MISSING, GONE, AWAY = 200, 403, 404, 410, 503


class Place(StrEnum):
    """Where: at Acme Robotics' server, at one that has only just begun, or among the pieces."""

    ACME = "acme"
    BEGINNING = "beginning"
    PIECES = "pieces"


class Who(StrEnum):
    """Who looks, each with a browser of their own."""

    STRANGER = "stranger"
    ADA = "ada"  # an operator, who is an owner too
    LIN = "lin"  # a viewer
    NOOR = "noor"  # the owner of an organization that has no app
    KIM = "kim"  # the first of a new instance


class Look(NamedTuple):
    """How a picture is taken."""

    screen: str
    theme: Theme


LIGHT, DARK, PHONE = Look("desktop", "light"), Look("desktop", "dark"), Look("phone", "light")


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture to take. `path` names what is there as `/apps/{fleet}` does; `act` does something first.

    `status` is what the path is answered with. `doc`: how the docs show it, if they do. `phone_only`: a wide
    screen has nothing of it. `late`: taken once the password was given too long ago.
    """

    name: str
    path: str
    act: Act | None = None
    who: Who = Who.ADA
    place: Place = Place.ACME
    status: int = OK
    doc: Look | None = None
    phone_only: bool = False
    late: bool = False


def sends(page: Page) -> None:
    """Press the button that sends the page's form, and see its answer."""
    with page.expect_navigation():
        page.locator("main form .button:is(.primary, .stop):visible").last.click()


def clicks(selector: str, then: str | None = None) -> Act:
    """Click on the first of these that is seen, and wait until `then` is."""

    def act(page: Page) -> None:
        page.locator(selector).locator("visible=true").first.click()
        if then is not None:
            page.locator(then).first.wait_for()

    return act


def types(*steps: Act, **fields: str) -> Act:
    """Type into fields, by their names in the form with `_` for `-`; then do more."""

    def act(page: Page) -> None:
        for name, value in fields.items():
            page.locator(f"[name={name.replace('_', '-')}]").locator("visible=true").first.fill(value)
        for step in steps:
            step(page)

    return act


def _rules(page: Page) -> None:
    """A rule that is tried out."""
    page.locator("button[value=path]").click()
    page.locator("[name=c0-pattern]").fill("orders")
    page.locator("#try-answer").get_by_text("/orders").first.wait_for()
    page.locator("[name=try-path]").fill("orders/7")
    page.locator("#try-answer .verdict.good").wait_for()
    page.locator("#rules").evaluate("it => it.scrollIntoView()")


def _creates(page: Page) -> None:
    types(sends, typed="CREATE")(page)


def _missed(page: Page) -> None:
    """The same form was sent a moment ago, and its answer never seen."""
    page.evaluate(
        """async () => {
            const form = document.querySelector("main form");
            const press = [...form.querySelectorAll("button[value=create]")].at(-1);
            form.querySelector("[name=typed]").value = "CREATE";
            await fetch(form.action, {method: "POST", body: new URLSearchParams(new FormData(form, press))});
        }"""
    )
    _creates(page)


def _widens(page: Page) -> None:
    """The only rule is taken away."""
    page.locator("button[value='remove:0']").click()
    page.locator("[name=c0-pattern]").wait_for(state="detached")
    sends(page)


def _origins(page: Page) -> None:
    """An origin that is no origin."""
    page.locator("[name=allowed_origins]").fill("https://shop.acme.example\nhttps://fleet.acme.example/")
    page.locator("#origins-check .bad").wait_for()


def _root_key(page: Page) -> None:
    page.locator("[name=name]").fill("Sign-up service")
    page.locator("label").filter(has=page.locator("[value='users:*']")).click()
    sends(page)


def _loses_cookies(page: Page) -> None:
    page.context.clear_cookies()
    types(sends, email=ADA, password=PASSWORD)(page)


_KIM = "kim@newcomer.example"
_DIALOG = "dialog[open]"
_ACCOUNT = {"name": "Kim Novak", "password": PASSWORD, "organization": "Newcomer"}

_saves = types(sends, name="Order export")
_stranger = partial(Scene, who=Who.STRANGER)
_kim = partial(Scene, place=Place.BEGINNING, who=Who.KIM)
_anybody = partial(Scene, place=Place.BEGINNING, who=Who.STRANGER)
_piece = partial(Scene, place=Place.PIECES, who=Who.STRANGER)
_late = partial(Scene, late=True)

SCENES: Sequence[Scene] = (
    # Coming in
    _stranger("sign-in", "/sign-in"),
    _stranger("sign-in-wrong", "/sign-in", types(sends, email=ADA, password=ADA)),
    _stranger("sign-up-closed", "/sign-up"),
    _stranger("link-invitation", "/link?secret={invited}"),
    _stranger("link-join", "/link?secret={joining}"),
    _stranger("link-reset", "/link?secret={reset}"),
    _stranger("link-sign-in", "/link?secret={let_in}"),
    _kim("set-up", "/link?secret={set_up}", doc=PHONE),
    _kim(
        "set-up-wrong",
        "/link?secret={set_up}",
        types(sends, email=_KIM, **{**_ACCOUNT, "password": "k" * 12}),
    ),
    _kim("set-up-done", "/link?secret={set_up}", types(sends, email=_KIM, **_ACCOUNT)),
    _kim("overview-first", "/apps", clicks("main a.name", "#steps")),
    _kim("profile-email-mailed", "/profile/email", types(sends, email="kim@elsewhere.example")),
    _kim("link-email", "/link?secret={mailed}"),
    _anybody("sign-up", "/sign-up"),
    _anybody("sign-up-mailed", "/sign-up", types(sends, email="sam@customer.example")),
    _anybody("link-sign-up", "/link?secret={mailed}"),
    # Apps
    Scene("apps", "/apps"),
    Scene("apps-unfound", "/apps?q=nothing"),
    Scene("apps-empty", "/apps", who=Who.NOOR),
    Scene("app-new", "/apps/new"),
    Scene("app-new-wrong", "/apps/new", types(sends, name=" ")),
    Scene("overview", "/apps/{fleet}", doc=LIGHT),
    Scene("overview-new", "/apps/{new_app}"),
    Scene("overview-viewer", "/apps/{fleet}", who=Who.LIN),
    Scene("app-settings", "/apps/{shop}/settings"),
    Scene("app-settings-wrong", "/apps/{shop}/settings", _origins),
    Scene("app-settings-suspended", "/apps/{old_shop}/settings"),
    Scene("app-suspend", "/apps/{fleet}/suspend"),
    Scene("app-delete", "/apps/{fleet}/delete"),
    # Keys
    Scene("keys", "/apps/{fleet}/keys", doc=LIGHT),
    Scene("keys-empty", "/apps/{new_app}/keys"),
    Scene("keys-disabled", "/apps/{fleet}/keys?status=disabled"),
    Scene("keys-revoked", "/apps/{fleet}/keys?status=revoked"),
    Scene("keys-unfound", "/apps/{fleet}/keys?q=nothing"),
    Scene("keys-viewer", "/apps/{fleet}/keys", who=Who.LIN),
    Scene("key-new", "/apps/{fleet}/keys/new"),
    Scene("key-new-rules", "/apps/{fleet}/keys/new", types(_rules, name="Order export"), doc=LIGHT),
    Scene(
        "key-new-wrong", "/apps/{fleet}/keys/new", types(sends, name="Order export", networks="everywhere")
    ),
    Scene("key-create", "/apps/{fleet}/keys/new", _saves),
    Scene("key", "/keys/{rolling}", doc=DARK),
    Scene("key-busy", "/keys/{busy}"),
    Scene("key-public", "/keys/{public}"),
    Scene("key-revoked", "/keys/{revoked}"),
    Scene("key-disabled", "/keys/{disabled}"),
    Scene("key-roll", "/keys/{busy}/roll"),
    Scene("key-roll-expiring", "/keys/{soon_over}/roll"),
    Scene("key-regenerate", "/keys/{busy}/regenerate"),
    Scene("key-retire", "/keys/{rolling}/versions/{version}/retire"),
    Scene("key-edit", "/keys/{busy}/edit"),
    Scene("key-edit-review", "/keys/{busy}/edit", _widens),
    Scene("key-disable", "/keys/{busy}/disable"),
    Scene("key-enable", "/keys/{disabled}/enable"),
    Scene("key-delete", "/keys/{busy}/delete"),
    Scene("key-delete-last", "/keys/{last}/delete"),
    Scene("key-delete-maker", "/keys/{maker}/delete"),
    Scene("key-made", "/apps/{fleet}/keys/new", types(sends, _creates, name="Order export"), doc=LIGHT),
    Scene("key-missed", "/apps/{fleet}/keys/new", types(sends, _missed, name="Order feed")),
    Scene("key-rolled", "/keys/{soon_over}/roll", sends),
    # Organization
    Scene("organization", "/organizations/{org}"),
    Scene("organization-settings", "/organizations/{org}/settings"),
    Scene("organization-delete", "/organizations/{org}/delete"),
    Scene("organization-keys", "/organizations/{org}/settings/keys"),
    Scene("members", "/organizations/{org}/members"),
    Scene("member-role", "/organizations/{org}/members/{developer}/role"),
    Scene("member-remove", "/organizations/{org}/members/{developer}/remove"),
    Scene("member-reset", "/organizations/{org}/members/{developer}/reset-link"),
    Scene("member-reset-made", "/organizations/{org}/members/{developer}/reset-link", sends),
    Scene("invitation-new", "/organizations/{org}/invitations/new"),
    Scene("invitation-made", "/organizations/{org}/invitations/new", types(sends, email="mia@acme.example")),
    Scene("invitation-withdraw", "/organizations/{org}/invitations/{invitation}/withdraw"),
    Scene("audit", "/organizations/{org}/audit"),
    Scene("audit-details", "/organizations/{org}/audit", clicks(".disclosure > summary")),
    # Oneself
    Scene("profile", "/profile"),
    Scene("profile-email", "/profile/email"),
    Scene("profile-password", "/profile/password"),
    Scene("profile-keys-none", "/profile/keys"),
    Scene("profile-keys-made", "/profile/keys", sends),
    Scene("profile-keys", "/profile/keys"),
    Scene("profile-keys-new", "/profile/keys/new"),
    # The instance
    Scene("instance-organizations", "/instance/organizations"),
    Scene("instance-organization-new", "/instance/organizations/new"),
    Scene("instance-organization", "/instance/organizations/{limited}"),
    Scene("instance-organization-suspend", "/instance/organizations/{limited}/suspend"),
    Scene("instance-scopes", "/instance/scopes"),
    Scene("instance-scope-new", "/instance/scopes/new"),
    Scene("instance-scope-edit", "/instance/scopes/{scope}/edit"),
    Scene("instance-scope-delete", "/instance/scopes/{scope}/delete"),
    Scene("root-keys", "/instance/root-keys"),
    Scene("root-key-new", "/instance/root-keys/new"),
    Scene("root-key-made", "/instance/root-keys/new", _root_key),
    Scene("health", "/instance/health", doc=LIGHT),
    Scene("settings", "/instance/settings"),
    # What opens
    Scene("menu-row", "/apps/{fleet}/keys", clicks(".row-menu > summary")),
    Scene("menu-account", "/apps", clicks(".account > summary")),
    Scene("menu-organizations", "/apps", clicks(".side .organization > summary")),
    Scene("menu-phone", "/apps", clicks("header.phone > details > summary"), phone_only=True),
    Scene("dialog-app-new", "/apps", clicks("a[href$='apps/new']", _DIALOG)),
    Scene("dialog-delete", "/keys/{busy}", clicks("a[href$='/delete']", _DIALOG)),
    Scene("dialog-roll", "/keys/{busy}", clicks("a[href$='/roll']", _DIALOG)),
    Scene("dialog-shortcuts", "/apps", lambda page: page.keyboard.press("?")),
    # What went wrong
    _stranger("link-closed", "/link?secret=gone", status=GONE),
    _stranger("problem-form", "/sign-in", _loses_cookies),
    Scene("problem-missing", "/nowhere", status=MISSING),
    Scene("problem-denied", "/apps/{fleet}/keys/new", who=Who.LIN, status=DENIED),
    _piece("problem-away", "/_pieces/problem/503", status=AWAY),
    # Every piece
    _piece("pieces", "/_pieces"),
    _piece("pieces-plain", "/_pieces/plain"),
    _piece("pieces-dialog", "/_pieces/dialog"),
    # Where the password was given too long ago
    _late("prove", "/prove"),
    _late("key-create-late", "/apps/{fleet}/keys/new", types(sends, name="Order archive")),
    _late("key-delete-last-late", "/keys/{last}/delete"),
    _late("key-roll-late", "/keys/{busy}/roll"),
    _late("root-key-new-late", "/instance/root-keys/new"),
)
