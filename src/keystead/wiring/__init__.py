"""The only room that names concrete things: which store, which clock, which server."""

from keystead.wiring.database import Sounding, migrate, sounding
from keystead.wiring.instance import Instance, joined, local_client, opened, set_up
from keystead.wiring.parts import now, now_ms
from keystead.wiring.people import first_operator
from keystead.wiring.replica import (
    Comparison,
    ReplicaState,
    ReplicaStatus,
    rebuild_replica,
    replica_status,
    verify_replica,
)
from keystead.wiring.serving import begin, set_up_later, work

__all__ = [
    "Comparison",
    "Instance",
    "ReplicaState",
    "ReplicaStatus",
    "Sounding",
    "begin",
    "first_operator",
    "joined",
    "local_client",
    "migrate",
    "now",
    "now_ms",
    "opened",
    "rebuild_replica",
    "replica_status",
    "set_up",
    "set_up_later",
    "sounding",
    "verify_replica",
    "work",
]
