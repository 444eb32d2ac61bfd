"""What `keystead doctor` finds: each check is broken once, and says how to mend it."""

import asyncio
import os
import socket
import ssl
import subprocess
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keystead.cli.checks import (
    FULL_DISK_BYTES,
    LOW_DISK_BYTES,
    TLS_TIMEOUT_S,
    Probes,
    check_data,
    check_database_clock,
    check_directory,
    check_disk,
    check_files,
    check_gitignore,
    check_public_url,
    check_tls,
    examine,
)
from keystead.cli.findings import Level
from keystead.cli.replica_checks import check_replica
from keystead.domain.errors import Unavailable
from keystead.domain.keys import Environment
from keystead.domain.tokens import TokenKind, make_token
from keystead.replica.survey import Held, Survey
from keystead.settings import Settings, load_settings
from keystead.wiring import ReplicaState, ReplicaStatus

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = make_token("ks", TokenKind.ROOT, Environment.LIVE, bytes(range(32)))
OURS = os.geteuid()
MIB = 1024**2


def giving(value):
    async def probe():
        return value

    return probe


def raising(error):
    async def probe():
        raise error

    return probe


def held(**changed):
    usual = {"file_bytes": 61_440, "versions": 3, "policies": 1, "tenants": 2, "refusals": 0, "readers": 1}
    return Held(**{**usual, **changed})


def replica(state=ReplicaState.FRESH, **changed):
    usual = {"generation": 2, "applied_epoch": 7, "age_ms": 5, "applier": 42, "applies": True, "held": held()}
    survey = Survey(folder=Path("replica"), **{**usual, **changed})
    return ReplicaStatus(survey=survey, state=state, primary_epoch=7)


def probes(**changed):
    usual = {
        "clock": lambda: NOW,
        "schema": giving(("current", "revision 0001")),
        "newest_audit_at": giving(NOW),
        "database_now": giving(None),
        "secret_key": giving("same"),
        "replica": giving(replica()),
        "free_bytes": lambda _: LOW_DISK_BYTES,
    }
    return Probes(**{**usual, **changed})


@pytest.fixture
def data(tmp_path):
    """A data directory as it should be."""
    path = tmp_path / "keystead data"
    path.mkdir(mode=0o700)
    for name, text in ((".gitignore", "*\n"), ("keystead.db", "")):
        file = path / name
        file.write_text(text)
        file.chmod(0o600)
    inner = path / "inner"
    inner.mkdir(mode=0o700)
    return path


async def found(name, settings, asked):
    findings = {finding.name: finding for finding in await examine(settings, asked)}
    return findings[name]


def assert_mendable(finding, level, fix):
    assert finding.level is level
    assert fix in finding.fix


async def test_where_all_is_well_every_check_says_so(data):
    findings = await examine(Settings(data=data), probes())
    assert {finding.level for finding in findings} == {Level.OK}
    assert {finding.fix for finding in findings} == {None}
    assert [finding.name for finding in findings] == [
        "data directory",
        "data files",
        ".gitignore",
        "disk",
        "schema",
        "clock",
        "database clock",
        "secret key",
        "replica",
        "replica level",
        "local refusals",
        "public URL",
        "TLS",
        "internal listener",
        "trusted proxies",
        "insecure",
        "root key",
    ]


def test_a_data_directory_that_is_absent_may_be_a_wrong_place(tmp_path):
    (finding,) = check_data(tmp_path / "absent", OURS)
    assert_mendable(finding, Level.WARNING, "check KEYSTEAD_DATA")


def test_a_data_directory_must_be_a_directory(tmp_path):
    file = tmp_path / "file"
    file.touch(mode=0o600)
    assert_mendable(check_directory(file, OURS), Level.PROBLEM, "Name a directory in KEYSTEAD_DATA")


def test_a_data_directory_that_cannot_be_reached_is_a_problem(tmp_path):
    (tmp_path / "file").touch()
    finding = check_directory(tmp_path / "file" / "data", OURS)
    assert_mendable(finding, Level.PROBLEM, "Run this as the user")
    assert "Not a directory" in finding.message


def test_a_data_directory_of_another_user_is_a_problem(data):
    assert_mendable(check_directory(data, OURS + 1), Level.PROBLEM, f"chown -R {OURS + 1} '{data}'")


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_data_directory_that_others_may_write_stops_the_start(data, mode):
    data.chmod(mode)
    finding = check_directory(data, OURS)
    assert_mendable(finding, Level.PROBLEM, f"chmod -R u=rwX,go= '{data}'")
    assert "does not start" in finding.message


