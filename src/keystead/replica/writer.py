"""Applying what has changed: one transaction for all of it, so that no reader sees half of a mutation."""

from collections.abc import Sequence
from contextlib import suppress

from keystead import __version__
from keystead.domain.ids import pack_ids
from keystead.domain.policy import Tenant
from keystead.ports.replica import News, Point, Refusal, RoleRow, VersionRow
from keystead.replica.files import Database, Opened, Transaction
from keystead.replica.format import (
    EPOCH,
    FACT_APPLIED,
    FACT_TENANTS,
    FACT_UNREADABLE,
    FACTS,
    HISTORY,
    PAUSED,
    RECORDS,
    ROLES,
    TENANTS,
    Damaged,
    decode_epoch,
    decode_point,
    decode_record,
    encode_epoch,
    encode_point,
    encode_record,
    encode_tenant,
    seal,
    unseal,
)
from keystead.replica.hand import paced
from keystead.replica.numbers import Numbers, ReadRules
from keystead.replica.refusals import Refusals

MAX_HISTORY = 100_000
"""How many of the newest points of history a replica knows."""


class Writer:
    """Writes one open file; all on one thread, by the one process that applies.

    Every method raises `lmdb.Error` when the disk is full or broken, and Damaged; nothing is written then.
    """

    def __init__(self, opened: Opened, read_rules: ReadRules) -> None:
        self._opened = opened
        self._numbers = Numbers(opened, read_rules)
        self.standing = 0
        """How many local refusals stand, as of the last look or commit."""

    def applied(self) -> Point:
        """The newest point applied. Raises Damaged for a file that was never finished."""
        with self._opened.environment.begin() as transaction:
            self.standing = Refusals(self._opened, transaction).standing
            return read_applied(self._opened, transaction)

    def is_outdated(self) -> bool:
        """Whether it holds rules that another version of this program did not know."""
        with self._opened.environment.begin() as transaction:
            value = transaction.get(FACT_UNREADABLE, db=self._opened.databases[FACTS])
        try:
            return value is not None and unseal(value) != __version__.encode()
        except Damaged:
            return True

    def awaiting(self) -> list[Refusal]:
        """The refusals that are to be brought to the primary again."""
        with self._opened.environment.begin() as transaction:
            return Refusals(self._opened, transaction).awaiting()

    def apply(self, news: News) -> Point:
        """Write all that has changed, durably, and what it brings the replica to; all of it or nothing."""
        try:
            with self._opened.environment.begin(write=True) as transaction:
                work = Applying(self._opened, transaction, self._numbers)
                work.apply(news)
                applied = encode_point(news.passed[-1])
                transaction.put(FACT_APPLIED, applied, db=self._opened.databases[FACTS])
        except BaseException:
            self._numbers.forget()
            raise
        self.standing = work.refusals.standing
        return news.passed[-1]

    def sync(self) -> None:
        """Make sure that all of it is on the disk."""
        self._opened.environment.sync(True)

    def remove_dead_readers(self) -> int:
        """Let go of the views of processes that ended without a word; says how many."""
        return self._opened.environment.reader_check()


