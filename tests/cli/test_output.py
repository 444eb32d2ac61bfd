"""What people and programs read."""

import json

import pytest

KEY = {
    "id": "key_1",
    "name": "Nightly [bold]",
    "type": "secret",
    "environment": "live",
    "organization_id": "org_1",
    "owner": {"kind": "app", "id": "app_1"},
    "start": "ks_sk_live_abcd",
    "last4": "wxyz",
    "status": "active",
    "expires_at": "2027-01-31T00:00:00.250000Z",
    "last_used_at": None,
    "use_count": 0,
    "constraints": [
        {"type": "prefix", "pattern": "jobs/", "methods": ["GET", "POST"]},
        {"type": "verb", "pattern": None, "methods": ["GET"]},
    ],
    "allowed_origins": [],
    "scopes": ["jobs:read", "jobs:write"],
    "labels": {"team": "ops"},
    "metadata": {"plan": "pro"},
    "versions": [
        {"id": "ver_1", "start": "ks_sk_live_abcd", "last4": "wxyz", "retires_at": None, "use_count": 7}
    ],
}


def row(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(label)).removeprefix(label).strip()


def test_facts_of_a_key_are_in_plain_words(run, api):
    api.answer = KEY
    text = run("key", "show", "key_1").out
    assert row(text, "name") == "Nightly [bold]"
    assert row(text, "owner") == "app app_1"
    assert row(text, "token") == "ks_sk_live_abcd…wxyz"
    assert row(text, "constraints") == "GET,POST prefix jobs/ or GET verb"
    assert row(text, "allowed origins") == "-"
    assert row(text, "scopes") == "jobs:read, jobs:write"
    assert row(text, "labels") == "team=ops"
    assert row(text, "metadata") == '{"plan": "pro"}'
    assert row(text, "expires") == "2027-01-31T00:00:00Z"
    assert row(text, "last used") == "never"
    assert row(text, "ver_1").split() == ["ks_sk_live_abcd…wxyz", "-", "-", "never", "7"]


def test_list_is_a_table(run, api):
    api.answer = {"items": [KEY, KEY | {"id": "key_2"}], "next_cursor": None}
    result = run("key", "list", "--app", "app_1")
    lines = result.out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "TYPE", "TOKEN", "STATUS", "EXPIRES", "LAST", "USED"]
    assert [line.split()[0] for line in lines[1:]] == ["key_1", "key_2"]
    assert result.err == ""


def test_next_page_is_told_beside_the_table(run, api):
    api.answer = {"items": [KEY], "next_cursor": "abc"}
    assert run("key", "list", "--app", "app_1").err == "there are more: --cursor abc\n"


def test_empty_list_leaves_a_pipe_empty(run, api):
    api.answer = {"items": [], "next_cursor": None}
    result = run("key", "list", "--app", "app_1")
    assert (result.code, result.out, result.err) == (0, "", "no keys\n")


@pytest.mark.parametrize("line", ["key show key_1", "key list --app app_1", "org delete org_1 --yes"])
def test_json_is_the_apis_own(run, api, line):
    api.answer = {"items": [KEY], "next_cursor": "abc", "a thing of tomorrow": [1.5, None, "é\x1b"]}
    result = run(*line.split(), "--json")
    assert json.loads(result.out) == api.answer
    assert result.out.isascii()
    assert result.err == ""


def test_values_cannot_drive_the_terminal(run, api):
    api.answer = KEY | {"name": "a\x1b[31mb\u202ec\nd"}
    assert row(run("key", "show", "key_1").out, "name") == r"a\x1b[31mb\u202ec\nd"


def test_detail_of_an_error_cannot_drive_the_terminal(run, api):
    api.status, api.answer = 404, {"detail": "no \x1b[2J"}
    assert run("key", "show", "key_1").err == "error: no \\x1b[2J\n"


def test_long_values_are_neither_cut_nor_folded(run, api):
    api.answer = KEY | {"name": "n" * 500}
    assert row(run("key", "show", "key_1").out, "name") == "n" * 500


def test_pipe_gets_no_colour_whatever_the_environment_says(run, api, environ):
    environ.setenv("FORCE_COLOR", "1")
    environ.setenv("CLICOLOR_FORCE", "1")
    api.answer = {"items": [KEY], "next_cursor": None}
    assert "\x1b" not in run("key", "list", "--app", "app_1").out


