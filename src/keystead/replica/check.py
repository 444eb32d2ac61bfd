"""Comparing a replica with the primary, all of it: what `keystead replica verify` tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from keystead.domain.errors import Unavailable
from keystead.domain.ids import pack_ids
from keystead.domain.policy import Tenant
from keystead.ports.replica import Point, RoleRow, Source, VersionRow
from keystead.replica.files import Files, Opened, Transaction, reading
from keystead.replica.format import (
    ENDED,
    HEAD,
    NUMBER,
    POLICIES,
    RECORDS,
    ROLES,
    TENANTS,
    UNREADABLE,
    Damaged,
    decode_record,
    decode_tenant,
    encode_record,
    encode_rules,
    seal,
)
from keystead.replica.index import ReplicaIndex
from keystead.replica.numbers import ReadRules
from keystead.replica.refusals import Refusals
from keystead.replica.stamp import Stamp
from keystead.replica.writer import read_applied

MAX_TOLD = 20
"""How many differences are told one by one."""

_VERSION, _TENANT, _ROLE = "version", "tenant", "role"
_MAX_ALIKE = 16_384


class Fault(StrEnum):
    """How a replica may differ from its primary."""

    MISSING = "missing"
    SURPLUS = "surplus"
    DIFFERING = "differing"


class Difference(NamedTuple):
    """One thing that differs: `kind` is version, tenant or role, and `id` names it."""

    fault: Fault
    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was compared at `point`, and how much of it differs; the first `MAX_TOLD` differences are told.

    `passed_over` changed while it was compared; `refusals` stand here, and are no differences.
    """

    point: Point
    versions: int
    tenants: int
    roles: int
    missing: int
    surplus: int
    differing: int
    passed_over: int
    refusals: int
    first: tuple[Difference, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.surplus or self.differing)


async def compare(files: Files, stamp: Stamp, source: Source, *, within: timedelta) -> Comparison:
    """Compare every record, policy, tenant and role with a snapshot of the primary.

    Keeps the names of tenants and roles in memory, of versions no more than a portion. What was committed
    meanwhile is passed over. Raises Unavailable when the replica does not come level with the snapshot
    `within`, when it is of another history, when too much changes to compare, and when this process changes
    to a new file meanwhile.
    """
    index = ReplicaIndex(files, stamp)
    async with source.snapshot() as snapshot:
        if not await index.await_applied(snapshot.point.epoch, within):
            raise Unavailable("replica")
        opened = files.open(stamp.generation)
        with reading(), opened.environment.begin() as transaction:
            at = read_applied(opened, transaction)
            changed = await _changed_between(source, snapshot.point, at)
            work = _Comparing(opened, transaction, source.read_rules, changed)
            async for tenants in snapshot.tenants():
                work.compare_tenants(tenants)
            async for roles in snapshot.roles():
                work.compare_roles(roles)
            async for rows in snapshot.versions():
                work.compare_versions(rows)
            return work.finish(snapshot.point)


async def _changed_between(source: Source, older: Point, newer: Point) -> frozenset[bytes]:
    """The names, as the replica has them, of all that changed from one point to the other, or later."""
    if newer == older:
        return frozenset()
    if newer.epoch < older.epoch or await source.newest_common([newer]) != newer:
        raise Unavailable("replica")
    news = await source.news(older)
    if news is None:
        raise Unavailable("replica")
    return frozenset(
        (
            *(row.digest for row in news.versions),
            *news.gone,
            *(tenant.id.encode() for tenant in news.tenants),
            *map(_role_name, news.roles),
        )
    )


