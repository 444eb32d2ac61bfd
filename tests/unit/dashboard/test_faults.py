"""Every rule that our code can refuse a form by has a text, in every language, which is filled in whole."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest

import keystead
from keystead.dashboard.faults import fault_text
from keystead.domain import errors
from keystead.domain.errors import Conflict, Denied, InvalidInput, KeysteadError, TooManyAttempts
from scripts.locales import merged

ROOT = Path(keystead.__file__).parent
ROOMS = ("domain", "services", "storage", "people", "dashboard")
"""Where a page's work is done: what these refuse, a form can meet."""

MADE_OF = {"InvalidInput", "Denied", "Conflict", "_above"}
"""Calls that make an error which names its rule."""

PROGRAMS_ONLY = {
    "beyond-reach": "of keys that make keys",
    "cost": "of verify",
    "ephemeral-makes-none": "of keys that make keys",
    "ephemeral-too-long": "pages make no ephemeral keys",
    "expiry-twice": "of the API's two ways to say it",
    "filter-length": "pages cut what is searched for",
    "metadata-depth": "of the provider's facts, which have no form",
    "not-newest-version": "of keys that rotate themselves",
    "one-of": "of verify's demands",
    "prefix": "of a setting",
    "provider-only": "forms offer nobody what only the provider sets",
    "return-url": "of links that a provider's program makes",
    "return-urls": "of a setting",
    "self-grace": "of keys that rotate themselves",
    "self-rotation-off": "of keys that rotate themselves",
    "which-organization": "forms name it",
    "which-user": "of the API's two ways to say it",
}
"""Rules that only programs meet, and why: a page that met one would fail, so each needs a reason."""


ROOTS = {
    "error",
    "conflict",
    "invalid-input",
    "misconfigured",
    "not-found",
    "signed-out",
    "too-many-attempts",
}
"""Codes that no form shows: roots that are never raised bare, what is raised again, and what counts."""


class Raised(NamedTuple):
    """One place that refuses: the rule that it names, and the values that it gives."""

    where: str
    rule: str | None
    values: frozenset[str]


def _raised(path: Path) -> Iterator[Raised]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in MADE_OF:
            continue
        named = {it.arg: it.value for it in node.keywords if it.arg is not None}
        said = named.get("rule") or named.get("code")
        rule = said.value if isinstance(said, ast.Constant) else None
        if rule is None and getattr(node.func, "id", "") == "Denied":
            rule = Denied.code
        if any(it.arg is None for it in node.keywords):
            continue  # hands on what it was given, which is found where that is written
        where = f"{path.relative_to(ROOT)}:{node.lineno}"
        yield Raised(where, rule, frozenset(named) - {"rule", "code", "field"})


RAISED = [it for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) for it in _raised(path)]


@pytest.fixture(scope="module")
def catalogs(source):
    """The fault texts of each language by rule."""
    return {
        folder.name: {
            str(message.id).removeprefix("fault."): str(message.string)
            for message in merged(folder)
            if isinstance(message.id, str) and message.id.startswith("fault.")
        }
        for folder in (source / "locales").iterdir()
        if folder.is_dir()
    }


def test_whoever_refuses_names_the_rule():
    assert [it.where for it in RAISED if it.rule is None] == []
    assert len(RAISED) > 90


def test_every_rule_that_a_form_can_meet_has_a_text_in_every_language(catalogs):
    rules = {str(it.rule) for it in RAISED} - set(PROGRAMS_ONLY)
    kinds = {kind.code for kind in vars(errors).values() if _is_kind(kind)} - ROOTS
    for texts in catalogs.values():
        assert (rules | kinds) - set(texts) == set()


def test_no_text_is_left_over(catalogs):
    rules = {str(it.rule) for it in RAISED} - set(PROGRAMS_ONLY)
    kinds = {kind.code for kind in vars(errors).values() if _is_kind(kind)}
    assert set(catalogs["en"]) - rules - kinds == set()


def test_nothing_is_said_to_be_of_programs_only_that_is_not_raised():
    assert set(PROGRAMS_ONLY) - {it.rule for it in RAISED} == set()


def test_a_text_names_no_more_than_every_place_that_refuses_gives(catalogs):
    for texts in catalogs.values():
        for it in RAISED:
            text = texts.get(str(it.rule), "")
            named = {field for _, field, _, _ in Formatter().parse(text) if field}
            assert named <= it.values, it.where


def _is_kind(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, KeysteadError)


def test_a_fault_reads_as_a_sentence_in_the_language_of_the_page(english, spanish):
    error = InvalidInput("name", "write 1 to 1024 characters", rule="pattern-length", most=1024)
    assert fault_text(english, error) == "Write a path of 1 to 1,024 characters."
    assert fault_text(spanish, error) == "Escribe una ruta de 1 a 1.024 caracteres."


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (timedelta(days=90), "90 days at most"),
        (timedelta(hours=36), "36 hours at most"),
        (timedelta(minutes=1), "1 minute at most"),
        (timedelta(seconds=90), "90 seconds at most"),
    ],
)
def test_a_length_of_time_is_written_out(english, most, said):
    error = Denied("too long", code="above-ceiling", rule="expiry-above-ceiling", most=most)
    assert said in fault_text(english, error)


def test_what_is_quoted_is_no_format(english):
    error = InvalidInput("scopes", "no", rule="scope-not-listed", scope="{0}{x}:read")
    assert "{0}{x}:read" in fault_text(english, error)


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "1 second,"), (59, "59 seconds,"), (60, "1 minute,"), (61, "2 minutes,")]
)
def test_how_long_to_wait_is_rounded_up(english, seconds, said):
    assert said in fault_text(english, TooManyAttempts(seconds))


def test_an_error_that_names_no_rule_is_named_by_its_code():
    assert Conflict("x", code="last-key").rule == "last-key"
    assert Denied("x").rule == "forbidden"
    assert Denied("x", code="above-ceiling", rule="scope-of-provider").code == "above-ceiling"
