"""The tester says what the matcher does, and by which rule."""

import pytest

from keystead.dashboard.tester import Answer, attempt
from keystead.domain.constraints import make_constraint

RULES = [
    (1, make_constraint("prefix", "orders/", ["GET"], field="rule")),
    (3, make_constraint("exact", "customers", [], field="rule")),
]


@pytest.mark.parametrize(
    ("method", "path", "answer", "number"),
    [
        ("GET", "orders/1", Answer.RULE, 1),
        ("get", "/orders/1", Answer.RULE, 1),
        ("DELETE", "customers", Answer.RULE, 3),
        ("POST", "orders/1", Answer.METHOD, 1),
        ("GET", "orders", Answer.PATH, None),
        ("GET", "orders/../x", Answer.AMBIGUOUS, None),
        ("GET", "  ", Answer.NOTHING, None),
        ("", "customers", Answer.RULE, 3),
    ],
)
def test_a_request_is_let_through_by_a_rule_or_not(
    method: str, path: str, answer: Answer, number: int | None
):
    trial = attempt(RULES, method, path)
    assert (trial.answer, trial.rule) == (answer, number)
    assert trial.passes is (answer is Answer.RULE)


def test_without_rules_anything_passes_even_what_is_ambiguous():
    assert attempt([], "GET", "a//b").answer is Answer.ANY
