"""A primary in memory, with a history that can be put back, and a node's replica driven by hand."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path

from keystead.domain.errors import Unavailable
from keystead.domain.ids import IdKind, NodeId, make_id
from keystead.domain.instants import NEVER
from keystead.domain.keys import Environment, KeyType, Owner, OwnerKind
from keystead.domain.policy import Rules, Tenant
from keystead.domain.tenants import Role
from keystead.ports.replica import BEGINNING, News, Point, Refusal, RefusalKind, RoleRow, VersionRow
from keystead.ports.store import Node
from keystead.replica.applier import Applier
from keystead.replica.check import Comparison, compare
from keystead.replica.files import Files, Folder
from keystead.replica.index import ReplicaIndex
from keystead.replica.stamp import Stamp

FRESH_FOR = timedelta(seconds=2)
SOON = timedelta(seconds=5)
_MARKS = count(1)


def key_id(number: int) -> str:
    return make_id(IdKind.KEY, number.to_bytes(16))


def digest(number: int, version: int = 1) -> bytes:
    return sha256(f"{number}/{version}".encode()).digest()


def organization_id(number: int = 1) -> str:
    return make_id(IdKind.ORGANIZATION, number.to_bytes(16))


def app_id(number: int = 1) -> str:
    return make_id(IdKind.APP, number.to_bytes(16))


def user_id(number: int = 1) -> str:
    return make_id(IdKind.USER, number.to_bytes(16))


def read_rules(stored: tuple[object, ...]) -> Rules | None:
    kind, owner, scope = stored
    if kind == "of the future":
        return None
    return Rules(
        type=KeyType.SECRET,
        environment=Environment.LIVE,
        owner=Owner(kind=OwnerKind(kind), id=owner),
        organization_id=organization_id(),
        scopes=(scope,),
    )


class Primary:
    """Two tenants to begin with, one app and its organization; each change is an epoch."""

    def __init__(self) -> None:
        self.versions: dict[bytes, VersionRow] = {}
        self.tenants: dict[str, Tenant] = {}
        self.roles: dict[tuple[str, str], Role] = {}
        self.changes: list[tuple[Point, list[tuple[str, object]]]] = []
        self.put_tenant(organization_id(), public_methods=("GET",))
        self.put_tenant(app_id())

    @property
    def point(self) -> Point:
        return self.changes[-1][0] if self.changes else BEGINNING

    def copy(self) -> "Primary":
        return deepcopy(self)

    def put_tenant(self, identifier: str, **changes) -> None:
        held = self.tenants.get(identifier, Tenant(id=identifier))
        self.tenants[identifier] = replace(held, **changes)
        self._commit([("tenant", identifier)])

    def put_role(self, user: str, role: Role | None) -> None:
        pair = (organization_id(), user)
        if role is None:
            self.roles.pop(pair, None)
        else:
            self.roles[pair] = role
        self._commit([("role", pair)])

    def create(self, number: int, *, rules=None, **changes) -> bytes:
        row = VersionRow(
            digest=digest(number),
            key_id=key_id(number),
            version_id=make_id(IdKind.VERSION, digest(number)[:16]),
            revoked=False,
            disabled=False,
            expires_at_ms=NEVER,
            retires_at_ms=NEVER,
            about=f"Key {number}".encode(),
            rules=rules or ("app", app_id(), "maps:read"),
        )
        self.versions[row.digest] = row._replace(**changes)
        self._commit([("key", row.key_id)])
        return row.digest

    def rotate(self, number: int, retires_at_ms: int) -> bytes:
        """The newest version retires, and another comes."""
        newest = self.of(number)[-1]
        self.versions[newest.digest] = newest._replace(retires_at_ms=retires_at_ms)
        new = sha256(newest.digest + bytes([next(_MARKS) % 256])).digest()
        self.versions[new] = newest._replace(digest=new, version_id=make_id(IdKind.VERSION, new[:16]))
        self._commit([("key", newest.key_id)])
        return new

    def change(self, number: int, **changes) -> None:
        """All versions of a key."""
        for row in self.of(number):
            self.versions[row.digest] = row._replace(**changes)
        self._commit([("key", key_id(number))])

    def retire(self, held: bytes, at_ms: int) -> None:
        row = self.versions[held]
        self.versions[held] = row._replace(retires_at_ms=min(at_ms, row.retires_at_ms))
        self._commit([("key", row.key_id)])

    def purge(self, number: int) -> None:
        gone = [row.digest for row in self.of(number)]
        for it in gone:
            del self.versions[it]
        self._commit([("gone", it) for it in gone])

    def of(self, number: int) -> list[VersionRow]:
        return [row for row in self.versions.values() if row.key_id == key_id(number)]

    def resubmitted(self, refusal: Refusal) -> None:
        """As the service does it: what is refused already, or unknown, is left."""
        if refusal.kind is RefusalKind.SUSPENDED:
            if not self.tenants[refusal.id].suspended:
                self.put_tenant(refusal.id, suspended=True)
            return
        rows = [row for row in self.versions.values() if row.key_id == refusal.key_id]
        if not rows or rows[0].revoked:
            return
        for row in rows:
            match refusal.kind:
                case RefusalKind.REVOKED:
                    changed = row._replace(revoked=True)
                case RefusalKind.DISABLED:
                    changed = row._replace(disabled=True)
                case _:
                    ended = min(row.retires_at_ms, refusal.retires_at_ms)
                    changed = row._replace(retires_at_ms=ended) if row.version_id == refusal.id else row
            if changed != row:
                self.versions[row.digest] = changed
                self._commit([("key", row.key_id)])

    def news(self, after: Point) -> News | None:
        points = [BEGINNING, *(point for point, _ in self.changes)]
        if after not in points:
            return None
        later = self.changes[points.index(after) :]
        touched = {it for _, subjects in later for it in subjects}
        keys = {it for kind, it in touched if kind == "key"}
        return News(
            passed=[point for point, _ in later],
            versions=[row for row in self.versions.values() if row.key_id in keys],
            tenants=[self.tenants[it] for kind, it in touched if kind == "tenant"],
            roles=[RoleRow(*it, self.roles.get(it)) for kind, it in touched if kind == "role"],
            gone=[it for kind, it in touched if kind == "gone"],
        )

    def _commit(self, subjects: list[tuple[str, object]]) -> None:
        point = Point(self.point.epoch + 1, next(_MARKS).to_bytes(8))
        self.changes.append((point, subjects))


class FakeSnapshot:
    def __init__(self, primary: Primary, portion: int, between: Callable[[], None]) -> None:
        self.point = primary.point
        self.expected = len(primary.versions)
        self._primary = primary
        self._portion = portion
        self._between = between

    async def tenants(self):
        yield list(self._primary.tenants.values())

    async def roles(self):
        yield [RoleRow(*pair, role) for pair, role in self._primary.roles.items()]

    async def versions(self):
        rows = sorted(self._primary.versions.values(), key=lambda row: row.digest)
        for at in range(0, len(rows), self._portion):
            self._between()
            yield rows[at : at + self._portion]


class FakeSource:
    """Implements `ports.Source` over whatever `primary` is just now."""

    def __init__(self, primary: Primary) -> None:
        self.primary = primary
        self.away = False
        self.too_much = False
        self.portion = 2
        self.snapshots = 0
        self.reported: list[int] = []
        self.reported_points: list[Point] = []
        self.between: Callable[[], None] = lambda: None
        self.changes = asyncio.Event()
        self.read_rules = read_rules

    async def news(self, after: Point) -> News | None:
        self._require()
        if self.too_much:
            self.too_much = False
            return None
        return self.primary.news(after)

    @asynccontextmanager
    async def snapshot(self):
        self._require()
        self.snapshots += 1
        yield FakeSnapshot(self.primary.copy(), self.portion, self._between)

    async def newest_common(self, points):
        self._require()
        held = {point for point, _ in self.primary.changes}
        return next((point for point in reversed(points) if point in held), BEGINNING)

    async def report(self, node: Node) -> None:
        self._require()
        self.reported.append(node.applied_epoch)
        self.reported_points.append(Point(node.applied_epoch, node.mark))

    async def changed(self, within: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.changes.wait(), within.total_seconds())
        self.changes.clear()
        self._require()

    async def resubmit(self, refusals) -> None:
        self._require()
        for refusal in refusals:
            self.primary.resubmitted(refusal)

    async def close(self) -> None:
        pass

    def _between(self) -> None:
        self._require()
        self.between()

    def _require(self) -> None:
        if self.away:
            raise Unavailable("database")


class Replicated:
    """One process of a node, looking at its primary only when told to."""

    def __init__(self, path: Path, source: FakeSource) -> None:
        path.mkdir(exist_ok=True)
        self.folder = Folder(path)
        self.source = source
        self.files = Files(self.folder)
        self.stamp = Stamp(self.folder.stamp)
        self.index = ReplicaIndex(self.files, self.stamp)
        self.applier = applier(self.files, self.stamp, source)
        self.applier._upkeep.take_over()

    async def look(self) -> None:
        """Once, and once more when a build beside the present file has ended; raises what that did."""
        await self.applier._turn()
        upkeep = self.applier._upkeep
        if (beside := upkeep._beside) is not None:
            await asyncio.wait([beside])
            await self.applier._turn()
            upkeep._begin_at = 0
            beside.result()

    async def resubmit(self) -> None:
        await self.source.resubmit(await self.applier._upkeep.awaiting())

    async def compare(self) -> Comparison:
        return await compare(self.files, self.stamp, self.source, within=SOON)

    @property
    def standing(self) -> int:
        return self.applier._upkeep._writer.standing

    def close(self) -> None:
        self.applier._upkeep.close()
        self.index.close()
        self.files.close()
        self.stamp.close()


_DIES = """
import os, pathlib, sys
from keystead.replica.stamp import Stamp
with Stamp(pathlib.Path(sys.argv[1])).salvaging(int(sys.argv[2])):
    os.kill(os.getpid(), 9)
"""


def die_salvaging(stamp: Path, generation: int) -> None:
    """A process ends while it reads this generation for what must be kept of it."""
    subprocess.run([sys.executable, "-c", _DIES, str(stamp), str(generation)], check=False)


def applier(files: Files, stamp: Stamp, source: FakeSource) -> Applier:
    return Applier(
        files=files,
        stamp=stamp,
        source=source,
        node=Node(id=NodeId("nod_1"), name="here", applied_epoch=0),
        resubmit=source.resubmit,
        fresh_for=FRESH_FOR,
    )
