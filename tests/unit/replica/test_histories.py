"""A primary put back to an earlier state: what was acknowledged before is refused throughout."""

from datetime import timedelta

import pytest

from keystead.domain.errors import Unavailable
from keystead.ports.replica import RefusalKind
from keystead.replica.format import EPOCH, HISTORY
from tests.unit.replica.primary import Replicated, app_id, digest, key_id

LATER_MS = 10_000


def refuses(replicated, held):
    known = replicated.index.find(held)
    return known is None or known.revoked or known.disabled or known.policy.suspended


def overtake(source, backup, epochs=10):
    """Put `backup` in the primary's place and let it go beyond the epoch that was."""
    source.primary = backup
    for _ in range(epochs):
        backup.create(77)


@pytest.mark.parametrize("epochs", [0, 1, 2, 10], ids=["behind", "level", "same number", "beyond"])
async def test_a_revoked_key_is_refused_throughout(replicated, primary, source, epochs, tmp_path):
    held, other = primary.create(1), primary.create(2)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, revoked=True)
    primary.create(3)
    await replicated.look()
    overtake(source, backup, epochs)
    assert refuses(replicated, held)

    seen = []
    source.between = lambda: seen.append(refuses(replicated, held))
    await replicated.look()
    assert seen
    assert all(seen)
    assert source.snapshots == 2
    source.between = lambda: None
    assert refuses(replicated, held)
    assert not refuses(replicated, other)
    # Never known to this primary.
    assert replicated.index.find(digest(3)) is None
    assert replicated.standing == 1

    # Whatever else changes about the key does not undo it, nor does a restart or a rebuild.
    backup.change(1, about=b"Renamed")
    newer = backup.rotate(1, LATER_MS)
    await replicated.look()
    assert replicated.index.find(held).name == "Renamed"
    assert refuses(replicated, held)
    assert refuses(replicated, newer)
    assert (await replicated.compare()).is_clean
    assert (await replicated.compare()).refusals == 1
    replicated.close()
    again = Replicated(tmp_path / "replica", source)
    assert refuses(again, held)
    source.too_much = True
    await again.look()
    assert refuses(again, held)
    assert refuses(again, newer)
    assert again.standing == 1

    # Confirmed, it stands no more, and is refused by what the primary says.
    await again.resubmit()
    assert again.standing == 1
    await again.look()
    assert again.standing == 0
    assert refuses(again, held)
    assert backup.versions[held].revoked
    assert (await again.compare()).is_clean
    epoch = backup.point
    await again.resubmit()
    assert backup.point == epoch
    again.close()


async def test_a_restart_between_divergence_and_notice_refuses(replicated, primary, source, tmp_path):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    overtake(source, backup)
    replicated.close()
    again = Replicated(tmp_path / "replica", source)
    assert refuses(again, held)
    await again.look()
    assert refuses(again, held)
    again.close()


async def test_a_build_that_is_cut_off_changes_nothing(replicated, primary, source, tmp_path):
    held = [primary.create(number) for number in range(9)]
    await replicated.look()
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    overtake(source, backup)
    portions = iter(range(3))

    def cut():
        if next(portions, None) is None:
            raise Unavailable("database")

    source.between = cut
    with pytest.raises(Unavailable):
        await replicated.look()
    assert replicated.folder.generations() == [1]
    assert replicated.stamp.rebuilding is None
    assert refuses(replicated, held[1])
    # It knows no more of this history than what both have.
    assert replicated.index.applied_epoch() == backup.point.epoch - 10
    source.between = lambda: None
    await replicated.look()
    assert refuses(replicated, held[1])
    assert replicated.index.applied_epoch() == backup.point.epoch


async def test_a_primary_that_comes_back_is_one_to_be_level_with(replicated, primary, source):
    primary.create(1)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()

    def cut():
        raise Unavailable("database")

    source.primary, source.between = backup, cut
    with pytest.raises(Unavailable):
        await replicated.look()
    assert replicated.index.applied_epoch() == backup.point.epoch
    source.primary = primary
    await replicated.look()
    assert source.snapshots == 2
    assert replicated.index.applied_epoch() == primary.point.epoch


