"""Whatever happens to a primary and to a node, in any order, the replica is what it must be."""

import asyncio
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from keystead.domain.errors import Unavailable
from keystead.domain.instants import NEVER
from keystead.domain.tenants import Role
from tests.unit.replica.primary import (
    FakeSource,
    Primary,
    Replicated,
    app_id,
    organization_id,
    user_id,
)

NUMBERS = st.integers(0, 5)


class Node(RuleBasedStateMachine):
    backups = Bundle("backups")

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.path = Path(tempfile.mkdtemp()) / "replica"
        self.source = FakeSource(Primary())
        self.node = self.open()
        self.purged: set[int] = set()
        self.final: dict[bytes, int] = {}
        """What a token's end was, once it was applied: the instant, -1 for a revoked key."""

    def open(self):
        return self.runner.run(self._open())

    async def _open(self):
        return Replicated(self.path, self.source)

    def teardown(self):
        self.node.close()
        self.runner.close()
        shutil.rmtree(self.path.parent)

    @property
    def primary(self):
        return self.source.primary

    @initialize(target=backups)
    def begin(self):
        return self.primary.copy()

    @rule(number=NUMBERS, scope=st.sampled_from(["a:b", "c:d"]), disabled=st.booleans())
    def create(self, number, scope, disabled):
        # A token that was purged never comes again.
        if number not in self.purged and not self.primary.of(number):
            self.primary.create(number, rules=("app", app_id(), scope), disabled=disabled)

    @rule(number=NUMBERS, disabled=st.booleans())
    def pause(self, number, disabled):
        self.primary.change(number, disabled=disabled)

    @rule(number=NUMBERS)
    def revoke(self, number):
        self.primary.change(number, revoked=True)

    @rule(number=NUMBERS, at_ms=st.sampled_from([0, 1_000, 2_000]))
    def rotate(self, number, at_ms):
        rows = self.primary.of(number)
        if rows and not rows[0].revoked:
            newest = rows[-1]
            self.primary.rotate(number, min(at_ms, newest.retires_at_ms))

    @rule(number=NUMBERS)
    def purge(self, number):
        if self.primary.of(number):
            self.primary.purge(number)
            self.purged.add(number)

    @rule(tenant=st.sampled_from([app_id(), organization_id()]), suspended=st.booleans())
    def suspend(self, tenant, suspended):
        self.primary.put_tenant(tenant, suspended=suspended)

    @rule(role=st.sampled_from([None, *Role]))
    def member(self, role):
        self.primary.put_role(user_id(), role)

    @rule(target=backups)
    def back_up(self):
        return self.primary.copy()

    @rule(backup=backups, epochs=st.integers(0, 3))
    def put_back(self, backup, epochs):
        self.source.primary = backup.copy()
        for _ in range(epochs):
            self.primary.put_tenant(app_id(9))

    @rule(too_much=st.booleans())
    def look(self, too_much):
        self.source.too_much = too_much
        self.runner.run(self.node.look())
        self.source.too_much = False
        self.check()

    @rule()
    def bring_refusals(self):
        self.runner.run(self.node.look())
        self.runner.run(self.node.resubmit())
        self.runner.run(self.node.look())
        assert self.node.applier._upkeep._writer.awaiting() == []
        self.check()

    @rule(torn=st.booleans())
    def restart(self, torn):
        upkeep = self.node.applier._upkeep
        news = self.primary.news(upkeep.at) if torn and upkeep._writer is not None else None
        if news is not None and news.passed:
            # Killed between the commit and telling of it.
            upkeep._writer.apply(news)
            self.note_final()
        self.node.close()
        self.node = self.open()

    @rule(portions=st.integers(0, 2))
    def cut_off_while_building(self, portions):
        left = iter(range(portions))

        def cut():
            if next(left, None) is None:
                raise Unavailable("database")

        self.source.between, self.source.too_much = cut, True
        with suppress(Unavailable):
            self.runner.run(self.node.look())
        self.source.between, self.source.too_much = lambda: None, False

    @rule()
    def distrust(self):
        upkeep = self.node.applier._upkeep
        upkeep._rebuilt_at = None
        self.node.stamp.distrust(self.node.stamp.generation)

    def check(self):
        """Just looked: what the primary says, with the refusals over it, and nothing else."""
        told = self.runner.run(self.node.compare())
        assert told.is_clean, told
        assert told.passed_over == 0
        assert self.node.index.applied_epoch() == self.primary.point.epoch
        assert self.node.index.age_ms() < 1_000
        self.note_final()

    def note_final(self):
        for held, row in self.primary.versions.items():
            ends = -1 if row.revoked else row.retires_at_ms
            self.final[held] = min(ends, self.final.get(held, NEVER))

    @invariant()
    def nothing_final_is_undone(self):
        if self.node.stamp.generation == 0:
            return
        for held, ends in self.final.items():
            known = self.node.index.find(held)
            if known is not None and not known.revoked:
                assert ends >= 0
                assert known.retires_at_ms <= ends


Node.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestNode = Node.TestCase
