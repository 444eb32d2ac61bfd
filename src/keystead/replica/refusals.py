"""What this node goes on refusing though its primary does not: laid over all that the primary says.

A primary put back to an earlier state has forgotten revocations that were acknowledged. They stay here, and
are brought to it again, until what it says itself refuses at least as much.
"""

from collections.abc import Iterator
from dataclasses import replace

from keystead.domain.policy import Tenant
from keystead.ports.replica import Refusal, RefusalKind, VersionRow
from keystead.replica.files import Opened, Transaction
from keystead.replica.format import (
    RECORDS,
    REFUSALS,
    TENANTS,
    decode_refusal,
    encode_refusal,
)
from keystead.replica.hand import paced


class Refusals:
    """The refusals in a replica's file, as one transaction sees them."""

    def __init__(self, opened: Opened, transaction: Transaction) -> None:
        self._transaction = transaction
        self._records = opened.databases[RECORDS]
        self._tenants = opened.databases[TENANTS]
        self._refusals = opened.databases[REFUSALS]
        self.standing: int = transaction.stat(self._refusals)["entries"]
        """How many there are; none almost always, and then nothing costs anything."""

    def add(self, refusal: Refusal) -> None:
        """Let it stand. One that stands already is replaced only by one that names a token known here."""
        name = _name(refusal.kind, refusal.id)
        if self._transaction.put(name, encode_refusal(refusal), db=self._refusals, overwrite=False):
            self.standing += 1
        elif self._is_known(refusal):
            self._transaction.put(name, encode_refusal(refusal), db=self._refusals)

    def all(self) -> Iterator[Refusal]:
        """All that stand. Raises Damaged."""
        with self._transaction.cursor(self._refusals) as cursor:
            for value in cursor.iternext(keys=False, values=True):
                yield decode_refusal(value)

    def suspensions(self) -> list[Refusal]:
        """The tenants that are suspended here. Raises Damaged."""
        return [refusal for refusal in self.all() if refusal.kind is RefusalKind.SUSPENDED]

    def awaiting(self) -> list[Refusal]:
        """Those whose key or tenant the primary knows: they are to be brought to it."""
        return [refusal for refusal in paced(self.all()) if self._is_known(refusal)]

    def over(self, row: VersionRow) -> VersionRow:
        """`row`, as the primary says, with what is refused here laid over it."""
        for refusal in self._of(row):
            row = _laid_over(row, refusal)
        return row

    def settle(self, row: VersionRow) -> VersionRow:
        """As `over`; those that the primary's own `row` confirms are dropped."""
        told = row
        for refusal in self._of(row):
            if is_confirmed(refusal, told):
                self._drop(refusal.kind, refusal.id)
            else:
                row = _laid_over(row, refusal)
        return row

    def over_tenant(self, tenant: Tenant) -> Tenant:
        """`tenant`, as the primary says, suspended if it is here."""
        refused = self.standing and self._find(RefusalKind.SUSPENDED, tenant.id) is not None
        return replace(tenant, suspended=True) if refused else tenant

    def settle_tenant(self, tenant: Tenant) -> Tenant:
        """As `over_tenant`; a suspension that the primary's own `tenant` confirms is dropped."""
        if self.standing and tenant.suspended:
            self._drop(RefusalKind.SUSPENDED, tenant.id)
        return self.over_tenant(tenant)

    def drop_all_of(self, row: VersionRow) -> None:
        """The primary knows this version's key no more: that refuses enough."""
        for refusal in self._of(row):
            self._drop(refusal.kind, refusal.id)

    def _of(self, row: VersionRow) -> list[Refusal]:
        if not self.standing:
            return []
        found = (
            self._find(RefusalKind.REVOKED, row.key_id),
            self._find(RefusalKind.DISABLED, row.key_id),
            self._find(RefusalKind.RETIRED, row.version_id),
        )
        return [refusal for refusal in found if refusal is not None]

    def _find(self, kind: RefusalKind, identifier: str) -> Refusal | None:
        value = self._transaction.get(_name(kind, identifier), db=self._refusals)
        return None if value is None else decode_refusal(value)

    def _drop(self, kind: RefusalKind, identifier: str) -> None:
        if self._transaction.delete(_name(kind, identifier), db=self._refusals):
            self.standing -= 1

    def _is_known(self, refusal: Refusal) -> bool:
        if refusal.kind is not RefusalKind.SUSPENDED:
            return self._transaction.get(refusal.digest, db=self._records) is not None
        return self._transaction.get(refusal.id.encode(), db=self._tenants) is not None


def is_confirmed(refusal: Refusal, told: VersionRow) -> bool:
    """Whether what the primary says of a version refuses at least as much."""
    match refusal.kind:
        case RefusalKind.REVOKED:
            return told.revoked
        case RefusalKind.DISABLED:
            return told.revoked or told.disabled
        case RefusalKind.RETIRED:
            return told.revoked or told.retires_at_ms <= refusal.retires_at_ms
        case RefusalKind.SUSPENDED:
            return False


def _laid_over(row: VersionRow, refusal: Refusal) -> VersionRow:
    match refusal.kind:
        case RefusalKind.REVOKED:
            return row._replace(revoked=True)
        case RefusalKind.DISABLED:
            return row._replace(disabled=True)
        case RefusalKind.RETIRED:
            retires_at_ms = min(row.retires_at_ms, refusal.retires_at_ms)
            return row._replace(retires_at_ms=retires_at_ms, ended=row.ended or refusal.ended)
        case RefusalKind.SUSPENDED:
            return row


def _name(kind: RefusalKind, identifier: str) -> bytes:
    return f"{kind}/{identifier}".encode()
