"""Who has applied a change: its own node always, and with `wait` all that are seen."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from types import SimpleNamespace

import pytest

from keystead.domain.errors import Conflict, Unavailable
from keystead.domain.ids import NodeId
from keystead.domain.powers import Operator
from keystead.ports.store import Node
from keystead.services.acknowledge import MARGIN, OWN_BOUND, acknowledged
from keystead.services.context import Actor, Context, Freshness, Seals
from keystead.services.mutation import Changed
from keystead.storage.sql.seam import to_the_end
from tests.contract.samples import NOW
from tests.people import people

WAIT = timedelta(milliseconds=80)


class Own:
    """The replica of the node that answers, at an epoch that tests set.

    It looks at the primary whenever asked, unless `looks` is off; each glance at the clock is a tick.
    """

    def __init__(self):
        self.epoch = 0
        self.waits = []
        self.now_ns = 0
        self.looked_at_ns = 0
        self.looks = True

    def instant_ns(self):
        self.now_ns += 1
        return self.now_ns

    def applied_epoch(self):
        return self.epoch

    def look(self):
        self.looked_at_ns = self.instant_ns()

    def has_applied(self, epoch, since_ns):
        return self.epoch >= epoch and self.looked_at_ns >= since_ns

    async def await_applied(self, epoch, within, since_ns):
        self.waits.append((epoch, within, since_ns))
        if self.looks:
            self.look()
        if not self.has_applied(epoch, since_ns) and within < OWN_BOUND:
            await asyncio.sleep(within.total_seconds())
        return self.has_applied(epoch, since_ns)


@dataclass
class Primary:
    """What nodes reported; each look runs `on_look` first, and `held` keeps it from ending."""

    newest_epoch: int = 0
    reported: list[Node] = field(default_factory=list)
    away: bool = False
    held: asyncio.Event | None = None
    on_look: list = field(default_factory=list)
    looks: int = 0
    looking: int = 0
    seen_within: timedelta | None = None

    @asynccontextmanager
    async def read(self):
        if self.on_look:
            self.on_look.pop(0)()
        if self.away:
            raise Unavailable("database")
        self.looks += 1
        self.looking += 1
        try:
            yield SimpleNamespace(changes=self, nodes=self)
        finally:
            self.looking -= 1

    async def newest(self):
        if self.held is not None:
            # As `guarded`: told to end while the driver hears no answer, it ends when the driver has.
            await to_the_end(self.held.wait())
        return self.newest_epoch

    async def list(self, seen_within):
        self.seen_within = seen_within
        return [(node, NOW) for node in self.reported]


def node(epoch, name="b"):
    return Node(id=NodeId(f"nod_{name}"), name=name, applied_epoch=epoch)


@pytest.fixture
def own():
    return Own()


@pytest.fixture
def primary():
    return Primary()


@pytest.fixture
def context(own, primary):
    return Context(
        store=primary,
        replica=own,
        uses=None,
        clock_ms=lambda: 0,
        entropy=bytes,
        seals=Seals(b""),
        people=people(),
        freshness=Freshness(stale_limit_ms=60_000),
        node_id=NodeId("nod_a"),
        node_name="a",
    )


@pytest.fixture
def change(context):
    """Do `work`, which makes `epoch`, and wait; gives what is answered."""

    async def change_it(epoch=1, *, wait=WAIT, work=lambda: None, replayed=False):
        @acknowledged
        async def verb(_context, actor, value, *, option):
            if epoch is not None and not replayed:
                actor.on_epoch()
            work()
            return Changed(value=(value, option), epoch=epoch)

        changed = await verb(context, Actor(principal=Operator(), wait=wait), 1, option=2)
        assert changed.value == (1, 2)
        return changed

    return change_it


def told(changed):
    nodes = changed.acknowledgement
    return (
        [(it.name, it.applied_epoch) for it in nodes.confirmed],
        [(it.name, it.applied_epoch) for it in nodes.lagging],
    )


async def test_without_wait_only_the_own_node_is_waited_for(change, own, primary):
    changed = await change(7, wait=None)
    assert changed.acknowledgement is None
    assert own.waits == [(7, OWN_BOUND, 1)]
    assert primary.looks == 0


async def test_what_made_no_epoch_waits_for_nothing_unless_asked(change, own):
    assert (await change(None, wait=None)).epoch is None
    assert own.waits == []


async def test_a_node_by_itself_confirms_at_once(change, own):
    own.epoch = 3
    began = monotonic()
    assert told(await change(3, wait=timedelta(seconds=30))) == ([("a", 3)], [])
    assert monotonic() - began < 5


async def test_the_own_node_lags_when_it_cannot_apply(change):
    assert told(await change(1)) == ([], [("a", 0)])


async def test_the_own_node_does_not_confirm_the_same_number_of_an_earlier_history(change, own):
    own.epoch, own.looks = 8, False
    own.look()
    assert told(await change(4)) == ([], [("a", 8)])
    # Found out: the epochs of another history are taken back, then those of this one are applied.
    own.epoch, own.looks = 4, True
    assert told(await change(4)) == ([("a", 4)], [])


async def test_a_look_that_began_before_the_change_was_answered_is_enough(change, own):
    own.epoch, own.looks = 4, False
    assert told(await change(4, work=own.look)) == ([("a", 4)], [])


@pytest.mark.parametrize(
    ("epoch", "replayed"), [(4, True), (None, False)], ids=["replayed", "nothing changed"]
)
async def test_for_what_was_there_before_a_look_that_begins_now_is_needed(
    change, own, primary, epoch, replayed
):
    own.epoch = primary.newest_epoch = 4
    own.looks = False
    assert told(await change(epoch, replayed=replayed, work=own.look)) == ([], [("a", 4)])
    own.looks = True
    assert told(await change(epoch, replayed=replayed)) == ([("a", 4)], [])


async def test_a_node_is_confirmed_from_the_epoch_itself_on(change, own, primary):
    own.epoch = 5
    primary.reported = [node(4, "b"), node(5, "c"), node(6, "d")]
    assert told(await change(5)) == ([("a", 5), ("c", 5), ("d", 6)], [("b", 4)])


async def test_what_the_own_node_reported_gives_way_to_what_it_knows(change, own, primary):
    own.epoch = 5
    primary.reported = [node(1, "a")]
    assert told(await change(5)) == ([("a", 5)], [])


async def test_waiting_ends_when_the_last_one_catches_up(change, own, primary):
    own.epoch = 2
    primary.reported = [node(1)]
    primary.on_look = [lambda: None] * 4 + [lambda: primary.reported.__setitem__(0, node(2))]
    assert told(await change(2, wait=timedelta(seconds=30))) == ([("a", 2), ("b", 2)], [])
    assert primary.looks == 5


async def test_waiting_ends_when_the_last_one_is_unseen_for_too_long(change, own, primary):
    own.epoch = 2
    primary.reported = [node(1)]
    primary.on_look = [lambda: None] * 3 + [primary.reported.clear]
    assert told(await change(2, wait=timedelta(seconds=30))) == ([("a", 2)], [])
    assert primary.seen_within == timedelta(seconds=60) + MARGIN


async def test_a_change_that_changed_nothing_waits_for_the_newest_epoch(change, own, primary):
    own.epoch, primary.newest_epoch = 9, 9
    primary.reported = [node(8)]
    changed = await change(None)
    assert changed.epoch is None
    assert told(changed) == ([("a", 9)], [("b", 8)])


async def test_nobody_who_was_not_heard_counts_as_confirmed(change, own, primary):
    own.epoch = 5
    primary.reported = [node(4)]

    def away():
        primary.away = True

    assert told(await change(5, work=away)) == ([("a", 5)], [("b", 4)])
    primary.away = False
    assert told(await change(None, work=away)) == ([], [("a", 5), ("b", 4)])


async def test_a_primary_that_comes_back_is_asked_again(change, own, primary):
    own.epoch = 5
    primary.reported = [node(5)]
    come_back = [
        lambda: None,
        lambda: setattr(primary, "away", True),
        lambda: setattr(primary, "away", False),
    ]
    primary.on_look = come_back
    assert told(await change(5, wait=timedelta(seconds=30))) == ([("a", 5), ("b", 5)], [])


async def test_nothing_is_changed_when_the_primary_is_away_before(change, primary):
    done = []
    primary.away = True
    with pytest.raises(Unavailable):
        await change(5, work=lambda: done.append(1))
    assert done == []


async def test_a_primary_that_does_not_answer_does_not_keep_the_answer(change, own, primary):
    own.epoch = 5
    primary.reported = [node(4)]
    held = asyncio.Event()
    began = monotonic()
    changed = await change(5, work=lambda: setattr(primary, "held", held))
    assert WAIT.total_seconds() <= monotonic() - began < 5
    assert told(changed) == ([("a", 5)], [("b", 4)])
    held.set()
    await asyncio.sleep(0.05)
    assert (primary.looking, primary.looks) == (0, 2)


async def test_no_connection_is_held_between_looks(change, own, primary):
    own.epoch = 5
    primary.reported = [node(4)]
    task = asyncio.create_task(change(5))
    open_at = []
    while not task.done():
        await asyncio.sleep(0.001)
        open_at.append(primary.looking)
    assert primary.looks > 3
    assert max(open_at) == 0


async def test_what_is_refused_is_refused_at_once(context):
    @acknowledged
    async def verb(_context, _actor):
        raise Conflict("no", code="revoked")

    began = monotonic()
    with pytest.raises(Conflict):
        await verb(context, Actor(principal=Operator(), wait=timedelta(seconds=30)))
    assert monotonic() - began < 5
