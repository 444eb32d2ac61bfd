"""What `keystead replica` prints, and how it ends: on a data directory without a server."""

import json
import os
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from keystead.cli.replica import _progress
from keystead.replica.files import Folder, open_whole
from keystead.replica.format import RECORDS
from keystead.replica.stamp import _LEVEL_AT, Stamp


@pytest.fixture
def data(environ, tmp_path: Path) -> Path:
    """The path of a data directory that is not there yet."""
    path = tmp_path / "data"
    environ.setenv("KEYSTEAD_DATA", str(path))
    return path


@pytest.fixture
def folder(run, data: Path) -> Folder:
    """The replica of an instance with one organization, whose app has one key."""
    assert run("org", "create", "--name", "Acme", "-q").code == 0
    return Folder(data / "replica")


@contextmanager
def stamp_of(folder: Folder):
    stamp = Stamp(folder.stamp)
    try:
        yield stamp
    finally:
        stamp.close()


def told(result, code: int = 0):
    assert result.code == code, result.err
    return json.loads(result.out)


def current(folder: Folder) -> Path:
    with stamp_of(folder) as stamp:
        return folder.file(stamp.generation)


def tamper(folder: Folder) -> None:
    """Take the one record out of the replica."""
    with stamp_of(folder) as stamp:
        opened = open_whole(folder.file(stamp.generation), stamp.generation)
    with (
        opened.environment.begin(write=True, db=opened.databases[RECORDS]) as transaction,
        transaction.cursor() as cursor,
    ):
        cursor.first()
        cursor.delete()
    opened.environment.close()


def test_where_there_is_nothing_status_says_so_and_makes_nothing(run, data):
    status = told(run("replica", "status", "--json"))
    assert (status["generation"], status["state"], status["age_s"]) == (0, "stale", None)
    assert (status["applier"], status["file"], status["primary_epoch"], status["lag"]) == (None,) * 4
    assert "none yet" in run("replica", "status").out
    assert not data.exists()


def test_status_tells_what_there_is(run, folder):
    status = told(run("replica", "status", "--json"))
    assert (status["format"], status["generation"], status["folder"]) == (1, 1, str(folder.path))
    assert (status["applied_epoch"], status["primary_epoch"], status["lag"]) == (1, 1, 0)
    assert status["applier"] == {"pid": os.getpid(), "alive": False}
    size = current(folder).stat().st_size
    assert status["file"] == {
        "bytes": size,
        "bytes_per_version": size,
        "versions": 1,
        "policies": 1,
        "tenants": 2,
        "refusals": 0,
        "readers": 0,
    }
    assert status["rebuild"] is None


def test_status_is_for_people_too(run, folder):
    out = run("replica", "status").out
    assert "epoch           1 of 1, lag 0" in out
    assert f"none now: process {os.getpid()} did last" in out


@pytest.mark.parametrize(
    ("age_ms", "state"),
    [(0, "fresh"), (1999, "fresh"), (2000, "degraded"), (299_999, "degraded"), (300_000, "stale")],
)
def test_status_says_what_verdicts_do(run, folder, environ, age_ms, state):
    environ.setattr(Stamp, "age_ms", lambda _: age_ms)
    assert told(run("replica", "status", "--json"))["state"] == state


def test_status_needs_no_database(run, data, folder):
    (data / "keystead.sqlite3").unlink()
    status = told(run("replica", "status", "--json"))
    assert (status["applied_epoch"], status["primary_epoch"], status["lag"]) == (1, None, None)
    assert "the database does not say" in run("replica", "status").out
    assert not (data / "keystead.sqlite3").exists()


def test_status_tells_of_a_damaged_file(run, folder):
    os.truncate(current(folder), 8192)
    assert told(run("replica", "status", "--json"))["file"] is None
    assert "damaged" in run("replica", "status").out


def test_status_names_files_of_other_formats(run, folder):
    (folder.path / "v9-3.mdb").write_bytes(b"12345")
    assert told(run("replica", "status", "--json"))["other_files"] == [{"name": "v9-3.mdb", "bytes": 5}]
    assert "v9-3.mdb (5 bytes)" in run("replica", "status").out


def test_status_shows_how_far_a_rebuild_is_only_while_somebody_builds(run, folder):
    with stamp_of(folder) as stamp:
        stamp.progress(10, 100)
        assert told(run("replica", "status", "--json"))["rebuild"] is None


def test_what_cannot_be_read_is_unavailable(run, folder):
    folder.stamp.unlink()
    folder.stamp.mkdir()
    assert run("replica", "status").code == 75


def test_rebuild_without_a_server_does_the_work_itself(run, folder):
    status = told(run("replica", "rebuild", "--json"))
    assert (status["generation"], status["applied_epoch"], status["file"]["versions"]) == (2, 1, 1)
    assert run("replica", "verify").code == 0


def test_rebuild_mends_a_damaged_replica(run, folder):
    tamper(folder)
    assert run("replica", "verify").code == 7
    assert run("replica", "rebuild").code == 0
    assert run("replica", "verify").code == 0


def test_rebuild_makes_what_is_not_there(run, data):
    assert told(run("replica", "rebuild", "--json"))["generation"] == 1
    assert stat.S_IMODE((data / "replica").stat().st_mode) == 0o700


@pytest.mark.parametrize("command", ["rebuild", "verify"])
def test_without_the_database_it_is_for_later(run, folder, data, command):
    (data / "keystead.sqlite3").rename(data / "away")
    (data / "keystead.sqlite3").mkdir()
    result = run("replica", command, "--json")
    assert result.code == 75
    assert json.loads(result.err)["type"] == "unavailable"


def test_progress_is_a_line_for_each_tenth_off_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with _progress(silent=False) as tell:
        for done in range(0, 1001, 5):
            tell(done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert lines[3] == "building the replica: 300 of about 1,000 versions"
    with _progress(silent=True) as tell:
        tell(5, 10)
    assert capsys.readouterr().err == ""


def test_progress_is_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with _progress(silent=False) as tell:
        tell(5, 10)
    captured = capsys.readouterr()
    assert "50%" in captured.err
    assert captured.out == ""


def test_verify_counts_what_it_compared(run, folder):
    assert told(run("replica", "verify", "--json")) == {
        "clean": True,
        "epoch": 1,
        "versions": 1,
        "tenants": 2,
        "roles": 0,
        "missing": 0,
        "surplus": 0,
        "differing": 0,
        "passed_over": 0,
        "refusals": 0,
        "first": [],
    }
    assert "as the database" in run("replica", "verify").out


def test_verify_names_what_differs_and_has_a_code_for_it(run, folder):
    tamper(folder)
    found = told(run("replica", "verify", "--json"), code=7)
    assert (found["clean"], found["missing"]) == (False, 1)
    [first] = found["first"]
    assert (first["fault"], first["kind"]) == ("missing", "version")
    assert first["id"].startswith("key_")
    result = run("replica", "verify")
    assert result.code == 7
    assert "differs from the database" in result.out
    assert first["id"] in result.out


def test_the_commands_have_help(run):
    assert "exit 7" in run("replica", "verify", "--help").out


def test_a_command_long_after_the_last_one_is_not_stale(run, folder, environ):
    with stamp_of(folder) as stamp:
        stamp.words[_LEVEL_AT] = 1
    answer = run("key", "verify", "--json", stdin="made-up")
    assert told(answer, code=1)["reason"] == "MALFORMED"
    assert not json.loads(answer.out)["degraded"]
