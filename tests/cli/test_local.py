"""Whole stories on a real data directory, without a server and with one."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import free_port, running

PROGRAM = Path(sys.executable).with_name("keystead")


@pytest.fixture
def data(environ: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty data directory."""
    path = tmp_path / "data"
    environ.setenv("KEYSTEAD_DATA", str(path))
    return path


@pytest.fixture
def ask(run, data) -> Callable[..., dict]:
    """Run a command that is to succeed, and give the API's answer."""

    def asked(*arguments: str, stdin: str = "") -> dict:
        result = run(*arguments, "--json", stdin=stdin)
        assert (result.code, result.err) == (0, "")
        return json.loads(result.out)

    return asked


@pytest.fixture
def app(ask) -> str:
    """The id of an app that has a key besides."""
    org = ask("org", "create", "--name", "Acme")["id"]
    return ask("app", "create", "--org", org, "--name", "Imports")["id"]


def verify(run, token: str, *arguments: str) -> tuple[int, str | None]:
    result = run("key", "verify", *arguments, "--json", stdin=token)
    return result.code, json.loads(result.out)["reason"]


def test_key_lives_from_creation_to_revocation(run, ask, app):
    ask("scope", "create", "jobs:read", "--description", "Read jobs", "--customer-grantable")
    made = run(
        *("key", "create", "--app", app, "--name", "Nightly", "--scope", "jobs:read"),
        *("--allow", "GET prefix jobs/", "--expires-in", "30d", "--label", "team=ops"),
    )
    first = made.out.strip()
    assert re.fullmatch(r"ks_sk_live_[0-9A-Za-z]{38}", first)
    request = ("--method", "GET", "--path", "/jobs/7", "--scope", "jobs:read")
    assert verify(run, first, *request) == (0, None)
    assert verify(run, first, "--method", "POST", "--path", "/jobs/7") == (1, "CONSTRAINT_UNMET")
    assert verify(run, first) == (1, "CONSTRAINT_UNMET")

    key = ask("key", "lookup", stdin=first)["id"]
    second = run("key", "rotate", key, "--grace", "1h").out.strip()
    assert verify(run, first, *request) == (0, None)
    assert verify(run, second, *request) == (0, None)
    third = run("key", "rotate", key, "--grace", "0").out.strip()
    assert verify(run, first, *request) == verify(run, second, *request) == (1, "RETIRED")

    assert ask("key", "disable", key)["status"] == "disabled"
    assert verify(run, third, *request) == (1, "DISABLED")
    assert ask("key", "enable", key)["status"] == "active"
    assert run("key", "revoke", key).code == 2
    assert verify(run, third, *request) == (0, None)
    spare = ask("key", "create", "--app", app, "--name", "Spare")["id"]
    assert ask("key", "revoke", key, "--yes", "--reason", "superseded")["revoked_reason"] == "superseded"
    assert verify(run, third, *request) == (1, "REVOKED")
    assert run("key", "rotate", key).code == 5
    assert run("key", "revoke", spare, "--yes").code == 5
    assert run("key", "revoke", spare, "--yes", "--reason", "compromised").code == 0


def test_version_is_retired_by_itself(run, ask, app):
    first = run("key", "create", "--app", app, "--name", "N").out.strip()
    key = ask("key", "lookup", stdin=first)
    run("key", "rotate", key["id"])
    ask("key", "retire", key["id"], key["versions"][0]["id"])
    assert verify(run, first) == (1, "RETIRED")


def test_key_is_changed_and_cleared(ask, app):
    key = ask("key", "create", "--app", app, "--name", "N", "--network", "10.0.0.0/8", "--label", "a=b")["id"]
    changed = ask("key", "update", key, "--name", "M", "--allow", "GET,HEAD verb", "--expires-in", "1h")
    assert (changed["name"], changed["allowed_networks"]) == ("M", ["10.0.0.0/8"])
    assert changed["constraints"] == [{"type": "verb", "pattern": None, "methods": ["GET", "HEAD"]}]
    cleared = ask("key", "update", key, "--no-constraints", "--no-networks", "--no-expiry", "--no-labels")
    assert (cleared["constraints"], cleared["allowed_networks"], cleared["labels"]) == ([], [], {})
    assert cleared["expires_at"] is None


def test_public_key_is_revealed_again(run, ask, app):
    made = ask("key", "create", "--app", app, "--name", "Web", "--type", "public")
    assert run("key", "reveal", made["id"]).out == f"{made['token']}\n"
    secret = ask("key", "create", "--app", app, "--name", "Back")
    assert run("key", "reveal", secret["id"]).code == 5


