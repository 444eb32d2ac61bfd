"""Looking up: what verification reads of the replica, from a view that is renewed with every change."""

import asyncio
import struct
import zlib
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import NoReturn

import lmdb

from keystead.domain.ids import AppId
from keystead.domain.instants import NEVER
from keystead.domain.keys import Environment, KeyType, Owner, OwnerKind
from keystead.domain.policy import Policy, Rules, Tenant
from keystead.domain.tenants import Role
from keystead.domain.verdict import Known
from keystead.replica.files import Files
from keystead.replica.format import (
    ABOUT,
    DISABLED,
    ENDED,
    FACT_TENANTS,
    FACTS,
    HEAD,
    NUMBER,
    POLICIES,
    RECORDS,
    REVOKED,
    ROLES,
    TENANTS,
    UNREADABLE,
    Damaged,
    decode_rules,
    decode_tenant,
    decode_times,
    encode_tenant,
    unseal,
)
from keystead.replica.stamp import CHANGES, LONG_AGO_MS, Stamp, boot_ns

MAX_POLICY_BYTES = 64 * 1024 * 1024
"""About how much memory the compiled policies of a process may take."""

# Compiled, a policy takes some kilobytes of its own and a multiple of what it is stored in.
_POLICY_BYTES, _POLICY_FACTOR = 2_000, 6

_POLL_S = 0.001

# Its tenant is suspended: whoever made such a key, a rule that is not understood refuses.
_UNREADABLE = Policy(
    rules=Rules(
        type=KeyType.SECRET,
        environment=Environment.LIVE,
        owner=Owner(kind=OwnerKind.APP, id=AppId("")),
        organization_id=None,
    ),
    app=Tenant(id="", suspended=True),
)


