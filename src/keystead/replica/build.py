"""Making a whole replica from the primary, in a file beside the one that is read meanwhile."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import NamedTuple, cast

import lmdb

from keystead.domain.ids import pack_ids
from keystead.domain.policy import Tenant
from keystead.ports.replica import News, Point, RoleRow, Snapshot, VersionRow
from keystead.replica.files import Folder, Opened, create
from keystead.replica.format import (
    FACT_APPLIED,
    FACTS,
    HISTORY,
    PAUSED,
    RECORDS,
    ROLES,
    TENANTS,
    decode_record,
    decode_tenant,
    encode_epoch,
    encode_point,
    encode_record,
    encode_tenant,
    seal,
)
from keystead.replica.hand import Hand, paced
from keystead.replica.histories import Lost, find_standing
from keystead.replica.numbers import Numbers, ReadRules
from keystead.replica.refusals import Refusals
from keystead.replica.stamp import Stamp
from keystead.replica.writer import Applying, add_history

COMMIT_EVERY = 50_000
"""How many versions are written in one transaction: it keeps what it changes in memory."""


_AT_ONCE = 10_000


class Place(NamedTuple):
    """Where a replica is built, by which thread, and the generation that it becomes."""

    folder: Folder
    stamp: Stamp
    hand: Hand
    generation: int


@asynccontextmanager
async def building(place: Place, snapshot: Snapshot, read_rules: ReadRules) -> AsyncIterator["Builder"]:
    """The file of the new generation, to be filled from `snapshot` and what came after.

    The stamp tells how far it is. Whatever happens half-way, the new file is removed, and nothing else was
    touched.
    """
    folder, stamp, hand, generation = place
    folder.remove(generation)
    stamp.progress(0, max(snapshot.expected, 1))
    try:
        builder = await hand(Builder, folder, generation, snapshot.point, read_rules)
        try:
            yield builder
        finally:
            await hand(builder.close)
    except BaseException:
        folder.remove(generation)
        raise
    finally:
        stamp.progress(0, 0)


async def copy(place: Place, snapshot: Snapshot, builder: "Builder") -> None:
    """Write all of `snapshot`. Bounded in memory."""
    stamp, hand = place.stamp, place.hand
    expected = max(snapshot.expected, 1)
    async for tenants in snapshot.tenants():
        await hand(builder.put_tenants, tenants)
    async for roles in snapshot.roles():
        await hand(builder.put_roles, roles)
    async for rows in snapshot.versions():
        await hand(builder.put_versions, rows)
        stamp.progress(builder.written, max(expected, builder.written))


async def build(
    place: Place,
    snapshot: Snapshot,
    read_rules: ReadRules,
    keep: Callable[["Builder"], Awaitable[None]],
) -> None:
    """Write `snapshot` into the file of the new generation, whole and durable.

    `keep` is called when all is copied, to have the builder keep what must be kept of the file before.
    """
    async with building(place, snapshot, read_rules) as builder:
        await copy(place, snapshot, builder)
        await keep(builder)
        await place.hand(builder.finish)


class Builder:
    """A file being made; all of it on one thread. Raises `lmdb.Error` when the disk is full or broken."""

    def __init__(self, folder: Folder, generation: int, point: Point, read_rules: ReadRules) -> None:
        self.written = 0
        """How many versions were written."""
        self.point = point
        """The newest point that it holds."""
        self._opened: Opened = create(folder.file(generation), generation)
        self._numbers = Numbers(self._opened, read_rules)
        self._transaction = self._opened.environment.begin(write=True)
        self._uncommitted = 0

    def put_tenants(self, tenants: Sequence[Tenant]) -> None:
        """Add tenants, in any order."""
        for tenant in paced(tenants):
            self._put(TENANTS, tenant.id.encode(), encode_tenant(tenant))
            if tenant.suspended:
                self._put(PAUSED, tenant.id.encode(), encode_epoch(self.point.epoch))
        self._count(len(tenants))

    def put_roles(self, rows: Sequence[RoleRow]) -> None:
        """Add roles, in any order."""
        for row in paced(rows):
            if row.role is not None:
                self._put(ROLES, f"{row.organization_id}/{row.user_id}".encode(), seal(row.role.encode()))
        self._count(len(rows))

    def put_versions(self, rows: Sequence[VersionRow]) -> None:
        """Add versions, in the order of their digests."""
        put, number_of = self._transaction.put, self._numbers.of
        transaction, records = self._transaction, self._opened.databases[RECORDS]
        for row in paced(rows):
            number = number_of(row.rules, transaction)
            value = encode_record(row, number, pack_ids(row.key_id, row.version_id))
            if not put(row.digest, value, db=records, append=True):
                raise AssertionError("a digest came twice in a snapshot")
            if row.disabled:
                # When it was is not known; as late as this counts as newer than it is, which refuses more.
                self._put(PAUSED, row.key_id.encode(), encode_epoch(self.point.epoch))
        self.written += len(rows)
        self._count(len(rows))

    def keep(self, lost: Lost | None) -> None:
        """Refuse here what the primary forgot; a history in common is taken over."""
        if lost is not None:
            refusals = Refusals(self._opened, self._transaction)
            for refusal in lost.refusals(self._opened, self._transaction):
                refusals.add(refusal)
            add_history(self._transaction, self._opened.databases[HISTORY], lost.history)
        self._lay_over()

    def apply(self, news: News) -> None:
        """Write what has changed since `point`."""
        try:
            Applying(self._opened, self._transaction, self._numbers).apply(news)
        except BaseException:
            self._numbers.forget()
            raise
        self.point = news.passed[-1]
        self._count(len(news.versions))

    def make_durable(self) -> None:
        """Make sure that what was written is on the disk, so that little is left for `finish`."""
        self._commit()
        self._opened.environment.sync(True)

    def refuses_no_more_than(self, before: Opened) -> bool:
        """Whether every local refusal that stands here stands in the file before, read only if any does."""
        here = {(it.kind, it.id) for it in Refusals(self._opened, self._transaction).all()}
        if not here:
            return True
        with before.environment.begin() as transaction:
            return here <= {(it.kind, it.id) for it in find_standing(before, transaction)}

    def finish(self) -> None:
        """Make it durable and say, last of all, that it is whole."""
        if self.point.epoch:
            add_history(self._transaction, self._opened.databases[HISTORY], [self.point])
        self._commit()
        self._opened.environment.sync(True)
        self._put(FACTS, FACT_APPLIED, encode_point(self.point))
        self._commit()
        self._opened.environment.sync(True)

    def close(self) -> None:
        """Let go of the file; what was not committed is undone."""
        with suppress(lmdb.Error):
            self._transaction.abort()
        self._opened.environment.close()

    def _lay_over(self) -> None:
        refusals = Refusals(self._opened, self._transaction)
        if not refusals.standing:
            return
        for refusal in refusals.suspensions():
            name = refusal.id.encode()
            value = self._transaction.get(name, db=self._opened.databases[TENANTS])
            if value is not None:
                tenant = refusals.settle_tenant(decode_tenant(value))
                self._put(TENANTS, name, encode_tenant(tenant))
        for digest, value in paced(self._records()):
            told, number = decode_record(digest, value)
            row = refusals.settle(told)
            if row != told:
                self._put(RECORDS, digest, encode_record(row, number, pack_ids(row.key_id, row.version_id)))

    def _records(self) -> Iterator[tuple[bytes, bytes]]:
        """All records, of which those already given may be changed meanwhile."""
        after, database = b"", self._opened.databases[RECORDS]
        while True:
            with self._transaction.cursor(database) as cursor:
                found = cursor.set_range(after)
                some = list(islice(cast("Iterator[tuple[bytes, bytes]]", cursor), _AT_ONCE)) if found else []
            yield from some
            if len(some) < _AT_ONCE:
                return
            after = some[-1][0] + b"\0"

    def _put(self, database: bytes, name: bytes, value: bytes) -> None:
        self._transaction.put(name, value, db=self._opened.databases[database])

    def _count(self, rows: int) -> None:
        self._uncommitted += rows
        if self._uncommitted >= COMMIT_EVERY:
            self._commit()

    def _commit(self) -> None:
        self._transaction.commit()
        self._uncommitted = 0
        self._transaction = self._opened.environment.begin(write=True)