@pytest.mark.parametrize("mode", [0o740, 0o710, 0o704, 0o755])
def test_a_data_directory_that_others_may_read_is_warned_of(data, mode):
    data.chmod(mode)
    assert_mendable(check_directory(data, OURS), Level.WARNING, "chmod -R u=rwX,go=")


@pytest.mark.parametrize("name", ["keystead.db", "inner"])
@pytest.mark.parametrize(
    ("bits", "level"),
    [(0o020, Level.PROBLEM), (0o002, Level.PROBLEM), (0o040, Level.WARNING), (0o004, Level.WARNING)],
    ids=["group writes", "others write", "group reads", "others read"],
)
def test_files_and_directories_inside_are_closed_to_others(data, name, bits, level):
    inner = data / name
    inner.chmod(inner.stat().st_mode | bits)
    finding = check_files(data, OURS)
    assert_mendable(finding, level, "chmod -R u=rwX,go=")
    assert name in finding.message


def test_the_command_that_closes_a_data_directory_does_mend_it(data):
    data.chmod(0o777)
    for name, mode in (("keystead.db", 0o666), ("inner", 0o777)):
        (data / name).chmod(mode)
    subprocess.run(check_directory(data, OURS).fix, shell=True, check=True)  # noqa: S602 - as people would
    assert {finding.level for finding in check_data(data, OURS)} == {Level.OK}
    assert (data / "keystead.db").stat().st_mode & 0o777 == 0o600


def test_files_of_another_user_are_a_problem_before_their_modes(data):
    (data / "keystead.db").chmod(0o666)
    finding = check_files(data, OURS + 1)
    assert_mendable(finding, Level.PROBLEM, "chown -R")
    assert ".gitignore, inner, keystead.db in" in finding.message


def test_only_the_first_files_are_named_and_the_rest_counted(data):
    for number in range(5):
        (data / f"f{number}").touch()
        (data / f"f{number}").chmod(0o644)
    assert check_files(data, OURS).message.startswith("f0, f1, f2 and 2 more in ")


def test_symbolic_links_are_passed_over(data, tmp_path):
    (tmp_path / "outside").touch()
    (tmp_path / "outside").chmod(0o666)
    (data / "link").symlink_to(tmp_path / "outside")
    (data / "broken").symlink_to(tmp_path / "absent")
    assert check_files(data, OURS).level is Level.OK


@pytest.mark.parametrize("content", [None, "", "*.db\n"])
def test_a_data_directory_without_a_gitignore_of_all_is_warned_of(data, content):
    file = data / ".gitignore"
    file.unlink() if content is None else file.write_text(content)
    finding = check_gitignore(data)
    assert_mendable(finding, Level.WARNING, "echo '*' > ")
    subprocess.run(finding.fix, shell=True, check=True)  # noqa: S602 - as people would
    assert check_gitignore(data).level is Level.OK


@pytest.mark.parametrize(
    ("free", "level"),
    [
        (0, Level.PROBLEM),
        (FULL_DISK_BYTES - 1, Level.PROBLEM),
        (FULL_DISK_BYTES, Level.WARNING),
        (LOW_DISK_BYTES - 1, Level.WARNING),
    ],
)
def test_a_disk_that_fills_up_is_said_before_it_is_full(tmp_path, free, level):
    finding = check_disk(tmp_path, lambda _: free)
    assert_mendable(finding, level, "Free some space")
    assert f"{free // MIB:,} MiB" in finding.message


def test_a_gibibyte_of_free_disk_is_enough(tmp_path):
    assert check_disk(tmp_path, lambda _: LOW_DISK_BYTES).level is Level.OK


def test_the_disk_is_the_one_where_the_data_directory_will_be(tmp_path):
    asked = []
    check_disk(tmp_path / "a" / "b", lambda path: asked.append(path) or 0)
    assert asked == [tmp_path]


def test_a_volume_that_cannot_be_asked_is_a_problem(tmp_path):
    def fail(_):
        raise OSError(5, "Input/output error")

    finding = check_disk(tmp_path, fail)
    assert_mendable(finding, Level.PROBLEM, "mend")
    assert "Input/output error" in finding.message