async def test_what_was_retired_stays_retired(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    newer = primary.rotate(1, LATER_MS)
    await replicated.look()
    overtake(source, backup)
    await replicated.look()
    assert replicated.index.find(held).retires_at_ms == LATER_MS
    assert replicated.index.find(newer) is None
    await replicated.resubmit()
    await replicated.look()
    # The lost version's own end was none; nothing else stands.
    assert replicated.standing == 0
    assert backup.versions[held].retires_at_ms == LATER_MS


async def test_a_revocation_in_the_new_history_confirms_any_refusal(replicated, primary, source):
    primary.create(1)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, disabled=True)
    primary.rotate(1, LATER_MS)
    await replicated.look()
    overtake(source, backup)
    await replicated.look()
    assert replicated.standing == 2
    backup.change(1, revoked=True)
    await replicated.look()
    assert replicated.standing == 0
    assert replicated.index.find(digest(1)).revoked


@pytest.mark.parametrize("what", ["key", "tenant"])
async def test_a_pause_beyond_the_common_epoch_stays(replicated, primary, source, what):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    if what == "key":
        primary.change(1, disabled=True)
    else:
        primary.put_tenant(app_id(), suspended=True)
    await replicated.look()
    overtake(source, backup)
    await replicated.look()
    assert refuses(replicated, held)
    # Touched there without a pause, it stays paused here.
    backup.change(1, about=b"Renamed")
    backup.put_tenant(app_id(), metadata={"a": 10**30})
    await replicated.look()
    assert refuses(replicated, held)
    assert (await replicated.compare()).is_clean
    await replicated.resubmit()
    await replicated.look()
    assert replicated.standing == 0
    assert refuses(replicated, held)
    # Confirmed, it may be lifted.
    backup.change(1, disabled=False)
    backup.put_tenant(app_id(), suspended=False)
    await replicated.look()
    assert not refuses(replicated, held)


@pytest.mark.parametrize("what", ["key", "tenant"])
async def test_a_pause_from_before_may_have_been_lifted(replicated, primary, source, what):
    held = primary.create(1)
    await replicated.look()
    paused = {"key": {"disabled": True}, "tenant": {"suspended": True}}[what]
    lifted = dict.fromkeys(paused, False)

    def put(it, changes):
        if what == "key":
            it.change(1, **changes)
        else:
            it.put_tenant(app_id(), **changes)

    put(primary, paused)
    await replicated.look()
    backup = primary.copy()
    primary.create(2)
    await replicated.look()
    put(backup, lifted)
    overtake(source, backup)
    await replicated.look()
    assert replicated.standing == 0
    assert not refuses(replicated, held)


async def test_a_pause_of_unknown_age_counts_as_newer(replicated, primary, source):
    held = primary.create(1)
    primary.change(1, disabled=True)
    backup = primary.copy()
    primary.create(2)
    # The replica is made only now, and cannot know since when.
    await replicated.look()
    backup.change(1, disabled=False)
    overtake(source, backup)
    await replicated.look()
    assert refuses(replicated, held)
    assert replicated.standing == 1


async def test_another_instance_in_the_primarys_place_revokes_nothing_of_its_own(replicated, primary, source):
    primary.create(1)
    primary.change(1, revoked=True)
    await replicated.look()
    other = type(primary)()
    held = other.create(2)
    source.primary = other
    await replicated.look()
    assert replicated.applier._upkeep._writer.awaiting() == []
    assert replicated.index.find(digest(1)) is None
    assert not refuses(replicated, held)
    assert (await replicated.compare()).is_clean


