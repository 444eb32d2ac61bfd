"""Texts are complete, translated, and cannot be broken by what is filled in."""

import re
from string import Formatter

import pytest
from markupsafe import Markup

from keystead.dashboard.texts import MissingText, choose_language, load_texts
from scripts.locales import merged

SAME_IN_SPANISH = {
    "apps.column-token",
    "instance.milliseconds",
    "instance.token",
    "keys.column-token",
    "keys.tokens",
    "pieces.token",
    "toast.key-created",
}
"""Ids whose text is rightly the same in both languages."""

_USED = re.compile(r"""\b(?:t|tn|th)\(\s*["']([a-z0-9][a-z0-9.-]+)["']\s*[,)]""")
_MADE = {
    "apps.",
    "fault.",
    "frame.group-",
    "frame.section-",
    "frame.theme-",
    "instance.",
    "keys.answer-",
    "keys.disable-",
    "keys.enable-",
    "keys.expiry-",
    "keys.fix-",
    "keys.found-",
    "keys.grace-",
    "keys.reason-",
    "keys.rule-",
    "keys.state-",
    "keys.type-",
    "keys.well-",
    "organization.",
    "pieces.state-",
    "problem.",
    "toast.",
}
"""Ids that templates put together; the pages that do are tested one by one."""


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


def test_every_id_that_a_template_or_module_names_exists_and_none_is_left_over(catalogs, source):
    files = [*source.glob("templates/**/*.html"), *source.glob("**/*.py")]
    written = "".join(path.read_text("utf-8") for path in files)
    used = set(_USED.findall(written))
    assert used <= set(catalogs["en"])
    left = {it for it in catalogs["en"] if f'"{it}"' not in written and not it.startswith(tuple(_MADE))}
    assert left == set()


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