def test_free_bytes_are_asked_of_the_real_volume_by_default(tmp_path):
    asked = Probes(
        clock=lambda: NOW,
        schema=giving(("current", "")),
        newest_audit_at=giving(None),
        database_now=giving(None),
        secret_key=giving("same"),
        replica=giving(replica()),
    )
    assert asked.free_bytes(tmp_path) > 0
    assert asked.user_id() == OURS


@pytest.mark.parametrize(
    ("state", "level", "fix"),
    [
        ("empty", Level.WARNING, "Start the server"),
        ("older", Level.PROBLEM, "keystead migrate"),
        ("newer", Level.PROBLEM, "Install the version"),
    ],
)
async def test_a_schema_other_than_ours_is_said_and_its_tables_are_not_asked(data, state, level, fix):
    broken = raising(AssertionError("no table to read"))
    asked = probes(
        schema=giving((state, "revision 0009")),
        newest_audit_at=broken,
        database_now=broken,
        secret_key=broken,
    )
    finding = await found("schema", Settings(data=data), asked)
    assert_mendable(finding, level, fix)
    assert "revision 0009" in finding.message


async def test_a_state_that_no_probe_promised_is_a_fault_of_ours(data):
    for changed in ({"schema": giving(("odd", ""))}, {"secret_key": giving("odd")}):
        with pytest.raises(AssertionError, match="odd"):
            await examine(Settings(data=data), probes(**changed))


async def test_a_database_that_does_not_answer_is_one_problem_and_the_rest_is_still_checked(data):
    findings = await examine(Settings(data=data), probes(schema=raising(Unavailable("database"))))
    problems = [finding for finding in findings if finding.level is not Level.OK]
    assert [finding.name for finding in problems] == ["schema"]
    assert_mendable(problems[0], Level.PROBLEM, "KEYSTEAD_DATABASE_URL")
    assert findings[-1].name == "root key"


async def test_a_database_that_goes_away_in_between_is_a_problem(data):
    asked = probes(newest_audit_at=raising(Unavailable("database")))
    assert_mendable(await found("clock", Settings(data=data), asked), Level.PROBLEM, "Start the database")


@pytest.mark.parametrize(
    ("ahead_ms", "level"),
    [(-1, Level.OK), (2_000, Level.OK), (2_001, Level.PROBLEM), (3_600_000, Level.PROBLEM)],
)
async def test_an_audit_entry_in_the_future_means_a_clock_that_went_back(data, ahead_ms, level):
    asked = probes(newest_audit_at=giving(NOW + timedelta(milliseconds=ahead_ms)))
    finding = await found("clock", Settings(data=data), asked)
    assert finding.level is level
    if level is Level.PROBLEM:
        assert_mendable(finding, level, "timedatectl")


async def test_without_any_audit_entry_the_clock_is_believed(data):
    assert (await found("clock", Settings(data=data), probes(newest_audit_at=giving(None)))).level is Level.OK


@pytest.mark.parametrize(
    ("apart_ms", "level"),
    [
        (-2_001, Level.PROBLEM),
        (-2_000, Level.OK),
        (0, Level.OK),
        (2_000, Level.OK),
        (2_001, Level.PROBLEM),
    ],
)
async def test_the_database_clock_may_be_two_seconds_apart(data, apart_ms, level):
    asked = probes(database_now=giving(NOW + timedelta(milliseconds=apart_ms)))
    finding = await found("database clock", Settings(data=data), asked)
    assert finding.level is level
    if level is Level.PROBLEM:
        assert_mendable(finding, level, "timedatectl")


async def test_a_slow_answer_is_not_taken_for_a_clock_that_differs():
    readings = iter([NOW, NOW + timedelta(seconds=10)])
    asked = probes(clock=lambda: next(readings), database_now=giving(NOW + timedelta(seconds=5)))
    finding = await check_database_clock(asked)
    assert finding.level is Level.OK
    assert "0.0 s apart" in finding.message


@pytest.mark.parametrize(
    ("state", "level", "fix"),
    [
        ("absent", Level.WARNING, "KEYSTEAD_SECRET_KEY_FILE"),
        ("different", Level.PROBLEM, "KEYSTEAD_SECRET_KEY_FILE"),
    ],
)
async def test_a_secret_key_must_be_there_and_the_same_everywhere(data, state, level, fix):
    assert_mendable(
        await found("secret key", Settings(data=data), probes(secret_key=giving(state))), level, fix
    )