class ReplicaIndex:
    """Implements `ports.replica.Replica` for one process; made and used on one thread."""

    def __init__(self, files: Files, stamp: Stamp) -> None:
        self._files = files
        self._stamp = stamp
        self._words = stamp.words
        self._seen = -1
        self._generation = 0
        self._view: lmdb.Transaction | None = None
        self._get: Callable[[bytes], bytes | None] = _nothing
        self._policies: dict[int, Policy] = {}
        self._policies_bytes = 0
        self._tenants_at = b""
        self._nudge: Callable[[], None] = _no_one
        self.age_ms = stamp.age_ms

    def on_wait(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` whenever somebody begins to wait for an epoch: this process has just made one."""
        self._nudge = nudge

    def find(self, digest: bytes) -> Known | None:
        """See `ports.replica.Replica.find`. Raises Damaged for what is not as written, and tells so."""
        if self._words[CHANGES] != self._seen:
            self.renew()
        try:
            value = self._get(digest)
            if value is None:
                return None
            checksum, ids, flags, number = HEAD.unpack_from(value)
            if zlib.crc32(value[4:]) != checksum:
                self._distrust()
            policy = self._policies.get(number) or self._policy(number)
            if not flags:
                return Known(ids, False, False, NEVER, NEVER, policy, value[ABOUT:])
            expires_at_ms, retires_at_ms, about = decode_times(flags, value)
            if flags & ENDED:
                retires_at_ms = 0
        except (lmdb.Error, struct.error):
            self._distrust()
        return Known(
            ids, flags & REVOKED != 0, flags & DISABLED != 0, expires_at_ms, retires_at_ms, policy, about
        )

    def applied_epoch(self) -> int:
        """See `ports.replica.Replica.applied_epoch`."""
        return self._stamp.applied_epoch

    def instant_ns(self) -> int:
        """See `ports.replica.Replica.instant_ns`."""
        return boot_ns()

    def has_applied(self, epoch: int, since_ns: int) -> bool:
        """See `ports.replica.Replica.has_applied`."""
        # In this order: the epoch read first might be of another history, which the look then found out.
        return self._stamp.looked_at_ns >= since_ns and self._stamp.applied_epoch >= epoch

    async def await_applied(self, epoch: int, within: timedelta, since_ns: int = 0) -> bool:
        """See `ports.replica.Replica.await_applied`. Looks each millisecond."""
        self._nudge()
        return await _until(lambda: self.has_applied(epoch, since_ns), within)

    async def await_level(self, within: timedelta, younger_than_ms: int = LONG_AGO_MS) -> bool:
        """Wait until the node was proved level less than that long ago; False if it was not in time.

        Unless said: since the machine's boot.
        """
        return await _until(lambda: self._stamp.age_ms() < younger_than_ms, within)

    def renew(self) -> None:
        """Read as of the newest commit from now on. Raises Damaged, and tells the applier.

        To be called now and then also while nobody asks: an old view keeps the file from reusing its pages.
        """
        if self._stamp.changes == self._seen:
            return
        changes, generation = self._stamp.changes, self._stamp.generation
        self._let_go()
        if generation == 0:
            raise Damaged
        try:
            opened = self._files.open(generation)
            view = self._view = opened.environment.begin(db=opened.databases[RECORDS])
            self._read = {name: partial(view.get, db=opened.databases[name]) for name in _BESIDE}
            self._forget_outdated(generation)
        except lmdb.ReadersFullError:
            # Of readers that died, and the applier removes them: nothing is wrong with the file.
            raise Damaged from None
        except (Damaged, lmdb.Error):
            self._let_go()
            self._stamp.distrust(generation)
            raise Damaged from None
        self._get, self._seen = view.get, changes

    def close(self) -> None:
        """Let go of the file, which its opener closes."""
        self._let_go()

    def _let_go(self) -> None:
        view, self._view = self._view, None
        self._seen, self._get = -1, _nothing
        if view is not None:
            view.abort()

    def _forget_outdated(self, generation: int) -> None:
        tenants_at = self._read[FACTS](FACT_TENANTS) or b""
        if (generation, tenants_at) != (self._generation, self._tenants_at):
            self._generation, self._tenants_at = generation, tenants_at
            self._policies, self._policies_bytes = {}, 0

    def _policy(self, number: int) -> Policy:
        """Compile the policy of this number, and keep it until a tenant changes or others need the room."""
        if number == UNREADABLE:
            return _UNREADABLE
        try:
            stored = self._read[POLICIES](NUMBER.pack(number))
            policy = self._compiled(decode_rules(stored))
        except (Damaged, lmdb.Error):
            self._distrust()
        size_bytes = _POLICY_BYTES + _POLICY_FACTOR * (len(stored or b"") + _stored_bytes(policy))
        if self._policies_bytes + size_bytes > MAX_POLICY_BYTES:
            self._policies, self._policies_bytes = {}, 0
        self._policies[number] = policy
        self._policies_bytes += size_bytes
        return policy

    def _compiled(self, rules: Rules) -> Policy:
        owner, organization_id = rules.owner, rules.organization_id
        return Policy(
            rules=rules,
            organization=self._tenant(organization_id),
            app=self._tenant(owner.id) if owner.kind is OwnerKind.APP else None,
            user=self._tenant(owner.id) if owner.kind is OwnerKind.USER else None,
            role=self._role(organization_id, owner.id) if owner.kind is OwnerKind.USER else None,
        )

    def _tenant(self, identifier: str | None) -> Tenant | None:
        if identifier is None:
            return None
        return decode_tenant(self._read[TENANTS](identifier.encode()))

    def _role(self, organization_id: str | None, user_id: str | None) -> Role | None:
        value = self._read[ROLES](f"{organization_id}/{user_id}".encode())
        try:
            return None if value is None else Role(unseal(value).decode())
        except ValueError:
            # A role of a newer program: as if there were none, which refuses.
            return None

    def _distrust(self) -> NoReturn:
        # A view that met an error of LMDB's answers nothing any more.
        self._let_go()
        self._stamp.distrust(self._generation)
        raise Damaged


_BESIDE = (POLICIES, TENANTS, ROLES, FACTS)


def _stored_bytes(policy: Policy) -> int:
    """About what its tenants are stored in: their metadata may be the most of it."""
    above = (policy.organization, policy.app, policy.user)
    return sum(len(encode_tenant(tenant)) for tenant in above if tenant is not None)


async def _until(holds: Callable[[], bool], within: timedelta) -> bool:
    loop = asyncio.get_running_loop()
    until = loop.time() + within.total_seconds()
    while not holds():
        if loop.time() >= until:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _no_one() -> None:
    pass


def _nothing(_key: bytes) -> bytes | None:
    return None