class _Comparing:
    def __init__(
        self, opened: Opened, transaction: Transaction, read_rules: ReadRules, changed: frozenset[bytes]
    ) -> None:
        self._get = transaction.get
        self._databases = opened.databases
        self._read_rules = read_rules
        self._changed = changed
        self._refusals = Refusals(opened, transaction)
        self._transaction = transaction
        self._records = transaction.cursor(opened.databases[RECORDS])
        self._more = self._records.first()
        self._seen: dict[str, set[bytes]] = {_TENANT: set(), _ROLE: set()}
        self._alike: set[tuple[int, tuple[object, ...]]] = set()
        self._versions = self._passed_over = 0
        self._counts = dict.fromkeys(Fault, 0)
        self._first: list[Difference] = []

    def compare_tenants(self, tenants: Sequence[Tenant]) -> None:
        for told in tenants:
            name = told.id.encode()
            self._seen[_TENANT].add(name)
            held = self._get(name, db=self._databases[TENANTS])
            same = held is not None and _is_tenant(held, self._refusals.over_tenant(told))
            self._judge(_TENANT, name, told.id, missing=held is None, same=same)

    def compare_roles(self, rows: Sequence[RoleRow]) -> None:
        for row in rows:
            if row.role is None:
                continue
            name = _role_name(row)
            self._seen[_ROLE].add(name)
            held = self._get(name, db=self._databases[ROLES])
            same = held == seal(row.role.encode())
            self._judge(_ROLE, name, name.decode(), missing=held is None, same=same)

    def compare_versions(self, rows: Sequence[VersionRow]) -> None:
        """Both are in the order of their digests: one walk along the replica."""
        for row in rows:
            self._versions += 1
            self._pass_surplus(row.digest)
            missing = not self._more or self._records.key() != row.digest
            same = not missing and self._is_version(self._records.value(), row)
            self._judge(_VERSION, row.digest, f"{row.key_id}/{row.version_id}", missing=missing, same=same)
            if not missing:
                self._more = self._records.next()

    def finish(self, point: Point) -> Comparison:
        self._pass_surplus(None)
        for kind, database in ((_TENANT, TENANTS), (_ROLE, ROLES)):
            for name in self._names(database):
                if name not in self._seen[kind]:
                    self._count(Fault.SURPLUS, kind, name, name.decode(errors="replace"))
        return Comparison(
            point=point,
            versions=self._versions,
            tenants=len(self._seen[_TENANT]),
            roles=len(self._seen[_ROLE]),
            missing=self._counts[Fault.MISSING],
            surplus=self._counts[Fault.SURPLUS],
            differing=self._counts[Fault.DIFFERING],
            passed_over=self._passed_over,
            refusals=self._refusals.standing,
            first=tuple(self._first),
        )

    def _pass_surplus(self, up_to: bytes | None) -> None:
        while self._more and (up_to is None or self._records.key() < up_to):
            digest = self._records.key()
            self._count(Fault.SURPLUS, _VERSION, digest, _version_name(digest, self._records.value()))
            self._more = self._records.next()

    def _is_version(self, held: bytes, told: VersionRow) -> bool:
        number, flags = UNREADABLE, 0
        if len(held) >= HEAD.size:
            _, _, flags, number = HEAD.unpack_from(held)
        row = self._refusals.over(told)
        # It may have retired since the replica's was read; one that has not by now did not then.
        row = row._replace(ended=row.ended and flags & ENDED != 0)
        return held == encode_record(row, number, pack_ids(row.key_id, row.version_id)) and self._is_policy(
            number, row.rules
        )

    def _is_policy(self, number: int, stored: tuple[object, ...]) -> bool:
        if (number, stored) in self._alike:
            return True
        rules = self._read_rules(stored)
        held = self._get(NUMBER.pack(number), db=self._databases[POLICIES])
        same = number == UNREADABLE if rules is None else held == encode_rules(rules)
        if same:
            if len(self._alike) >= _MAX_ALIKE:
                self._alike.clear()
            self._alike.add((number, stored))
        return same

    def _names(self, database: bytes) -> Iterator[bytes]:
        with self._transaction.cursor(self._databases[database]) as cursor:
            yield from cursor.iternext(keys=True, values=False)

    def _judge(self, kind: str, name: bytes, identifier: str, *, missing: bool, same: bool) -> None:
        if not same:
            self._count(Fault.MISSING if missing else Fault.DIFFERING, kind, name, identifier)

    def _count(self, fault: Fault, kind: str, name: bytes, identifier: str) -> None:
        if name in self._changed:
            self._passed_over += 1
            return
        self._counts[fault] += 1
        if len(self._first) < MAX_TOLD:
            self._first.append(Difference(fault, kind, identifier))


def _is_tenant(held: bytes, told: Tenant) -> bool:
    try:
        return decode_tenant(held) == told
    except Damaged:
        return False


def _version_name(digest: bytes, held: bytes) -> str:
    try:
        row, _ = decode_record(digest, held)
    except Damaged:
        return "damaged"
    return f"{row.key_id}/{row.version_id}"


def _role_name(row: RoleRow) -> bytes:
    return f"{row.organization_id}/{row.user_id}".encode()
