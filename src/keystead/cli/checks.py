"""What `keystead doctor` looks at. A check finds, and says how to mend; it prints and changes nothing."""

import os
import shlex
import shutil
import ssl
import stat
from asyncio import open_connection, timeout
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keystead.cli.findings import Finding, Level, ok, problem, warning
from keystead.cli.replica_checks import check_replica
from keystead.domain.errors import KeysteadError, Misconfigured
from keystead.settings import Settings
from keystead.settings.risks import Risk, require_startable, risky

if TYPE_CHECKING:
    from keystead.wiring import ReplicaStatus

LOW_DISK_BYTES = 1024**3
FULL_DISK_BYTES = 100 * 1024**2
CLOCK_TOLERANCE = timedelta(seconds=2)
CERTIFICATE_NOTICE = timedelta(days=14)
TLS_TIMEOUT_S = 3

_OTHERS_WRITE = 0o022
_OTHERS_REACH = 0o077
_NAMED_FILES = 3
_HTTPS_PORT = 443


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What checks ask the world, handed in by wiring. An asynchronous one may raise a KeysteadError.

    `schema` gives a state (`empty`, `current`, `older` or `newer` than this program) and its detail;
    `secret_key` gives `absent`, `unrecorded` (the primary holds no check value yet), `same` or `different`;
    `database_now` the database server's clock, None when it has none of its own.
    """

    clock: Callable[[], datetime]
    schema: Callable[[], Awaitable[tuple[str, str]]]
    newest_audit_at: Callable[[], Awaitable[datetime | None]]
    database_now: Callable[[], Awaitable[datetime | None]]
    secret_key: Callable[[], Awaitable[str]]
    replica: Callable[[], Awaitable["ReplicaStatus"]]
    free_bytes: Callable[[Path], int] = _free_bytes
    user_id: Callable[[], int] = os.geteuid


async def examine(settings: Settings, probes: Probes) -> list[Finding]:
    """Every finding, in the order to read them in; good ones too.

    What needs tables is asked only of a current schema: for any other, the schema's finding stands alone.
    """
    schema = await _answered("schema", check_schema(probes))
    stored = [
        await _answered(name, check(probes))
        for name, check in _STORED_CHECKS.items()
        if schema.level is Level.OK
    ]
    return [
        *check_data(settings.data, probes.user_id()),
        check_disk(settings.data, probes.free_bytes),
        schema,
        *stored,
        *await check_replica(probes.replica),
        check_public_url(settings),
        await check_tls(settings.public_url, probes.clock()),
        check_internal_listen(settings),
        check_trusted_proxies(settings),
        check_insecure(settings),
        check_root_key(settings),
    ]


def check_data(path: Path, user_id: int) -> list[Finding]:
    """The data directory, and what is in it as far as it can be read."""
    found = [check_directory(path, user_id)]
    if os.access(path, os.R_OK | os.X_OK):
        found += [check_files(path, user_id), check_gitignore(path)]
    return found


def check_directory(path: Path, user_id: int) -> Finding:
    """There, ours, and closed to others: one that others may write stops the start."""
    name = "data directory"
    try:
        state = path.stat()
    except FileNotFoundError:
        return warning(
            name,
            f"{path} does not exist; the first start makes it.",
            "If you expected data there, check KEYSTEAD_DATA and the directory you are in.",
        )
    except OSError as exc:
        return problem(
            name, f"{path} cannot be read: {exc.strerror}.", "Run this as the user who runs Keystead."
        )
    return _judge_directory(path, state, user_id)


def _judge_directory(path: Path, state: os.stat_result, user_id: int) -> Finding:
    name, quoted = "data directory", shlex.quote(str(path))
    if not stat.S_ISDIR(state.st_mode):
        return problem(name, f"{path} is no directory.", "Name a directory in KEYSTEAD_DATA.")
    if state.st_uid != user_id:
        return problem(
            name,
            f"{path} belongs to user {state.st_uid}, and this is user {user_id}.",
            f"Run this as the user who runs Keystead, or: chown -R {user_id} {quoted}",
        )
    if state.st_mode & _OTHERS_WRITE:
        message = f"{path} may be written by others: the server does not start."
        return problem(name, message, _closing(path))
    if state.st_mode & _OTHERS_REACH:
        return warning(name, f"{path} may be read by others.", _closing(path))
    return ok(name, f"{path} is ours alone.")


def check_files(path: Path, user_id: int) -> Finding:
    """Everything below the data directory is ours and closed to others."""
    name = "data files"
    states = list(_states(path))
    foreign = [inner for inner, state in states if state.st_uid != user_id]
    writable = [inner for inner, state in states if state.st_mode & _OTHERS_WRITE]
    readable = [inner for inner, state in states if state.st_mode & _OTHERS_REACH]
    if foreign:
        command = f"chown -R {user_id} {shlex.quote(str(path))}"
        fix = f"Run every command as the user who runs Keystead, and now: {command}"
        return problem(name, f"{_named(foreign, path)} in {path}: owned by another user.", fix)
    if writable:
        return problem(name, f"{_named(writable, path)} in {path}: others may write.", _closing(path))
    if readable:
        return warning(name, f"{_named(readable, path)} in {path}: others may read.", _closing(path))
    return ok(name, f"{len(states)} files and directories, all ours alone.")


def check_gitignore(path: Path) -> Finding:
    """The data directory keeps itself out of a repository that it may lie in."""
    name, file = ".gitignore", path / ".gitignore"
    try:
        ignores = "*" in file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        ignores = False
    if ignores:
        return ok(name, f"{path} keeps itself out of git.")
    fix = f"echo '*' > {shlex.quote(str(file))}"
    return warning(name, f"{path} could be committed to a repository, secrets included.", fix)


def check_disk(path: Path, free_bytes: Callable[[Path], int]) -> Finding:
    """Room on the data directory's volume."""
    name, fix = "disk", "Free some space, or move KEYSTEAD_DATA to a larger volume."
    try:
        free = free_bytes(_nearest(path))
    except OSError as exc:
        return problem(
            name, f"the volume of {path} cannot be asked: {exc.strerror}.", "Mount it, or mend it."
        )
    message = f"{free // 1024**2:,} MiB are free for {path}."
    if free < FULL_DISK_BYTES:
        return problem(name, message, fix)
    return warning(name, message, fix) if free < LOW_DISK_BYTES else ok(name, message)


