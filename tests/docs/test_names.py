"""Whatever has a name in the product can be looked up in the docs, and the pages hold together."""

import re
from collections.abc import Iterator

import msgspec
import pytest
import typer

from keystead.api.app import MANAGEMENT
from keystead.api.openapi import openapi_document
from keystead.api.openapi_problems import PROBLEMS
from keystead.cli.main import app as command_line
from keystead.domain.demands import make_demands
from keystead.domain.scopes import ROOT_SCOPES
from keystead.domain.tokens import Token, could_be_issued
from keystead.domain.verdict import CHECKS, Reason
from keystead.settings import CLIENT_SETTINGS, SETTINGS
from tests.docs.pages import ROOT, Page, pages

PAGES = {page.name: page for page in pages()}
DOCUMENT = msgspec.json.decode(openapi_document(MANAGEMENT))
WORDS = """
allowed networks; allowed origins; app; app key; attempt; ceiling; constraint; demands; digest;
disable; ephemeral; epoch; expire; external_id; key; labels; last4; member; metadata; node;
operator; organization; personal key; primary; provider; quota; rate limit; reason; regenerate;
replica; retire; revoke; role; root key; rotate; scope; start; token; type; verdict; version
"""
"""The vocabulary of the design, which has one word for each idea."""

FORBIDDEN = {
    "a second word for something": r"\b(plaintext|superuser|deactivat\w+|reroll\w*|(white|black)list)\b",
    "one thing under two names": r"\b(API token|access token|bearer token|key string|secret value)s?\b",
    "a promise about the reader": r"\b(simply|easily|obviously|of course|trivial(ly)?)\b",
    "a loud word": r"(?<!\w)(blazing|powerful|seamless\w*|revolutionary|enterprise-grade)\b",
    "a machine of ours": r"(?<![\w.])/(work|home|root|tmp)/",
    "where packages come from": r"\b(pypi\.org|npmjs\.(com|org)|registry\.)",
    "an emoji": r"[\U0001F300-\U0001FAFF\u2600-\u27BF]",
}


def commands(group: typer.core.TyperGroup, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def routes() -> Iterator[str]:
    for path, item in DOCUMENT["paths"].items():
        for method in item:
            yield f"{method.upper()} {path}"


def parameters() -> Iterator[str]:
    for item in DOCUMENT["paths"].values():
        for operation in item.values():
            yield from (it["name"] for it in operation.get("parameters", ()) if it["in"] == "query")


def test_every_setting_is_in_the_settings():
    page = PAGES["docs/settings.md"]
    names = {it.name for it in SETTINGS} | CLIENT_SETTINGS.keys()
    assert {it for it in names if f"`{it}`" not in page.text} == set()


def test_every_setting_that_a_page_names_exists():
    names = {it.name for it in SETTINGS} | CLIENT_SETTINGS.keys()
    named = {it for page in PAGES.values() for it in re.findall(r"KEYSTEAD_[A-Z_]+[A-Z]", page.text)}
    assert {it for it in named if it.removesuffix("_FILE") not in names} == set()


def test_every_command_has_a_section_and_every_section_a_command():
    there = {it for it in PAGES["docs/cli.md"].headings if it.startswith("keystead ")}
    group = typer.main.get_command(command_line)
    assert there - {"keystead --version"} == set(commands(group, "keystead"))


def test_every_route_has_a_section_and_every_section_a_route():
    there = {it for it in PAGES["docs/api.md"].headings if re.match(r"[A-Z]+ /", it)}
    assert there == set(routes())


def test_every_query_parameter_is_on_the_page_of_the_api():
    text = PAGES["docs/api.md"].text
    assert {it for it in parameters() if it not in text} == set()


def test_every_reason_is_in_the_exact_rule_in_the_order_judged():
    rule = PAGES["docs/security.md"].text.partition("## The exact rule")[2].partition("\n## ")[0]
    assert re.findall(r"^\| \d+ \| `([A-Z_]+)`", rule, re.MULTILINE) == [it.value for it in Reason]
    assert [it for it in Reason if it in dict(CHECKS)] == [reason for reason, _ in CHECKS]


def test_every_problem_of_the_api_is_on_the_page_of_errors():
    text = PAGES["docs/authentication.md"].text
    slugs = {slug for examples in PROBLEMS.values() for slug in examples}
    raised = {
        slug
        for path in (ROOT / "src/keystead").rglob("*.py")
        for slug in re.findall(r'\bcode="([a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    named = slugs | raised | {"internal-error", "method-not-allowed"}
    assert {it for it in named if f"`{it}`" not in text} == set()


def test_every_scope_of_root_keys_is_explained():
    text = PAGES["docs/authentication.md"].text
    assert {it for it in ROOT_SCOPES if f"`{it}`" not in text} == set()


def test_every_demand_is_explained():
    text = PAGES["docs/api.md"].text
    assert {it for it in make_demands.__kwdefaults__ if f"`{it}`" not in text} == set()


def test_the_glossary_has_every_word_of_the_design_in_alphabetical_order():
    glossary = PAGES["docs/concepts.md"].text.partition("## Glossary")[2]
    there = re.findall(r"^\| \*\*([^*]+)\*\*", glossary, re.MULTILINE)
    assert {it.strip() for it in WORDS.split(";")} - set(there) == set()
    assert there == sorted(there)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_between_pages_leads_somewhere(name: str):
    page = PAGES[name]
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target).anchors, link


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("why", FORBIDDEN)
def test_a_page_has_no(name: str, why: str):
    assert re.search(FORBIDDEN[why], PAGES[name].text, re.IGNORECASE) is None


@pytest.mark.parametrize("name", PAGES)
def test_no_page_shows_what_a_scanner_takes_for_a_token(name: str):
    shaped = re.findall(r"[a-z][a-z0-9]{1,15}_[a-z]{2}_[a-z]{4}_[0-9A-Za-z]{5,}", PAGES[name].text)
    assert shaped == []
    assert not any(could_be_issued(Token(it)) for it in PAGES[name].text.split())


def test_readme_says_in_thirty_lines_what_it_is_how_to_run_it_and_where_to_read_on():
    head = "\n".join(PAGES["README.md"].text.splitlines()[:30])
    for wanted in ("Keystead gives an API its keys", "make run", "keystead key verify", "docs/quickstart.md"):
        assert wanted in head


def test_readme_lists_every_page():
    linked = {link.partition("#")[0] for link in PAGES["README.md"].links}
    assert {it for it in PAGES if it != "README.md" and it not in linked} <= {"docs/benchmarks.md"}