class Applying:
    """What has changed, written by one transaction of a file's; that it is applied is its caller's to say."""

    def __init__(self, opened: Opened, transaction: Transaction, numbers: Numbers) -> None:
        self.refusals = Refusals(opened, transaction)
        self._transaction = transaction
        self._databases = opened.databases
        self._numbers = numbers

    def apply(self, news: News) -> None:
        """Write all of it. Raises Damaged and `lmdb.Error`, and then the transaction is to be undone."""
        epoch = news.passed[-1].epoch
        outdated = self._put_tenants(news.tenants, epoch)
        outdated |= self._put_roles(news.roles)
        if outdated:
            self._outdate_policies()
        self._put_versions(news.versions, epoch)
        self._remove(news.gone)
        add_history(self._transaction, self._databases[HISTORY], news.passed)

    def _put_versions(self, rows: Sequence[VersionRow], epoch: int) -> None:
        put, records = self._transaction.put, self._databases[RECORDS]
        for told in paced(rows):
            self._note_pause(told.key_id, epoch, paused=told.disabled)
            row = self.refusals.settle(told)
            number = self._numbers.of(row.rules, self._transaction)
            put(row.digest, encode_record(row, number, pack_ids(row.key_id, row.version_id)), db=records)

    def _remove(self, digests: Sequence[bytes]) -> None:
        records = self._databases[RECORDS]
        for digest in paced(digests):
            value = self._transaction.get(digest, db=records)
            if value is not None:
                row, _ = decode_record(digest, value)
                self.refusals.drop_all_of(row)
                self._transaction.delete(digest, db=records)
                self._transaction.delete(row.key_id.encode(), db=self._databases[PAUSED])

    def _put_tenants(self, tenants: Sequence[Tenant], epoch: int) -> bool:
        changed = False
        for told in paced(tenants):
            self._note_pause(told.id, epoch, paused=told.suspended)
            value = encode_tenant(self.refusals.settle_tenant(told))
            before = self._transaction.get(told.id.encode(), db=self._databases[TENANTS])
            if value != before:
                changed |= before is not None
                self._transaction.put(told.id.encode(), value, db=self._databases[TENANTS])
        return changed

    def _put_roles(self, rows: Sequence[RoleRow]) -> bool:
        changed = False
        for row in paced(rows):
            name, database = f"{row.organization_id}/{row.user_id}".encode(), self._databases[ROLES]
            # A first one counts too: keys of whoever left before may have been seen without it.
            if row.role is None:
                changed |= self._transaction.delete(name, db=database)
            elif self._transaction.get(name, db=database) != (value := seal(row.role.encode())):
                changed |= self._transaction.put(name, value, db=database)
        return changed

    def _note_pause(self, identifier: str, epoch: int, *, paused: bool) -> None:
        if paused:
            # Perhaps only its name changed; then it counts as newer than it is, which refuses more.
            self._transaction.put(identifier.encode(), encode_epoch(epoch), db=self._databases[PAUSED])
        else:
            self._transaction.delete(identifier.encode(), db=self._databases[PAUSED])

    def _outdate_policies(self) -> None:
        facts = self._databases[FACTS]
        value = self._transaction.get(FACT_TENANTS, db=facts)
        times = 0 if value is None else decode_epoch(value)
        self._transaction.put(FACT_TENANTS, encode_epoch(times + 1), db=facts)


def read_applied(opened: Opened, transaction: Transaction) -> Point:
    """The newest point applied to a file. Raises Damaged."""
    return decode_point(transaction.get(FACT_APPLIED, db=opened.databases[FACTS]))


def read_history(opened: Opened, transaction: Transaction) -> list[Point]:
    """The points of history in a file, oldest first; those that are damaged are left out."""
    points = []
    with transaction.cursor(opened.databases[HISTORY]) as cursor:
        for name, value in paced(cursor):
            with suppress(Damaged):
                points.append(_point(bytes(name), bytes(value)))
    return points


def add_history(transaction: Transaction, database: Database, points: Sequence[Point]) -> None:
    """Add points newer than all that are there, and forget the oldest beyond `MAX_HISTORY`."""
    for point in points[-MAX_HISTORY:]:
        transaction.put(EPOCH.pack(point.epoch), seal(point.mark), db=database)
    surplus = transaction.stat(database)["entries"] - MAX_HISTORY
    if surplus > 0:
        with transaction.cursor(database) as cursor:
            cursor.first()
            for _ in range(surplus):
                cursor.delete()


def _point(name: bytes, value: bytes) -> Point:
    if len(name) != EPOCH.size:
        raise Damaged
    return Point(EPOCH.unpack(name)[0], unseal(value))