def test_suspended_organization_refuses_and_resumes(run, ask):
    org = ask("org", "create", "--name", "Acme", "--external-id", "cus_1")["id"]
    app = ask("app", "list", "--org", org)["items"][0]["id"]
    token = run("key", "create", "--app", app, "--name", "N").out.strip()
    assert ask("org", "suspend", org)["disabled_by"] == {"kind": "operator", "id": "local"}
    assert verify(run, token) == (1, "DISABLED")
    ask("org", "resume", org)
    assert verify(run, token) == (0, None)
    assert [it["id"] for it in ask("org", "list", "--external-id", "cus_1")["items"]] == [org]
    ask("org", "delete", org, "--yes")
    assert verify(run, token) == (1, "REVOKED")


def test_member_gets_a_personal_key(run, ask):
    org = ask("org", "create", "--name", "Acme")["id"]
    user = ask("org", "member", "add", org, "--email", "ada@example.com", "--role", "owner")["user_id"]
    token = run("key", "create", "--user", user, "--org", org, "--name", "Laptop").out.strip()
    assert verify(run, token) == (1, "WRONG_OWNER")
    assert verify(run, token, "--owner", "user") == (0, None)
    other = ask("org", "member", "add", org, "--email", "bob@example.com", "--role", "viewer")["user_id"]
    assert ask("org", "member", "role", org, other, "--role", "admin")["role"] == "admin"
    assert run("org", "member", "remove", org, user, "--yes").code == 5
    assert run("org", "member", "remove", org, other, "--yes").code == 0
    assert [it["email"] for it in ask("org", "member", "list", org)["items"]] == ["ada@example.com"]
    assert ask("user", "list", "--email", "bob@example.com")["items"][0]["id"] == other
    assert [it["action"] for it in ask("org", "audit", org, "--limit", "1")["items"]]


