"""Tokens: never by argument, shown once, alone in a pipe."""

import json

import pytest

TOKEN = "_".join(["ks", "sk", "live", "0123456789" * 3 + "abcdefgh"])
SECRET_KEY = {"id": "key_1", "type": "secret", "owner": {"kind": "app", "id": "app_1"}, "token": TOKEN}
PUBLIC_KEY = SECRET_KEY | {"type": "public"}
ROOT_KEY = SECRET_KEY | {"owner": {"kind": "instance", "id": None}}

LINES = [
    ["key", "verify", TOKEN],
    ["key", "lookup", TOKEN],
    ["key", "show", TOKEN],
    ["key", "list", "--app", "app_1", "--start", TOKEN],
    ["org", "create", "--name", f"before {TOKEN} after"],
    ["org", "create", "--name", "N", f"--metadata={json.dumps({'token': TOKEN})}"],
    ["org", "list", "--server", f"https://keys.example.com/apikey/{TOKEN}/"],
    ["org", "list", f"--token={TOKEN}"],
    [TOKEN],
    ["key", "verify", TOKEN[:-12]],
    ["key", "verify", TOKEN.replace("_sk_", "_pk_")],
    ["key", "verify", TOKEN.replace("_sk_", "_rk_")],
]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_token_in_an_argument_is_refused_and_not_repeated(run, api, line):
    result = run(*line)
    assert result.code == 2
    assert "rotate its key" in result.err
    assert "0123456789" not in result.out + result.err
    assert api.requests == []


@pytest.mark.parametrize("command", ["verify", "lookup"])
def test_foreign_token_in_an_argument_is_refused_and_not_repeated(run, api, command):
    result = run("key", command, "hunter2hunter2")
    assert result.code == 2
    assert "rotate its key" in result.err
    assert "hunter2" not in result.err
    assert api.requests == []


def test_what_a_token_begins_with_is_no_token(run, api):
    assert run("key", "list", "--app", "app_1", "--start", TOKEN[:15], "--json").code == 0


@pytest.mark.parametrize("stdin", ["the-token", "the-token\n", "the-token\r\n", "  the-token  \n"])
def test_token_is_read_from_a_pipe(run, api, stdin):
    run("key", "lookup", stdin=stdin)
    assert api.asked[2] == {"token": "the-token"}


def test_token_is_read_from_a_file(run, api, tmp_path):
    file = tmp_path / "token"
    file.write_text("the-token\n")
    run("key", "verify", "--token-file", str(file), stdin="another")
    assert api.asked[2] == {"token": "the-token"}


def test_token_is_asked_for_on_a_terminal_without_echo(run, api, environ):
    asked = {}

    def prompt(text, **options):
        asked.update(options, text=text)
        return "the-token"

    environ.setattr("typer.prompt", prompt)
    run("key", "lookup", terminal=True)
    assert asked == {"text": "Token", "hide_input": True, "err": True}
    assert api.asked[2] == {"token": "the-token"}


def test_file_that_cannot_be_read_is_said_to_be_so(run, api, tmp_path):
    result = run("key", "verify", "--token-file", str(tmp_path / "none"))
    assert (result.code, api.requests) == (2, [])
    assert "--token-file cannot be read" in result.err


def test_file_that_is_not_text_is_refused(run, api, tmp_path):
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe\xff")
    assert run("key", "verify", "--token-file", str(file)).code == 2


def test_empty_input_is_for_the_api_to_judge(run, api):
    api.answer = {"valid": False, "reason": "MISSING"}
    assert run("key", "verify", stdin="").code == 1
    assert api.asked[2] == {"token": ""}


MAKERS = {
    "key create": ["key", "create", "--app", "app_1", "--name", "N"],
    "key rotate": ["key", "rotate", "key_1"],
    "key reveal": ["key", "reveal", "key_1"],
    "root-key create": ["root-key", "create"],
    "root-key rotate": ["root-key", "rotate", "key_1"],
}


@pytest.mark.parametrize("line", MAKERS.values(), ids=MAKERS.keys())
def test_pipe_gets_the_token_alone(run, api, line):
    api.answer = SECRET_KEY
    result = run(*line)
    assert result.out == f"{TOKEN}\n"
    assert "shown once" in result.err
    assert "key_1" in result.err
    assert TOKEN not in result.err


@pytest.mark.parametrize("line", MAKERS.values(), ids=MAKERS.keys())
def test_terminal_gets_the_token_once_on_a_line_of_its_own(run, api, line, environ):
    environ.setenv("NO_COLOR", "1")
    environ.setenv("TERM", "dumb")
    api.answer = SECRET_KEY
    result = run(*line, terminal=True)
    lines = result.out.splitlines()
    assert lines.count(TOKEN) == 1
    assert lines[lines.index(TOKEN) - 1] == lines[lines.index(TOKEN) + 1] == "─" * len(TOKEN)
    assert "shown once" in result.out
    assert result.err == ""


@pytest.mark.parametrize("line", MAKERS.values(), ids=MAKERS.keys())
def test_json_holds_the_token_and_nothing_is_added(run, api, line):
    api.answer = SECRET_KEY
    result = run(*line, "--json")
    assert json.loads(result.out) == SECRET_KEY
    assert result.err == ""


def test_note_says_how_to_get_another_token(run, api):
    api.answer = SECRET_KEY
    assert "keystead key rotate key_1" in run(*MAKERS["key create"]).err
    api.answer = ROOT_KEY
    assert "keystead root-key rotate key_1" in run(*MAKERS["root-key create"]).err
    api.answer = PUBLIC_KEY
    assert "keystead key reveal key_1" in run(*MAKERS["key create"]).err