async def test_a_secret_key_that_the_database_has_not_seen_yet_is_fine(data):
    finding = await found("secret key", Settings(data=data), probes(secret_key=giving("unrecorded")))
    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("host", "public_url", "insecure", "level", "fix"),
    [
        ("0.0.0.0", None, False, Level.PROBLEM, "KEYSTEAD_PUBLIC_URL"),
        ("0.0.0.0", "http://keys.example.com", False, Level.PROBLEM, "KEYSTEAD_PUBLIC_URL"),
        ("0.0.0.0", "http://keys.example.com", True, Level.WARNING, "https"),
        ("127.0.0.1", "http://keys.example.com", False, Level.WARNING, "https"),
    ],
    ids=["off loopback without one", "off loopback by http", "insecure", "behind a proxy without TLS"],
)
def test_a_public_url_must_be_https_where_others_reach_it(host, public_url, insecure, level, fix):
    settings = Settings(host=host, public_url=public_url, insecure=insecure)
    assert_mendable(check_public_url(settings), level, fix)


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (Settings(port=9000), "http://localhost:9000"),
        (Settings(host="0.0.0.0", public_url="https://k.example"), "https://k.example"),
    ],
)
def test_a_public_url_that_is_right_is_shown(settings, shown):
    finding = check_public_url(settings)
    assert finding.level is Level.OK
    assert shown in finding.message


@pytest.mark.parametrize(
    ("environ", "name", "level", "fix"),
    [
        ({"KEYSTEAD_TRUSTED_PROXIES": "0.0.0.0/0"}, "trusted proxies", Level.PROBLEM, "only the proxies"),
        ({"KEYSTEAD_TRUSTED_PROXIES": "::1,::/0"}, "trusted proxies", Level.PROBLEM, "only the proxies"),
        ({"KEYSTEAD_TRUSTED_PROXIES": "8.0.0.0/9"}, "trusted proxies", Level.WARNING, "only the proxies"),
        ({"KEYSTEAD_TRUSTED_PROXIES": "2001:d00::/24"}, "trusted proxies", Level.WARNING, "only the proxies"),
        ({"KEYSTEAD_INSECURE": "1"}, "insecure", Level.WARNING, "unset this"),
        ({"KEYSTEAD_ROOT_KEY": ROOT.reveal()}, "root key", Level.WARNING, "root-key create"),
    ],
    ids=["any IPv4", "any IPv6", "wide IPv4", "wide IPv6", "insecure", "root key"],
)
async def test_risky_settings_are_said(data, environ, name, level, fix):
    settings = load_settings(environ, data=data)
    finding = await found(name, settings, probes())
    assert_mendable(finding, level, fix)
    assert ROOT.reveal() not in repr(finding)


@pytest.fixture
def certificate(tmp_path):
    """Makes a self-signed certificate for localhost, as one file with its key."""

    def make(days, name="localhost"):
        file = tmp_path / f"{name}-{days}.pem"
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file]
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        command = ["openssl", "req", "-x509", *key, *names, "-days", str(days), "-out", f"{file}.crt"]
        subprocess.run(command, check=True, capture_output=True)
        file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
        return file

    return make


