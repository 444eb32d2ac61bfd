"""What `keystead doctor` looks at in the replica, which this node verifies from."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from keystead.cli.findings import Finding, ok, problem, warning
from keystead.domain.errors import Unavailable

if TYPE_CHECKING:
    from keystead.wiring import ReplicaStatus

_REPLICA, _LEVEL, _REFUSALS = "replica", "replica level", "local refusals"
_START = "Start the server, which sees to it."
_REACH = "Start the database, and mend the way to it; the server's log says what stands in the way."


async def check_replica(probe: Callable[[], Awaitable["ReplicaStatus"]]) -> list[Finding]:
    """The file can be used, somebody keeps it level, and it refuses nothing that the database forgot."""
    try:
        status = await probe()
    except Unavailable:
        fix = "Run this as the user who runs Keystead, and see whether the volume is full or read-only."
        return [problem(_REPLICA, "The replica cannot be read.", fix)]
    return list(_judged(status))


def _judged(status: "ReplicaStatus") -> Iterator[Finding]:
    found, held = status.survey, status.survey.held
    if found.generation == 0:
        yield warning(_REPLICA, "There is no replica yet.", _START)
        return
    if held is None:
        fix = "Run `keystead replica rebuild`, or start the server, which does it."
        yield problem(_REPLICA, f"The file of generation {found.generation} is damaged or absent.", fix)
        return
    holds = f"{held.versions:,} versions" if held.versions != 1 else "one version"
    yield ok(_REPLICA, f"It holds {holds} in {held.file_bytes:,} bytes, up to epoch {_epoch(status)}.")
    yield _level(status)
    if held.refusals:
        message = f"{held.refusals:,} are not known to the database, which was put back to an earlier state."
        fix = "Leave the server running: it brings them to the database again. If they stay, see its log."
        yield warning(_REFUSALS, message, fix)
    else:
        yield ok(_REFUSALS, "There are none.")


def _level(status: "ReplicaStatus") -> Finding:
    found = status.survey
    message = f"Not level with the database for {found.age_ms / 1000:.1f} s"
    if not found.was_level:
        message = "Not level with the database since this machine was started"
    if not found.applies:
        return warning(_LEVEL, f"{message}, and nobody keeps it so.", _START)
    if status.state == "stale":
        return problem(_LEVEL, f"{message}: every key is refused with STALE.", _REACH)
    if status.state == "degraded":
        return warning(_LEVEL, f"{message}: keys are judged, and verdicts say degraded.", _REACH)
    return ok(_LEVEL, f"Process {found.applier} keeps it level with the database.")


def _epoch(status: "ReplicaStatus") -> str:
    applied, newest = status.survey.applied_epoch, status.primary_epoch
    return f"{applied}" if newest is None else f"{applied} of {newest}"