async def check_schema(probes: Probes) -> Finding:
    """The database's schema is the one that this program knows."""
    name = "schema"
    state, detail = await probes.schema()
    match state:
        case "current":
            return ok(name, f"The schema is current ({detail}).")
        case "empty":
            fix = "Start the server; if there should be data, check KEYSTEAD_DATA and KEYSTEAD_DATABASE_URL."
            return warning(name, f"The database is empty ({detail}).", fix)
        case "older":
            fix = "Make a backup, then run `keystead migrate`."
            return problem(name, f"The schema is older than this program ({detail}).", fix)
        case "newer":
            fix = "Install the version that migrated it, or a newer one."
            return problem(name, f"The schema is newer than this program ({detail}).", fix)
        case _:
            raise AssertionError(f"no state of a schema: {state}")


async def check_audit_clock(probes: Probes) -> Finding:
    """Nothing was audited in the future: a clock that went back lets what has expired live again."""
    name = "clock"
    newest, now = await probes.newest_audit_at(), probes.clock()
    if newest is None or newest <= now + CLOCK_TOLERANCE:
        return ok(name, "No audit entry lies in the future.")
    return problem(
        name,
        f"The newest audit entry, of {_shown(newest)}, lies in the future; here it is {_shown(now)}.",
        "Set this machine's clock (timedatectl set-ntp true), and that of any other node.",
    )


async def check_database_clock(probes: Probes) -> Finding:
    """The database server's clock agrees with ours; the time that asking takes counts for neither."""
    name, before = "database clock", probes.clock()
    theirs = await probes.database_now()
    if theirs is None:
        return ok(name, "The database has no clock of its own.")
    apart = max(before - theirs, theirs - probes.clock(), timedelta())
    message = f"The database's clock and ours are {apart.total_seconds():.1f} s apart."
    if apart <= CLOCK_TOLERANCE:
        return ok(name, message)
    return problem(name, message, "Set both machines' clocks (timedatectl set-ntp true).")


async def check_secret_key(probes: Probes) -> Finding:
    """There is a secret key, and it is the one that the primary knows."""
    name, state = "secret key", await probes.secret_key()
    match state:
        case "same":
            return ok(name, "The secret key is the one this database was first used with.")
        case "unrecorded":
            return ok(name, "There is a secret key; the first start records a check value of it.")
        case "absent":
            fix = "Start the server, which makes one in KEYSTEAD_DATA, or set KEYSTEAD_SECRET_KEY_FILE."
            return warning(name, "There is no secret key.", fix)
        case "different":
            return problem(
                name,
                "The secret key is not the one this database was first used with: the server does not start.",
                "Set KEYSTEAD_SECRET_KEY_FILE to what the first node has there, or in its KEYSTEAD_DATA.",
            )
        case _:
            raise AssertionError(f"no state of a secret key: {state}")


def check_public_url(settings: Settings) -> Finding:
    """People reach us by https, or nobody but this machine does."""
    name, risk = "public URL", _risk(settings, "KEYSTEAD_PUBLIC_URL")
    try:
        require_startable(settings)
    except Misconfigured as exc:
        return problem(name, "The server does not start.", str(exc) + ".")
    if risk is not None:
        return _warned(name, risk)
    shown = settings.public_url or f"http://localhost:{settings.port}"
    return ok(name, f"Links and cookies are for {shown}.")


