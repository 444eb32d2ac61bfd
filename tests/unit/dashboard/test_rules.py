"""Constraints as sentences, and what a prefix opens besides."""

import pytest

from keystead.dashboard.rules import all_in_words, also_opened, in_force, in_words, summary
from keystead.dashboard.texts import Texts
from keystead.domain.constraints import Constraint, ConstraintType, compile_constraints, make_constraint
from keystead.domain.instants import at_ms
from keystead.domain.keys import KeyType
from keystead.domain.tenants import Ceiling
from keystead.domain.verdict import Attempt, Demands, decide
from tests.contract.samples import NOW, key, organization
from tests.unit.domain.cases import known


def rule(kind: str, pattern: str | None = None, *methods: str) -> Constraint:
    return make_constraint(kind, pattern, methods, field="rule")


@pytest.mark.parametrize(
    ("constraint", "sentence"),
    [
        (rule("prefix", "orders/", "POST", "GET"), "GET and POST on paths beginning orders/"),
        (rule("prefix", "orders/", "PUT", "POST", "GET"), "GET, POST and PUT on paths beginning orders/"),
        (rule("prefix", "orders/"), "Any method on paths beginning orders/"),
        (rule("exact", "orders", "GET"), "GET on exactly orders"),
        (rule("regex", r"reports/\d+", "GET"), r"GET on paths matching reports/\d+"),
        (rule("verb", None, "GET", "HEAD"), "GET and HEAD on any path"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_a_constraint_reads_as_a_sentence(english: Texts, constraint: Constraint, sentence: str):
    assert in_words(constraint, english).striptags() == sentence


def test_what_stands_between_methods_is_the_language_s(spanish: Texts):
    words = in_words(rule("prefix", "orders/", "POST", "GET"), spanish)
    assert words.striptags() == "GET y POST en rutas que empiezan por orders/"


@pytest.mark.parametrize("kind", ConstraintType)
def test_every_type_of_constraint_has_its_sentence(english: Texts, kind: ConstraintType):
    pattern = None if kind is ConstraintType.VERB else "orders"
    assert "GET" in in_words(rule(kind, pattern, "GET"), english)


def test_a_pattern_that_looks_like_markup_is_text(english: Texts):
    words = in_words(rule("regex", "<b>x</b>"), english)
    assert "<b>" not in words
    assert words.striptags() == "Any method on paths matching <b>x</b>"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Any request"),
        ({"allowed_networks": ("10.20.0.0/16",)}, "Any request, from 10.20.0.0/16"),
        (
            {"allowed_origins": ("https://a.example", "https://b.example")},
            "Any request, from https://a.example and one more",
        ),
        (
            {"constraints": (rule("exact", "a"), rule("exact", "b"), rule("exact", "c"))},
            "Any method on exactly a, and 2 more",
        ),
    ],
)
def test_a_key_is_summed_up_in_a_line(english: Texts, changes: dict[str, object], line: str):
    plain = {"constraints": (), "allowed_networks": (), "allowed_origins": ()}
    assert summary(key(**{**plain, **changes}), ("GET", "HEAD"), english).striptags() == line


@pytest.mark.parametrize(
    ("constraints", "methods", "line"),
    [
        ((), ("GET", "HEAD"), "GET and HEAD on any path"),
        ((), ("GET",), "GET on any path"),
        ((), (), "No method on any path"),
        ((rule("prefix", "orders/"),), ("GET", "HEAD"), "GET and HEAD on paths beginning orders/"),
        ((rule("prefix", "orders/", "GET", "POST"),), ("GET", "HEAD"), "GET on paths beginning orders/"),
        ((rule("prefix", "orders/", "POST"),), ("GET", "HEAD"), "No method on paths beginning orders/"),
    ],
)
def test_a_public_key_reads_as_its_ceiling_lets_it(
    english: Texts, constraints: tuple[Constraint, ...], methods: tuple[str, ...], line: str
):
    plain = {"allowed_networks": (), "allowed_origins": (), "type": KeyType.PUBLIC}
    held = key(constraints=constraints, **plain)
    assert summary(held, methods, english).striptags() == line
    assert [it.striptags() for it in all_in_words(held.type, constraints, methods, english)] == [line]


@pytest.mark.parametrize("methods", [(), ("GET",), ("GET", "HEAD", "POST")])
@pytest.mark.parametrize("constraints", [(), (rule("exact", "a"), rule("prefix", "b/", "GET", "PUT"))])
def test_the_words_of_a_public_key_are_what_is_judged(
    constraints: tuple[Constraint, ...], methods: tuple[str, ...]
):
    """The rules in force let through exactly what a verdict does."""
    held = key(type=KeyType.PUBLIC, constraints=constraints, allowed_origins=(), allowed_networks=())
    above = organization(ceiling=Ceiling(public_methods=methods))
    shown = compile_constraints(tuple(in_force(held.type, constraints, methods)))
    for method in ("GET", "HEAD", "POST", "PUT"):
        for path in ("/a", "/b/1", "/c"):
            attempt = Attempt(at_ms(NOW), method=method, path=path)
            verdict = decide(known(held, organization=above), attempt, Demands())
            assert shown.matches(method, path) == (verdict is None), (method, path)


@pytest.mark.parametrize(
    ("constraint", "path"),
    [
        (rule("prefix", "jobs"), "/jobsadmin"),
        (rule("prefix", "/jobs"), "/jobsadmin"),
        (rule("prefix", "jobs/"), None),
        (rule("prefix", "/"), None),
        (rule("exact", "jobs"), None),
        (rule("verb", None, "GET"), None),
    ],
)
def test_a_prefix_without_an_end_opens_its_neighbours(constraint: Constraint, path: str | None):
    assert also_opened(constraint) == path
