"""Exit codes and errors: how a script knows what became of a command, and a person why."""

import json

import httpx
import pytest

from keystead.cli.exits import MEANINGS, ExitCode
from keystead.domain.errors import Misconfigured

STATUSES = {
    200: 0,
    201: 0,
    400: 2,
    401: 3,
    403: 3,
    404: 4,
    405: 70,
    409: 5,
    412: 5,
    413: 2,
    422: 2,
    429: 75,
    500: 70,
    502: 75,
    503: 75,
    504: 75,
}


def problem(status: int) -> dict[str, object]:
    return {
        "type": "some-slug",
        "title": "Title",
        "status": status,
        "detail": "What went wrong.",
        "request_id": "req_1",
    }


@pytest.mark.parametrize(("status", "code"), STATUSES.items())
def test_exit_code_follows_the_status(run, api, status, code):
    api.status, api.answer = status, problem(status)
    assert run("key", "show", "key_1").code == code


def test_detail_is_what_people_read(run, api):
    api.status, api.answer = 409, problem(409)
    result = run("key", "show", "key_1")
    assert (result.out, result.err) == ("", "error: What went wrong.\n")


def test_fault_of_the_server_names_the_request(run, api):
    api.status, api.answer = 500, problem(500)
    assert run("key", "show", "key_1").err == "error: What went wrong. (request id req_1)\n"


def test_problem_is_what_programs_read(run, api):
    api.status, api.answer = 422, problem(422) | {"errors": [{"field": "name", "problem": "write one"}]}
    result = run("key", "show", "key_1", "--json")
    assert result.out == ""
    assert json.loads(result.err) == api.answer


def test_failed_connection_is_unavailable(run, api):
    api.fails = httpx.ConnectError("Connection refused")
    result = run("key", "show", "key_1")
    assert result.code == 75
    assert result.err == "error: the connection to the server failed: Connection refused\n"


def test_server_that_takes_too_long_is_unavailable(run, api):
    api.fails = httpx.ReadTimeout("timed out")
    assert run("key", "show", "key_1").code == 75


def test_words_that_may_hold_what_was_sent_are_not_repeated(run, api):
    api.fails = httpx.LocalProtocolError("Illegal header value b'Bearer the-token'")
    result = run("key", "show", "key_1")
    assert result.code == 75
    assert "the-token" not in result.err


@pytest.mark.parametrize("status", [200, 301, 404, 502])
def test_what_is_not_keystead_is_said_to_be_so(run, api, status):
    api.status, api.answer = status, b"<html>hello</html>"
    result = run("key", "show", "key_1")
    assert result.code == (STATUSES[status] if status in (404, 502) else 70)
    assert "address right?" in result.err


def test_setting_that_is_wrong_is_named(run, environ):
    async def refuse(*_):
        raise Misconfigured("KEYSTEAD_PORT", "write a port")

    environ.setattr("keystead.cli.commands._perform", lambda *_, **__: refuse())
    result = run("key", "show", "key_1")
    assert (result.code, result.err) == (78, "error: KEYSTEAD_PORT: write a port\n")


def test_failure_without_an_answer_is_a_problem_too(run, api):
    api.fails = httpx.ConnectError("Connection refused")
    found = json.loads(run("key", "show", "key_1", "--json").err)
    assert found["type"] == "unavailable"
    assert found["detail"] == "the connection to the server failed: Connection refused"


def test_usage_error_is_a_problem_too(run):
    found = json.loads(run("key", "show", "--json").err)
    assert found["type"] == "invalid-input"
    assert "KEY" in found["detail"]


def test_fault_of_ours_has_its_own_code(run, api):
    api.fails = ZeroDivisionError("a bug")
    result = run("key", "show", "key_1")
    assert result.code == 70
    assert "ZeroDivisionError" in result.err


def test_closed_pipe_is_not_taken_for_a_verdict(run, api, environ):
    def closed(*_, **__):
        raise BrokenPipeError

    environ.setattr("keystead.cli.printing._write", closed)
    environ.setattr("keystead.cli.commands._be_silent", lambda: None)
    api.answer = {"valid": False}
    assert run("key", "verify").code == 70


def test_help_lists_every_exit_code(run):
    result = run("--help")
    assert result.code == 0
    assert set(MEANINGS) == set(ExitCode)
    for code, meaning in MEANINGS.items():
        assert f"{code.value:>2}  {meaning}" in result.out


def test_group_without_a_command_shows_its_help(run):
    result = run("key")
    assert result.code == 2
    assert result.err.startswith("Usage: keystead key")


def test_version_is_told(run):
    result = run("--version")
    assert (result.code, result.out) == (0, "keystead 0.1.0\n")