async def check_tls(public_url: str | None, now: datetime) -> Finding:
    """Who answers at an https public URL shows a certificate that is good, and stays so for two weeks."""
    name, parts = "TLS", urlsplit(public_url or "")
    if parts.scheme != "https" or parts.hostname is None:
        return ok(name, "Not looked at: there is no https public URL.")
    where = f"{parts.hostname}:{parts.port or _HTTPS_PORT}"
    try:
        expires_at = await _certificate_end(parts.hostname, parts.port or _HTTPS_PORT)
    except ssl.SSLCertVerificationError as exc:
        fix = "Renew it, or let the proxy send the whole chain; for a CA of your own set SSL_CERT_FILE."
        return problem(name, f"{where} shows a bad certificate: {exc.verify_message}.", fix)
    except ssl.SSLError as exc:
        fix = "Let the proxy serve TLS there, or mend KEYSTEAD_PUBLIC_URL."
        return problem(name, f"{where} does not speak TLS ({exc.reason}).", fix)
    except OSError as exc:
        slow = isinstance(exc, TimeoutError)
        reason = f"no answer within {TLS_TIMEOUT_S} s" if slow else exc.strerror or str(exc)
        fix = "Check DNS and the proxy. If only this machine cannot reach it, nothing needs mending."
        return warning(name, f"{where} cannot be reached from here: {reason}.", fix)
    message = f"The certificate of {where} is good until {_shown(expires_at)}."
    if expires_at - now < CERTIFICATE_NOTICE:
        return warning(name, message, "Renew it, and see why that did not happen by itself.")
    return ok(name, message)


def check_trusted_proxies(settings: Settings) -> Finding:
    """Those whose word on addresses is believed are few."""
    name, risk = "trusted proxies", _risk(settings, "KEYSTEAD_TRUSTED_PROXIES")
    if risk is None:
        return ok(name, f"Believed: {', '.join(settings.trusted_proxies)}.")
    anyone = any(ip_network(network).prefixlen == 0 for network in settings.trusted_proxies)
    return _warned(name, risk, Level.PROBLEM if anyone else Level.WARNING)


def check_internal_listen(settings: Settings) -> Finding:
    """What proxies and services ask is not where everybody comes."""
    name, risk = "internal listener", _risk(settings, "KEYSTEAD_INTERNAL_LISTEN")
    if risk is not None:
        return _warned(name, risk)
    if settings.internal_listen is None:
        return ok(name, "There is none, and no public URL that would ask for one.")
    return ok(name, f"/auth, verify and /metrics are on {settings.internal_listen} alone.")


def check_insecure(settings: Settings) -> Finding:
    """Nobody forgot to switch off what was meant for trying out."""
    risk = _risk(settings, "KEYSTEAD_INSECURE")
    return _warned("insecure", risk) if risk else ok("insecure", "KEYSTEAD_INSECURE is off.")


def check_root_key(settings: Settings) -> Finding:
    """No root key lies about in the environment."""
    risk = _risk(settings, "KEYSTEAD_ROOT_KEY")
    return _warned("root key", risk) if risk else ok("root key", "No root key is pinned.")


_STORED_CHECKS: dict[str, Callable[[Probes], Awaitable[Finding]]] = {
    "clock": check_audit_clock,
    "database clock": check_database_clock,
    "secret key": check_secret_key,
}


async def _answered(name: str, finding: Awaitable[Finding]) -> Finding:
    try:
        return await finding
    except KeysteadError as exc:
        fix = "Start the database, and check KEYSTEAD_DATABASE_URL or KEYSTEAD_DATA."
        return problem(name, f"This could not be asked: {exc}", fix)


async def _certificate_end(host: str, port: int) -> datetime:
    """First instant at which the certificate that `host` shows is no longer good; verified on the way."""
    async with timeout(TLS_TIMEOUT_S):
        _, writer = await open_connection(host, port, ssl=ssl.create_default_context(), server_hostname=host)
    try:
        certificate = writer.get_extra_info("peercert")
    finally:
        # A farewell could take as long as the other side likes.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _states(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """What is below `path`; symbolic links are passed over, and what goes while we look."""
    for folder, folders, files in os.walk(path):
        for inner in (Path(folder, entry) for entry in [*folders, *files]):
            with suppress(FileNotFoundError):
                if not inner.is_symlink():
                    yield inner, inner.lstat()


def _nearest(path: Path) -> Path:
    absolute = path.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.exists())


def _named(files: Iterable[Path], path: Path) -> str:
    names = sorted(str(file.relative_to(path)) for file in files)
    more = len(names) - _NAMED_FILES
    return ", ".join(names[:_NAMED_FILES]) + (f" and {more} more" if more > 0 else "")


def _closing(path: Path) -> str:
    return f"chmod -R u=rwX,go= {shlex.quote(str(path))}"


def _shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def _risk(settings: Settings, name: str) -> Risk | None:
    return next((risk for risk in risky(settings) if risk.setting == name), None)


def _warned(name: str, risk: Risk, level: Level = Level.WARNING) -> Finding:
    return Finding(name=name, level=level, message=f"{risk.setting} {risk.problem}.", fix=f"{risk.fix}.")
