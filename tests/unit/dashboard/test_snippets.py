"""Lines that show how a token is sent: a request that the rules let through, and never the token itself."""

import pytest

from keystead.dashboard.snippets import snippets
from keystead.domain.constraints import make_constraint


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ([], 'curl "https://api.example.com/" \\'),
        ([("prefix", "orders/", ["GET", "POST"])], 'curl "https://api.example.com/orders/" \\'),
        ([("exact", "/jobs", ["POST"])], 'curl -X POST "https://api.example.com/jobs" \\'),
        ([("regex", "a|b", []), ("exact", "jobs", [])], 'curl "https://api.example.com/jobs" \\'),
    ],
)
def test_the_example_is_let_through_by_the_rules(rules: list[tuple[str, str, list[str]]], first: str):
    made = [make_constraint(*rule, field="rule") for rule in rules]
    curl = snippets(made)[0]
    assert curl.text.splitlines()[0] == first
    assert "$KEYSTEAD_TOKEN" in curl.text


def test_another_address_stands_in_every_language_of_programs():
    for snippet in snippets([], base_url="https://acme.example/v2/")[:3]:
        assert "https://acme.example/v2/" in snippet.text


def test_python_lines_are_python():
    compile(snippets([])[1].text, "snippet", "exec")