def test_lists_are_read_page_by_page(ask, app):
    made = [ask("key", "create", "--app", app, "--name", f"N{number}")["id"] for number in range(3)]
    first = ask("key", "list", "--app", app, "--limit", "2", "--name", "N")
    rest = ask("key", "list", "--app", app, "--limit", "2", "--name", "N", "--cursor", first["next_cursor"])
    assert [it["id"] for it in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


def test_what_the_api_refuses_has_its_exit_code(run, app):
    assert run("key", "show", "key_0000000000000000000000").code == 4
    assert run("key", "create", "--app", app, "--name", "N", "--allow", "regex a)|(?:b").code == 2
    assert run("key", "create", "--app", app, "--name", "N", "--scope", "no:such").code == 2
    assert run("org", "list", "--limit", "0").code == 2


def test_unknown_setting_stops_every_command(run, data, environ):
    environ.setenv("KEYSTEAD_PROT", "8420")
    for line in ("org list", "serve", "migrate", "doctor"):
        result = run(*line.split())
        assert (result.code, "KEYSTEAD_PROT" in result.err) == (78, True)
    assert not data.exists()


def test_database_is_migrated_once(run, data):
    assert "empty" in run("migrate").out
    assert "nothing to do" in run("migrate").out
    assert json.loads(run("migrate", "--json").out)["done"]


def test_doctor_finds_nothing_in_a_new_data_directory(run, ask):
    ask("org", "list")
    result = run("doctor", "--json")
    assert result.code == 0
    assert {it["level"] for it in json.loads(result.out)["items"]} <= {"ok", "warning"}


def test_doctor_ends_with_78_for_a_problem(run, ask, data):
    ask("org", "list")
    data.chmod(0o777)
    result = run("doctor")
    assert result.code == 78
    assert re.search(r"^problem +data directory: .*chmod", result.out, re.MULTILINE)


def shell(line: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    line = line.replace("keystead", str(PROGRAM))
    return subprocess.run(["/bin/sh", "-c", line], env=environ, capture_output=True, text=True, check=False)


def test_token_goes_from_command_to_command_through_a_pipe(ask, app):
    done = shell(f"keystead key create --app {app} --name N | keystead key verify", dict(os.environ))
    assert done.returncode == 0
    assert done.stdout.startswith("verdict")
    assert not re.search(r"ks_sk_live_[0-9A-Za-z]{38}", done.stdout + done.stderr)


def test_closed_pipe_ends_a_command_quietly(ask, app):
    ask("key", "create", "--app", app, "--name", "N")
    done = shell(f"{{ keystead key list --app {app}; echo $? >&2; }} | true", dict(os.environ))
    assert done.stderr == "70\n"


def test_same_words_work_on_a_server(run, data, environ, tmp_path):
    root = run("root-key", "create", "--name", "Ops").out.strip()
    port = free_port()
    log = tmp_path / "log"
    with running([PROGRAM, "serve", "--port", str(port)], port=port, log=log, stop=signal.SIGTERM) as server:
        environ.delenv("KEYSTEAD_DATA")
        environ.setenv("KEYSTEAD_URL", f"http://127.0.0.1:{port}")
        assert run("org", "list").code == 3
        environ.setenv("KEYSTEAD_TOKEN", "wrong")
        assert run("org", "list").code == 3
        environ.setenv("KEYSTEAD_TOKEN", root)
        org = json.loads(run("org", "create", "--name", "Acme", "--json").out)["id"]
        app = json.loads(run("app", "list", "--org", org, "--json").out)["items"][0]["id"]
        token = run("key", "create", "--app", app, "--name", "N").out.strip()
        assert verify(run, token) == (0, None)
        assert run("key", "show", "key_0000000000000000000000").code == 4
    assert server.returncode == 0
    assert f"listens on http://127.0.0.1:{port}" in log.read_text()
    assert root not in log.read_text()
    assert run("org", "list").code == 75


def test_letter_that_the_terminal_lacks_does_not_end_a_command(data):
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = shell("keystead org create --name Ümit", environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\xdcmit" in done.stdout


def test_options_of_serve_win_over_the_environment(run, data, environ):
    environ.setenv("KEYSTEAD_PORT", "1")
    environ.setenv("KEYSTEAD_WORKERS", "2")
    port, worked = free_port(), []

    def work(settings, listeners, on_listening):
        worked.append((settings.host, settings.port, settings.workers))
        assert [it.getsockname()[:2] for it in listeners.public] == [("::1", port)]
        on_listening()

    environ.setattr("keystead.wiring.work", work)
    result = run("serve", "--host", "::1", "--port", str(port), "--workers", "1")
    assert (result.code, worked) == (0, [("::1", port, 1)])
    assert f"listens on http://[::1]:{port}\n" in result.out


def test_welcome_says_what_a_newcomer_needs_next_and_its_commands_work(run, data, environ):
    environ.setattr("keystead.wiring.work", lambda _, __, on_listening: on_listening())
    welcome = run("serve", "--port", str(free_port())).out
    assert "/api/docs" in welcome
    assert "Dashboard" in welcome
    assert len(re.findall(r"  http://localhost:\d+/link\?secret=[0-9A-Za-z]{43}\n", welcome)) == 1
    lines = [line.strip() for line in welcome.splitlines()]
    (make_root,) = (line for line in lines if line.endswith("root-key create"))
    issue = [line for line in lines if " create --" in line or " list " in line]
    program = make_root.partition(" ")[0]
    script = "set -e\n" + "\n".join((make_root, *issue)).replace(program, "keystead")
    done = shell(script, dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout


def test_quiet_prints_ids_only(run, data):
    org = run("org", "create", "--name", "Acme", "-q").out.strip()
    assert re.fullmatch("org_[0-9A-Za-z]{22}", org)
    assert run("org", "list", "-q").out.split() == [org]
    assert run("scope", "create", "jobs:read", "--quiet").out == "jobs:read\n"
    (app,) = run("app", "list", "--org", org, "-q").out.split()
    made = run("key", "create", "--app", app, "--name", "First", "-q")
    assert made.out.startswith("ks_sk_live_")


def test_server_that_would_show_tokens_to_the_network_does_not_start(run, data):
    result = run("serve", "--host", "0.0.0.0")
    assert result.code == 78
    assert "KEYSTEAD_PUBLIC_URL" in result.err


def test_a_command_that_waits_for_a_token_keeps_the_replica_level_meanwhile(run, data):
    org = run("org", "create", "--name", "Acme", "-q").out.strip()
    (app,) = run("app", "list", "--org", org, "-q").out.split()
    command = [str(Path(sys.executable).with_name("keystead")), "key", "verify"]
    # Started first, it is the process that applies what the other one changes.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiting:
        lock = data / "replica" / "v1.lock"
        while not is_held(lock):
            time.sleep(0.01)
        made = run("key", "create", "--app", app, "--name", "First", "-q")
        out, _ = waiting.communicate(made.out)
    assert (waiting.returncode, out.split()[:2]) == (0, ["verdict", "accepted"])


def is_held(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
