"""`--wait`: every command that can change a verdict takes it, and says by a code of its own who lags."""

import json

import pytest

from tests.cli.test_requests import ROWS

WAITING = {"confirmed": [{"id": "nod_1", "name": "berlin", "applied_epoch": 42}], "lagging": []}
LAGGING = {
    "confirmed": [],
    "lagging": [
        {"id": "nod_1", "name": "berlin", "applied_epoch": 41},
        {"id": "nod_2", "name": "oslo\x1b[2J", "applied_epoch": 7},
    ],
}
NEVER_AN_EPOCH = ("scope ", "key verify", "key lookup", "key reveal")
CHANGES = {
    name: (line, asked)
    for name, (line, asked) in ROWS.items()
    if asked[0] != "GET" and not line.startswith(NEVER_AN_EPOCH)
}


@pytest.mark.parametrize(("line", "asked"), CHANGES.values(), ids=CHANGES)
def test_change_waits_when_asked(run, api, line, asked):
    api.answer = {"epoch": 42, **WAITING}
    result = run(*line.split(), "--json", "--wait", "2s")
    assert (result.code, result.err) == (0, "")
    method, address, body = api.asked
    assert (method, body) == (asked[0], asked[2])
    assert address == f"{asked[1]}{'&' if '?' in asked[1] else '?'}wait=2s"


@pytest.mark.parametrize("line", ["key list --app app_1", "key verify", "scope delete a:b --yes"])
def test_what_makes_no_epoch_takes_no_wait(run, api, line):
    result = run(*line.split(), "--wait", "2s", stdin="t")
    assert (result.code, api.requests) == (2, [])


def test_lagging_nodes_are_named_and_have_their_exit_code(run, api):
    api.answer = {"id": "key_1", "status": "revoked", "epoch": 42, **LAGGING}
    result = run("key", "revoke", "key_1", "--yes", "--wait", "1s")
    assert result.code == 6
    assert result.err == "done, but not yet applied by: berlin (nod_1), oslo\\x1b[2J (nod_2)\n"
    assert "revoked" in result.out


@pytest.mark.parametrize("line", ["org delete org_1 --yes", "key disable key_1 -q", "app suspend app_1"])
def test_lagging_has_its_exit_code_however_the_answer_is_shown(run, api, line):
    api.answer = {"id": "it_1", **LAGGING}
    assert run(*line.split(), "--wait", "1s").code == 6


def test_json_holds_who_lags_and_nothing_is_printed_beside_it(run, api):
    api.answer = {"id": "key_1", "epoch": 42, **LAGGING}
    result = run("key", "disable", "key_1", "--wait", "1s", "--json")
    assert (result.code, result.err) == (6, "")
    assert json.loads(result.out) == api.answer


def test_a_new_token_is_printed_before_anyone_is_said_to_lag(run, api):
    api.answer = {"id": "key_1", "type": "secret", "token": "the-token", "epoch": 42, **LAGGING}
    result = run("key", "rotate", "key_1", "-q", "--wait", "1s")
    assert (result.code, result.out) == (6, "the-token\n")


def test_people_see_who_has_applied_it(run, api):
    api.answer = {"id": "key_1", "epoch": 42, **WAITING}
    text = run("key", "enable", "key_1", "--wait", "1s").out
    assert "applied by" in text
    assert "berlin" in text
    assert "lagging" not in text


def test_nodes_are_a_table(run, api):
    api.answer = {
        "items": [
            {
                "id": "nod_1",
                "name": "berlin",
                "applied_epoch": 42,
                "lag": 0,
                "seen_at": "2027-01-01T00:00:00.250000Z",
                "this_node": True,
            }
        ],
        "next_cursor": None,
    }
    lines = run("node", "list").out.splitlines()
    assert lines[0].split() == ["ID", "NAME", "EPOCH", "LAG", "SEEN", "THIS"]
    assert lines[1].split() == ["nod_1", "berlin", "42", "0", "2027-01-01T00:00:00Z", "yes"]
