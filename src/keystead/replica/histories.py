"""When the primary was put back to an earlier state: what this node must go on refusing all the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import lmdb
import structlog

from keystead.domain.errors import Unavailable
from keystead.domain.instants import NEVER
from keystead.ports.replica import BEGINNING, Point, Refusal, RefusalKind, Source, VersionRow
from keystead.replica.files import Database, Opened, Transaction
from keystead.replica.format import (
    HEAD,
    HISTORY,
    PAUSED,
    RECORDS,
    REFUSALS,
    TENANTS,
    Damaged,
    decode_epoch,
    decode_record,
    decode_refusal,
    decode_tenant,
)
from keystead.replica.hand import Hand, paced
from keystead.replica.writer import read_history

MAX_UNKNOWN = 100_000
"""How many refusals are kept of keys that the primary does not know, and so refuses itself."""

_LOG = structlog.get_logger()
_FLAGS_AT = 2


class Lost:
    """What a file holds that a newer one, made from the primary, might not.

    `common` is the newest point that both histories have; the file's newest, unless they diverged. `vague`
    if damage hides where they parted: a pause is then not kept, since it may have been lifted long ago.
    """

    def __init__(
        self, before: Opened, applied: Point, history: list[Point], common: Point, *, vague: bool = False
    ) -> None:
        self.common = common
        self.diverged = common != applied
        self.history = [point for point in history if point.epoch <= common.epoch]
        """The points in common, oldest first."""
        self._before = before
        self._vague = vague

    def refusals(self, after: Opened, transaction: Transaction) -> Iterator[Refusal]:
        """What must go on being refused, all that the newer file refuses left out.

        The newer file is read by its `transaction`. What is damaged in the file before is passed over.
        """
        with self._before.environment.begin() as before:
            yield from find_standing(self._before, before)
            if self.diverged:
                came_after = _never if self._vague else _CameAfter(self._before, before, self.common.epoch)
                yield from self._of_versions(before, after, transaction, came_after)
                yield from self._of_tenants(before, after, transaction, came_after)

    def _of_versions(
        self, before: Transaction, after: Opened, transaction: Transaction, came_after: Callable[[str], bool]
    ) -> Iterator[Refusal]:
        records, unknown = after.databases[RECORDS], 0
        for digest, value in _pairs(before, self._before.databases[RECORDS]):
            if len(value) < HEAD.size or not HEAD.unpack_from(value)[_FLAGS_AT]:
                continue
            try:
                had, _ = decode_record(digest, value)
            except Damaged:
                continue
            found = transaction.get(digest, db=records)
            if found is not None:
                yield from forgotten(had, decode_record(digest, found)[0], came_after)
            elif unknown < MAX_UNKNOWN:
                # A later state of the old history, put in this one's place, would know it again.
                for refusal in forgotten(had, _UNKNOWN, came_after):
                    unknown += 1
                    yield refusal

    def _of_tenants(
        self, before: Transaction, after: Opened, transaction: Transaction, came_after: Callable[[str], bool]
    ) -> Iterator[Refusal]:
        tenants = after.databases[TENANTS]
        for name, value in _pairs(before, self._before.databases[TENANTS]):
            try:
                had = decode_tenant(value)
            except Damaged:
                continue
            found = transaction.get(name, db=tenants) if had.suspended else None
            if found is not None and not decode_tenant(found).suspended and came_after(had.id):
                yield Refusal(kind=RefusalKind.SUSPENDED, id=had.id)


async def find_lost(source: Source, before: Opened, applied: Point, point: Point, hand: Hand) -> Lost:
    """Compare the history of a file with the primary's, of which a snapshot was taken at `point`.

    `applied` is the file's newest point. Raises Unavailable when the primary is no longer the one of the
    snapshot, and Damaged when nothing of the file can be read.
    """
    history, whole = await hand(read_points, before)
    common = await newest_common(source, applied, history)
    same = point == BEGINNING or await source.newest_common([point]) == point
    if not same or common.epoch > point.epoch:
        raise Unavailable("database")
    return Lost(before, applied, history, common, vague=common == BEGINNING and not whole)


async def newest_common(source: Source, applied: Point, history: list[Point]) -> Point:
    """The newest point of what was applied that is in the primary's history. Raises Unavailable."""
    if applied == BEGINNING:
        return BEGINNING
    return await source.newest_common(history if applied in history[-1:] else [*history, applied])


def forgotten(had: VersionRow, has: VersionRow, came_after: Callable[[str], bool]) -> Iterator[Refusal]:
    """What a version `had` refused and `has` no longer. Only a pause may have been lifted for good reason."""
    if had.revoked and not has.revoked:
        yield _refusal(RefusalKind.REVOKED, had.key_id, had)
    if had.disabled and not (has.disabled or has.revoked) and came_after(had.key_id):
        yield _refusal(RefusalKind.DISABLED, had.key_id, had)
    if had.retires_at_ms < has.retires_at_ms and not has.revoked:
        retired = _refusal(RefusalKind.RETIRED, had.version_id, had)
        yield replace(retired, retires_at_ms=had.retires_at_ms, ended=had.ended)


def _refusal(kind: RefusalKind, identifier: str, had: VersionRow) -> Refusal:
    return Refusal(kind=kind, id=identifier, key_id=had.key_id, digest=had.digest)


class _CameAfter:
    """Whether a pause came after the common epoch; one of which nothing is known did."""

    def __init__(self, before: Opened, transaction: Transaction, epoch: int) -> None:
        self._paused = before.databases[PAUSED]
        self._transaction = transaction
        self._epoch = epoch

    def __call__(self, identifier: str) -> bool:
        try:
            value = self._transaction.get(identifier.encode(), db=self._paused)
            return decode_epoch(value) > self._epoch
        except (Damaged, lmdb.Error):
            return True


_UNKNOWN = VersionRow(b"", "", "", False, False, NEVER, NEVER, b"", ())


def find_standing(before: Opened, transaction: Transaction) -> Iterator[Refusal]:
    """The refusals in a file that can be read."""
    for _, value in _pairs(transaction, before.databases[REFUSALS]):
        try:
            yield decode_refusal(value)
        except Damaged:
            continue


def _pairs(transaction: Transaction, database: Database) -> Iterator[tuple[bytes, bytes]]:
    try:
        with transaction.cursor(database) as cursor:
            yield from paced(cast("Iterator[tuple[bytes, bytes]]", cursor))
    except lmdb.Error:
        _LOG.warning("a damaged replica could not be read to its end for what must be kept of it")


def read_points(before: Opened) -> tuple[list[Point], bool]:
    """The points of history that can be read, oldest first, and whether these are all."""
    with before.environment.begin() as transaction:
        try:
            history = read_history(before, transaction)
            return history, len(history) == transaction.stat(before.databases[HISTORY])["entries"]
        except lmdb.Error:
            return [], False


def _never(_identifier: str) -> bool:
    return False