def test_terminal_gets_colour(run, api, environ):
    environ.setenv("TERM", "xterm-256color")
    environ.delenv("NO_COLOR", raising=False)
    api.answer = {"items": [KEY], "next_cursor": None}
    assert "\x1b[" in run("key", "list", "--app", "app_1", terminal=True).out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"disabled": False}, "active"),
        (
            {"disabled": True, "disabled_by": {"kind": "root_key", "id": "key_9"}},
            "suspended by root_key key_9",
        ),
        ({"disabled": False, "deleted_at": "2027-01-01T00:00:00Z"}, "deleted"),
    ],
)
def test_status_of_an_organization_says_who_suspended_it(run, api, answer, words):
    api.answer = answer
    assert row(run("org", "show", "org_1").out, "status") == words


def test_status_of_a_revoked_key_says_why(run, api):
    api.answer = KEY | {"status": "revoked", "revoked_reason": "unused", "revoked_at": "2027-01-01T00:00:00Z"}
    text = run("key", "show", "key_1").out
    assert row(text, "status") == "revoked (unused)"
    assert row(text, "revoked") == "2027-01-01T00:00:00Z"


def test_keys_revoked_with_it_are_listed(run, api):
    api.answer = KEY | {"descendants": ["key_2", "key_3"], "epoch": 7}
    text = run("key", "revoke", "key_1", "--yes").out
    assert row(text, "revoked with it") == "key_2, key_3"
    assert row(text, "epoch") == "7"


@pytest.mark.parametrize(
    ("valid", "code", "words"),
    [(True, 0, "accepted"), (False, 1, "refused: EXPIRED"), (None, 1, "refused: EXPIRED")],
)
def test_verdict_is_told_in_words_and_by_the_exit_code(run, api, valid, code, words):
    api.answer = {
        "valid": valid,
        "reason": "EXPIRED",
        "key": {"id": "key_1"},
        "as_of": "2027-01-01T00:00:00Z",
    }
    result = run("key", "verify", stdin="t")
    assert result.code == code
    assert row(result.out, "verdict") == words
    assert row(result.out, "key") == "key_1"
    assert result.err == ""


def test_verdict_on_an_unknown_token_says_nothing_of_a_key(run, api):
    api.answer = {"valid": False, "reason": "UNKNOWN", "as_of": "2027-01-01T00:00:00Z"}
    assert run("key", "verify", stdin="t").out.split() == [
        "verdict",
        "refused:",
        "UNKNOWN",
        "as",
        "of",
        "2027-01-01T00:00:00Z",
    ]


def test_explained_verdict_lists_every_check(run, api):
    api.answer = {
        "valid": False,
        "reason": "EXPIRED",
        "checks": [{"reason": "REVOKED", "passed": True}, {"reason": "EXPIRED", "passed": False}],
    }
    lines = run("key", "verify", "--explain", stdin="t").out.splitlines()
    assert [line.split() for line in lines[-2:]] == [["REVOKED", "yes"], ["EXPIRED", "no"]]


def test_refused_verdict_has_its_code_with_json_too(run, api):
    api.answer = {"valid": False, "reason": "REVOKED"}
    result = run("key", "verify", "--json", stdin="t")
    assert (result.code, json.loads(result.out)) == (1, api.answer)


DANGEROUS = {
    "org delete": "org delete org_1",
    "org member remove": "org member remove org_1 usr_1",
    "app delete": "app delete app_1",
    "scope delete": "scope delete jobs:read",
    "key revoke": "key revoke key_1",
    "root-key revoke": "root-key revoke key_1",
}


@pytest.mark.parametrize("line", DANGEROUS.values(), ids=DANGEROUS.keys())
def test_what_cannot_be_undone_needs_yes_off_a_terminal(run, api, line):
    result = run(*line.split(), stdin="y\n")
    assert (result.code, api.requests) == (2, [])
    assert "--yes" in result.err


ANSWERS = {"yes": ("y", 0, 1), "no": ("n", 70, 0), "nothing": ("", 70, 0)}


@pytest.mark.parametrize("line", DANGEROUS.values(), ids=DANGEROUS.keys())
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_what_cannot_be_undone_is_asked_for_on_a_terminal(run, api, environ, line, answer):
    typed, code, requests = answer
    environ.setattr("typer._click.termui.visible_prompt_func", lambda _: typed)
    result = run(*line.split(), terminal=True)
    assert (result.code, len(api.requests)) == (code, requests)
