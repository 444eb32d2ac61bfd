"""Lines that show how a token is sent: a request that the rules let through, and never the token itself."""

import shlex
import subprocess

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
        (
            [("verb", None, ["GET"]), ("exact", "jobs", ["PUT"])],
            'curl -X PUT "https://api.example.com/jobs" \\',
        ),
    ],
)
def test_the_example_is_let_through_by_the_rules(rules: list[tuple[str, str | None, list[str]]], first: str):
    made = [make_constraint(*rule, field="rule") for rule in rules]
    curl = snippets(made)[0]
    assert curl.text.splitlines()[0] == first
    assert "$KEYSTEAD_TOKEN" in curl.text


def test_another_address_stands_in_every_language_of_programs():
    for snippet in snippets([], base_url="https://acme.example/v2/")[:3]:
        assert "https://acme.example/v2/" in snippet.text


def test_python_lines_are_python():
    compile(snippets([])[1].text, "snippet", "exec")


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("orders/", "https://acme.example/v2/orders/"),
        ("/v2/orders/", "https://acme.example/v2/orders/"),
        ("/v2", "https://acme.example/v2"),
        ("/v22/orders", "https://acme.example/v2/v22/orders"),
    ],
)
def test_a_path_that_names_the_base_s_own_is_not_doubled(pattern: str, address: str):
    made = [make_constraint("prefix", pattern, [], field="rule")]
    for snippet in snippets(made, base_url="https://acme.example/v2")[:3]:
        assert f'"{address}"' in snippet.text


@pytest.mark.parametrize("pattern", ["/$(id)", "/a'$HOME'", "/!x", "/a$b"])
def test_a_pattern_never_runs_as_a_command_of_whoever_copies_the_line(pattern: str):
    made = [make_constraint("exact", pattern, [], field="rule")]
    curl, python, *_ = snippets(made)
    words = shlex.split(curl.text)
    assert words[1] == f"https://api.example.com{pattern}"
    shown = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {curl.text.split()[1]}"], capture_output=True, check=True
    )
    assert shown.stdout.decode() == f"https://api.example.com{pattern}"
    compile(python.text, "snippet", "exec")


def test_where_no_rule_names_a_path_the_given_one_is_asked_for():
    made = [make_constraint("verb", None, ["GET"], field="rule")]
    assert (
        "/api/v1/users/me"
        in snippets(made, base_url="http://localhost:8420/api/v1", path="/users/me")[0].text
    )
