"""Texts are complete, translated, and cannot be broken by what is filled in."""

import re
from collections.abc import Iterable, Mapping
from string import Formatter

import pytest
from babel import Locale
from babel.messages.plurals import get_plural
from markupsafe import Markup

from keystead.dashboard.key_form import AGAIN, KEEP, LENGTHS, NEVER, ON_DATE
from keystead.dashboard.key_view import State
from keystead.dashboard.pages.audit import KINDS
from keystead.dashboard.pages.key_tokens import GRACES
from keystead.dashboard.problems import STATUSES
from keystead.dashboard.tester import Answer
from keystead.dashboard.texts import MissingText, choose_language, load_texts
from keystead.dashboard.viewer import Place, Spot, Viewer, navigation
from keystead.domain.checkup import Finding
from keystead.domain.constraints import ConstraintType
from keystead.domain.keys import ByKind, KeyType, RevokedReason, Status
from keystead.domain.links import LinkKind
from keystead.domain.tenants import Role, Theme
from keystead.settings import Settings
from keystead.settings.in_effect import Source, in_effect
from scripts.locales import merged

SAME_IN_SPANISH = {
    "instance.group-tokens",
    "apps.column-token",
    "instance.milliseconds",
    "instance.token",
    "keys.column-token",
    "keys.tokens",
    "pieces.token",
}
"""Ids whose text is rightly the same in both languages."""

LETTERS = "services/letters.py"
"""The one module outside the dashboard that names texts."""

OPERATOR = Viewer(name="Ada", email="ada@example.com", operator=True, organization=Spot("org_1", "Acme"))
EVERYWHERE = navigation(OPERATOR, Place(app=Spot("app_1", "Shop")))

FIXED = {
    "copy-button-aria-label",
    "generate-key-text",
    "no-key-text",
    "regenerate-button-text",
    "text-field-label",
}
"""Ids that people were told."""

_USED = re.compile(r"""\b(?:t|tn|th)\(\s*["']([a-z0-9][a-z0-9.-]+)["']\s*[,)]""")
_JOINED = re.compile(r"""["']([a-z][a-z-]*\.[a-z.-]*)["'] ~ |f"([a-z][a-z-]*\.[a-z.-]*)\{""")
_ACTION = re.compile(r'"((?:app|key|link|member|organization)\.[a-z]+)"')

MADE: Mapping[str, Iterable[str]] = {
    "apps.fix-": Finding,
    "apps.found-": Finding,
    "apps.type-": KeyType,
    "frame.group-": ("instance",),
    "frame.section-": {it.section for group in EVERYWHERE for it in group.entries},
    "frame.theme-": ("system", *Theme),
    "instance.group-": {it.group.lower() for it in in_effect(Settings(), {})},
    "instance.source-": Source,
    "instance.status-": Status,
    "keys.answer-": set(Answer) - {Answer.NOTHING},
    "keys.disable-": ("title", "text", "press"),
    "keys.enable-": ("title", "text", "press"),
    "keys.expiry-": (*LENGTHS, KEEP, NEVER, AGAIN, ON_DATE, "ceiling"),
    "keys.finding-": Finding,
    "keys.fix-": Finding,
    "keys.found-": Finding,
    "keys.grace-": GRACES,
    "keys.reason-": RevokedReason,
    "keys.rule-": ConstraintType,
    "keys.state-": State,
    "keys.type-": (*KeyType, *ConstraintType, "any"),
    "keys.well-": Finding,
    "letter.": {
        f"{it}{part}"
        for it in ("invitation", "confirmation", "already-known", "email-changed", "password-changed")
        for part in ("", "-subject")
    },
    "organization.by-": ByKind,
    "organization.kind-": KINDS,
    "organization.link-": (LinkKind.INVITATION, LinkKind.PASSWORD_RESET),
    "organization.link-how-": (LinkKind.INVITATION, LinkKind.PASSWORD_RESET),
    "organization.link-missed-": (LinkKind.INVITATION, LinkKind.PASSWORD_RESET),
    "organization.role-": Role,
    "organization.role-help-": Role,
    "organization.way-": {
        f"{it}{part}" for it in ("apps", "keys", "members", "audit") for part in ("", "-text")
    },
    "pieces.state-": ("good", "warn", "bad", "done", "todo", "waiting"),
    "problem.": {f"{it}-{part}" for it in (*STATUSES, "form") for part in ("title", "text")},
    "toast.app-": ("suspended", "resumed"),
    "toast.key-": ("disabled", "enabled"),
    "toast.now-": Role,
    "toast.organization-": ("suspended", "resumed"),
}
"""Ids that are put together, by how they begin: each ending that there can be."""

ELSEWHERE = {"apps.", "fault.", "keys.", "organization.did-"}
"""Beginnings too short to say what follows, or whose ids are looked at by tests of their own."""


@pytest.fixture(scope="module")
def catalogs(source):
    """Each language's messages as written: id to text, or to all forms of it."""
    folders = [it for it in (source / "locales").iterdir() if it.is_dir()]
    return {
        folder.name: {
            message.id if isinstance(message.id, str) else message.id[0]: message.string
            for message in merged(folder)
            if message.id
        }
        for folder in folders
    }