async def test_put_back_twice_what_was_unknown_meanwhile_is_still_refused(replicated, primary, source):
    first = primary.copy()
    held = primary.create(1)
    second = primary.copy()
    await replicated.look()
    primary.change(1, revoked=True)
    await replicated.look()
    overtake(source, first)
    await replicated.look()
    assert replicated.index.find(held) is None
    assert replicated.applier._upkeep._writer.awaiting() == []
    overtake(source, second, 30)
    await replicated.look()
    assert refuses(replicated, held)
    (refusal,) = replicated.applier._upkeep._writer.awaiting()
    assert (refusal.kind, refusal.id) == (RefusalKind.REVOKED, key_id(1))
    await replicated.resubmit()
    await replicated.look()
    assert replicated.standing == 0
    assert second.versions[held].revoked


async def test_a_key_purged_there_needs_no_refusal(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    overtake(source, backup)
    await replicated.look()
    assert replicated.standing == 1
    backup.purge(1)
    await replicated.look()
    assert replicated.standing == 0
    assert replicated.index.find(held) is None


async def test_a_primary_that_changes_hands_during_a_build_is_built_anew(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    older = primary.copy()
    primary.change(1, revoked=True)
    await replicated.look()
    overtake(source, older, 0)

    # Behind when the copy begins, and the original again when it ends.
    def swap():
        source.primary = primary

    source.between = swap
    with pytest.raises(Unavailable):
        await replicated.look()
    assert refuses(replicated, held)
    await replicated.look()
    assert refuses(replicated, held)
    assert replicated.standing == 0


def spoil(replicated, chosen):
    """One flipped byte in the mark of each chosen epoch."""
    opened = replicated.applier._upkeep._opened
    with opened.environment.begin(write=True) as transaction:
        database = opened.databases[HISTORY]
        for name, value in list(transaction.cursor(database)):
            if chosen(EPOCH.unpack(name)[0]):
                transaction.put(name, value[:-1] + bytes([value[-1] ^ 1]), db=database)


@pytest.mark.parametrize("which", ["common", "newest", "all"])
async def test_a_damaged_history_forgets_no_refusal(replicated, primary, source, which):
    tokens = [primary.create(number) for number in range(10)]
    await replicated.look()
    first = primary.copy()
    primary.change(3, revoked=True)
    primary.rotate(5, LATER_MS)
    await replicated.look()
    overtake(source, first, 0)
    await replicated.look()
    assert replicated.standing == 2
    second = first.copy()
    first.change(4, revoked=True)
    first.change(6, disabled=True)
    await replicated.look()
    common = second.point.epoch
    chosen = {
        "common": lambda it: it == common,
        "newest": lambda it: it == common + 2,
        "all": lambda it: True,
    }
    spoil(replicated, chosen[which])
    overtake(source, second, 0)
    await replicated.look()
    assert replicated.index.find(tokens[3]).revoked
    assert replicated.index.find(tokens[4]).revoked
    assert replicated.index.find(tokens[5]).retires_at_ms == LATER_MS
    # With nothing in common that can be read nobody can tell whether the pause was lifted since.
    assert replicated.index.find(tokens[6]).disabled is (which == "newest")
    assert (await replicated.compare()).is_clean


async def test_a_retired_version_that_is_refused_here_has_ended_for_good(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    primary.change(1, retires_at_ms=2**50, ended=True)
    await replicated.look()
    source.primary = backup
    await replicated.look()
    assert replicated.standing == 1
    assert replicated.index.find(held).retires_at_ms == 0


async def test_the_same_number_of_an_earlier_history_is_not_applied(replicated, primary, source):
    held = primary.create(1)
    await replicated.look()
    backup = primary.copy()
    for name in (b"a", b"b", b"c"):
        primary.change(1, about=name)
    await replicated.look()
    source.primary = backup
    since_ns = replicated.index.instant_ns()
    backup.change(1, revoked=True)
    assert not await replicated.index.await_applied(backup.point.epoch, timedelta(0), since_ns)
    await replicated.look()
    assert await replicated.index.await_applied(backup.point.epoch, timedelta(0), since_ns)
    assert replicated.index.find(held).revoked
