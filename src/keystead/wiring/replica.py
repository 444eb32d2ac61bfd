"""A node's replica from outside: how it is, having it built anew, comparing it with the primary."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from keystead import logs
from keystead.domain.errors import Unavailable
from keystead.domain.instants import MILLISECOND
from keystead.replica.check import Comparison, compare
from keystead.replica.survey import Survey, survey
from keystead.settings import Settings
from keystead.storage.data import replica_path
from keystead.wiring.database import sounding
from keystead.wiring.instance import joined, set_up
from keystead.wiring.parts import replica_files

__all__ = [
    "Comparison",
    "ReplicaState",
    "ReplicaStatus",
    "rebuild_replica",
    "replica_status",
    "verify_replica",
]

COMPARE_WITHIN = timedelta(seconds=30)
"""How long the replica may take to come level with what it is compared with."""

_LOOK_EVERY_S = 0.1


class ReplicaState(StrEnum):
    """What verdicts say, by how long ago the node proved itself level with the primary."""

    FRESH = "fresh"
    DEGRADED = "degraded"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """The replica beside its primary, whose newest epoch is None when the primary does not tell."""

    survey: Survey
    state: ReplicaState
    primary_epoch: int | None

    @property
    def lag(self) -> int | None:
        """How many epochs the replica is behind."""
        if self.primary_epoch is None:
            return None
        return max(0, self.primary_epoch - self.survey.applied_epoch)


async def replica_status(settings: Settings) -> ReplicaStatus:
    """How the replica of the data directory is; changes nothing. Raises Unavailable if it cannot be read."""
    # Asked first: meanwhile the replica may only come nearer to it.
    primary_epoch = await _newest_epoch(settings)
    found = survey(replica_path(settings.data))
    return ReplicaStatus(survey=found, state=_state(settings, found.age_ms), primary_epoch=primary_epoch)


async def rebuild_replica(settings: Settings, tell: Callable[[int, int], None]) -> None:
    """Have the replica built anew from the primary; returns once the new one is read.

    Whichever process of the node applies does it, without a server this one; the old one is read meanwhile.
    `tell` is given how many versions of about how many are written. Raises what `set_up` does, and
    Unavailable when the primary is away.
    """
    await _require_primary(settings)
    with replica_files(settings) as (_, stamp):
        before = stamp.generation
        stamp.distrust(before)
    async with joined(settings) as instance:
        while instance.stamp.generation == before:
            if (progress := instance.stamp.rebuilding) is not None:
                tell(*progress)
            await asyncio.sleep(_LOOK_EVERY_S)


async def verify_replica(settings: Settings) -> Comparison:
    """Compare all of the replica with the primary. Raises what `set_up` and `compare` do."""
    await _require_primary(settings)
    async with joined(settings) as instance:
        return await compare(instance.files, instance.stamp, instance.source, within=COMPARE_WITHIN)


async def _require_primary(settings: Settings) -> None:
    logs.configure_logging(json=False, stream=sys.stderr, quiet=True)
    if not await set_up(settings):
        raise Unavailable("database")


async def _newest_epoch(settings: Settings) -> int | None:
    try:
        async with sounding(settings) as database:
            state, _ = await database.schema()
            return await database.newest_epoch() if state == "current" else None
    except Unavailable:
        return None


def _state(settings: Settings, age_ms: int) -> ReplicaState:
    if age_ms < settings.fresh_for // MILLISECOND:
        return ReplicaState.FRESH
    return ReplicaState.DEGRADED if age_ms < settings.stale_limit // MILLISECOND else ReplicaState.STALE