def test_every_language_has_every_id(catalogs):
    for texts in catalogs.values():
        assert set(texts) == set(catalogs["en"])
    assert {"en", "es"} <= set(catalogs)


def test_no_text_is_empty_or_untranslated(catalogs):
    for language, texts in catalogs.items():
        assert all(all(text) if isinstance(text, tuple) else text for text in texts.values())
        if language != "en":
            same = {it for it, text in texts.items() if text == catalogs["en"][it]}
            assert same == SAME_IN_SPANISH


def test_every_translation_fills_in_the_same_values(catalogs):
    def fields(text):
        whole = " ".join(text) if isinstance(text, tuple) else text
        return {field for _, field, _, _ in Formatter().parse(whole) if field is not None} - {"count"}

    for texts in catalogs.values():
        assert {it: fields(text) for it, text in texts.items()} == {
            it: fields(text) for it, text in catalogs["en"].items()
        }


@pytest.fixture(scope="module")
def written(source):
    """All of our own templates and modules that name texts, as one."""
    files = [*source.glob("templates/**/*.html"), *source.glob("**/*.py"), source.parent / LETTERS]
    return "".join(path.read_text("utf-8") for path in files)


def test_every_id_that_a_template_or_module_names_exists(catalogs, written):
    assert set(_USED.findall(written)) <= set(catalogs["en"])


def test_every_beginning_that_ids_are_put_together_from_is_known(written):
    found = {one or other for one, other in _JOINED.findall(written)}
    known = {it for it in MADE if not it.startswith(("keys.disable", "keys.enable"))}
    assert found == known | ELSEWHERE


@pytest.mark.parametrize("beginning", MADE)
def test_every_id_that_is_put_together_exists(catalogs, beginning):
    assert {f"{beginning}{it}" for it in MADE[beginning]} <= set(catalogs["en"])


def test_everything_that_an_organization_records_has_a_text(catalogs, source):
    services = source.parent / "services"
    actions = {it for path in services.glob("*.py") for it in _ACTION.findall(path.read_text("utf-8"))}
    told = {
        it.removeprefix("organization.did-") for it in catalogs["en"] if it.startswith("organization.did-")
    }
    assert told == actions


def test_no_id_is_left_over(catalogs, written):
    made = {f"{beginning}{it}" for beginning, endings in MADE.items() for it in endings}
    looked_at = ("fault.", "organization.did-")
    left = {it for it in catalogs["en"] if f'"{it}"' not in written and not it.startswith(looked_at)}
    assert left - made == set()


def test_the_ids_that_people_were_told_are_there_and_used_by_the_page_of_ones_own_keys(catalogs, source):
    assert {it for it in catalogs["en"] if "." not in it} == FIXED
    pages = [source / "templates" / it for it in ("keys/personal.html", "pieces/secret.html")]
    used = {it for path in pages for it in _USED.findall(path.read_text("utf-8"))}
    assert used >= FIXED


def test_every_plural_has_all_the_forms_of_its_language(catalogs):
    for language, texts in catalogs.items():
        forms = get_plural(Locale.parse(language, sep="-")).num_plurals
        assert {len(it) for it in texts.values() if isinstance(it, tuple)} == {forms}
        plurals = {it for it, text in texts.items() if isinstance(text, tuple)}
        assert plurals == {it for it, text in catalogs["en"].items() if isinstance(text, tuple)}


def test_what_people_were_told_to_look_for_is_said_to_the_letter(english):
    assert english.text("toast.key-created") == "API key created!"
    assert english.text("toast.key-deleted", name="x").startswith("Deletion successful!")


def test_what_is_filled_in_is_text_and_never_markup_or_a_format(english):
    toast = english.text("toast.key-deleted", name="{x}<b>%s")
    assert "{x}<b>%s" in toast
    assert english.markup("pieces.type-word", word="<script>") == Markup(
        'Type <code class="chip">&lt;script&gt;</code> to go on'
    )


def test_plurals_and_numbers_follow_the_language(english, spanish):
    assert english.plural("pieces.errors", 1) == "One thing needs your attention"
    assert english.plural("pieces.errors", 2) == "2 things need your attention"
    assert spanish.plural("pieces.errors", 1) == "Hay un punto que revisar"
    assert english.text("pieces.of", used=1234, most=10000) == "1,234 of 10,000"
    assert spanish.text("pieces.of", used=1234, most=10000) == "1.234 de 10.000"


def test_an_id_that_is_not_there_is_a_bug_and_raises(english):
    with pytest.raises(MissingText):
        english.text("no.such-text")
    with pytest.raises(MissingText):
        english.plural("no.such-text", 2)


def test_catalogs_that_were_not_compiled_say_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="make setup"):
        load_texts(tmp_path)


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        (None, "", "en"),
        (None, "es", "es"),
        (None, "es-MX,en;q=0.5", "es"),
        (None, "en;q=0.5, es;q=0.9", "es"),
        (None, "de, fr;q=0.9", "en"),
        (None, "es;q=0", "en"),
        (None, "ES", "es"),
        (None, "es;q=loud, *;;;,", "en"),
        ("es", "en", "es"),
        ("xx", "es", "es"),
    ],
)
def test_the_language_is_the_one_chosen_else_the_best_the_browser_asks_for(chosen, accept, language):
    assert choose_language(chosen, accept, {"en", "es"}) == language