@asynccontextmanager
async def serving(certificate=None, *, silent=False):
    """A server on loopback: with TLS when there is a certificate, and else of another tongue, or silent."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    over = asyncio.Event()

    async def answer(_reader, writer):
        if silent:
            await over.wait()
        elif context is None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("days", "level"), [(5, Level.WARNING), (13, Level.WARNING), (15, Level.OK), (365, Level.OK)]
)
async def test_a_certificate_that_ends_within_two_weeks_is_warned_of(certificate, monkeypatch, days, level):
    file = certificate(days)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(file) as url:
        finding = await check_tls(url, datetime.now(UTC))
    assert finding.level is level
    if level is Level.WARNING:
        assert_mendable(finding, level, "Renew it")


@pytest.mark.enable_socket
async def test_two_weeks_are_counted_to_the_instant(certificate, monkeypatch):
    file = certificate(30)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(file) as url:
        text = (await check_tls(url, datetime.now(UTC))).message.rpartition("until ")[2]
        ends_at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC.").replace(tzinfo=UTC)
        two_weeks_before = ends_at - timedelta(days=14)
        assert (await check_tls(url, two_weeks_before)).level is Level.OK
        assert (await check_tls(url, two_weeks_before + timedelta(milliseconds=1))).level is Level.WARNING


@pytest.mark.enable_socket
async def test_a_certificate_that_nobody_vouches_for_is_a_problem(certificate):
    async with serving(certificate(90)) as url:
        finding = await check_tls(url, NOW)
    assert_mendable(finding, Level.PROBLEM, "SSL_CERT_FILE")
    assert "self-signed certificate" in finding.message.replace("self signed", "self-signed")


@pytest.mark.enable_socket
async def test_a_certificate_of_another_host_is_a_problem(certificate, monkeypatch):
    file = certificate(90, "keys.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with serving(file) as url:
        finding = await check_tls(url, NOW)
    assert_mendable(finding, Level.PROBLEM, "Renew it")
    assert "Hostname mismatch" in finding.message


@pytest.mark.enable_socket
async def test_a_port_that_does_not_speak_tls_is_a_problem():
    async with serving() as url:
        finding = await check_tls(url, NOW)
    assert_mendable(finding, Level.PROBLEM, "KEYSTEAD_PUBLIC_URL")


@pytest.mark.enable_socket
async def test_a_server_that_says_nothing_is_given_up_after_three_seconds(monkeypatch):
    assert TLS_TIMEOUT_S == 3
    monkeypatch.setattr("keystead.cli.checks.TLS_TIMEOUT_S", 0.1)
    async with serving(silent=True) as url:
        finding = await check_tls(url, NOW)
    assert_mendable(finding, Level.WARNING, "Check DNS and the proxy")
    assert "no answer within" in finding.message


@pytest.mark.enable_socket
async def test_an_address_where_nobody_listens_is_warned_of():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        finding = await check_tls(f"https://127.0.0.1:{taken.getsockname()[1]}/base", NOW)
    assert_mendable(finding, Level.WARNING, "Check DNS and the proxy")
    assert "refused" in finding.message.lower() or "Connect call failed" in finding.message


@pytest.mark.parametrize("public_url", [None, "http://keys.example.com"])
async def test_without_an_https_public_url_there_is_no_tls_to_look_at(public_url):
    finding = await check_tls(public_url, NOW)
    assert finding.level is Level.OK


async def in_replica(name, status):
    return next(it for it in await check_replica(giving(status)) if it.name == name)


async def test_a_replica_says_what_it_holds_and_who_keeps_it_level():
    assert (
        "3 versions in 61,440 bytes, up to epoch 7 of 7" in (await in_replica("replica", replica())).message
    )
    one = replica(held=held(versions=1))
    assert "holds one version" in (await in_replica("replica", one)).message
    assert "Process 42" in (await in_replica("replica level", replica())).message


async def test_a_replica_that_is_not_there_yet_comes_with_the_server():
    [finding] = await check_replica(giving(replica(generation=0, held=None, applied_epoch=0)))
    assert_mendable(finding, Level.WARNING, "Start the server")


async def test_a_damaged_replica_is_a_problem():
    [finding] = await check_replica(giving(replica(held=None)))
    assert_mendable(finding, Level.PROBLEM, "keystead replica rebuild")


async def test_a_replica_that_cannot_be_read_is_a_problem():
    [finding] = await check_replica(raising(Unavailable("replica")))
    assert_mendable(finding, Level.PROBLEM, "Run this as the user")


@pytest.mark.parametrize(
    ("changed", "level", "message", "fix"),
    [
        ({"applies": False}, Level.WARNING, "nobody keeps it so", "Start the server"),
        ({"state": ReplicaState.DEGRADED, "age_ms": 2000}, Level.WARNING, "for 2.0 s", "Start the database"),
        ({"state": ReplicaState.STALE, "age_ms": 300_000}, Level.PROBLEM, "STALE", "Start the database"),
        ({"state": ReplicaState.STALE, "age_ms": 2**50}, Level.PROBLEM, "machine was started", "database"),
    ],
    ids=["no applier", "degraded", "stale", "never level"],
)
async def test_a_replica_that_is_not_level_is_found(changed, level, message, fix):
    finding = await in_replica("replica level", replica(**changed))
    assert_mendable(finding, level, fix)
    assert message in finding.message


async def test_refusals_that_the_database_forgot_are_found():
    finding = await in_replica("local refusals", replica(held=held(refusals=2)))
    assert_mendable(finding, Level.WARNING, "brings them to the database")
