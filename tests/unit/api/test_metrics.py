"""Metrics tell of a whole node, whichever of its processes is asked."""

import subprocess
import sys

import pytest

from keystead.api.metrics import Metrics
from keystead.api.tallies import shared_tallies
from keystead.domain.verdict import Reason
from tests.unit.api.memory import Memory, door_on


def told(metrics, name, memory=None):
    """The value of a sample, as Prometheus would read it; None where there is none."""
    text = metrics.render(door_on(memory or Memory()).context).decode()
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} ")), None)


ACCEPTED = 'keystead_verdicts_total{outcome="ACCEPTED"}'


def test_every_outcome_is_told_from_the_start():
    metrics = Metrics()
    assert told(metrics, ACCEPTED) == 0
    for reason in Reason:
        metrics.count_verdict(reason)
        assert told(metrics, f'keystead_verdicts_total{{outcome="{reason}"}}') == 1


def test_times_are_counted_up_to_each_bound():
    metrics = Metrics()
    times = metrics.times("auth")
    for elapsed_ns in (1, 10_000, 10_001, 20_000_000_000):
        times.observe(200, elapsed_ns)
    times.observe(418, 5)
    label = 'surface="auth"}'
    buckets = [
        told(metrics, f'keystead_request_seconds_bucket{{le="{bound}",status="200",{label}')
        for bound in ("1e-05", "2.5e-05", "10.0", "+Inf")
    ]
    assert buckets == [2, 3, 3, 4]
    assert told(metrics, f'keystead_request_seconds_count{{status="200",{label}') == 4
    assert told(metrics, f'keystead_request_seconds_sum{{status="200",{label}') == pytest.approx(20.000020002)
    assert told(metrics, f'keystead_request_seconds_count{{status="other",{label}') == 1
    assert told(metrics, f'keystead_request_seconds_count{{status="404",{label}') is None


def test_the_replica_is_told_as_it_is_now():
    for age, degraded in ((1_999, 0), (2_000, 1)):
        memory = Memory(age=age)
        assert told(Metrics(), "keystead_degraded", memory) == degraded
        assert told(Metrics(), "keystead_replica_age_seconds", memory) == age / 1000
    assert told(Metrics(), "keystead_replica_applied_epoch") == 42


def test_all_processes_of_a_node_are_summed_also_those_that_ended(tmp_path):
    folder = tmp_path / "metrics"
    one, two = Metrics(folder), Metrics(folder)
    for metrics in (one, two, two):
        metrics.count_verdict(None)
    assert told(one, ACCEPTED) == told(two, ACCEPTED) == 3
    two.close()
    assert told(one, ACCEPTED) == 3
    three = Metrics(folder)
    three.count_verdict(None)
    assert told(one, ACCEPTED) == told(three, ACCEPTED) == 4
    assert len(list(folder.iterdir())) == 2
    one.close()
    three.close()


def test_dropped_uses_are_summed_and_never_go_back(tmp_path):
    folder = tmp_path / "metrics"
    one, two = Metrics(folder), Metrics(folder)
    one.tell_dropped(2)
    two.tell_dropped(3)
    one.tell_dropped(5)
    assert told(two, "keystead_uses_dropped_total") == 8
    two.close()
    again = Metrics(folder)
    again.tell_dropped(1)
    assert told(one, "keystead_uses_dropped_total") == 9


def test_files_are_their_owners_alone(tmp_path):
    metrics = Metrics(tmp_path / "metrics")
    [file] = (tmp_path / "metrics").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    metrics.close()


COUNTS = """
import sys, time
from pathlib import Path
from keystead.api.tallies import shared_tallies
tallies = shared_tallies(Path(sys.argv[1]), "x", 4)
tallies.words[1] += 7
print("counted", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_counted_stays_and_its_file_is_free(tmp_path):
    folder = tmp_path / "metrics"
    command = [sys.executable, "-c", COUNTS, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "counted\n"
        beside = shared_tallies(folder, "x", 4)
        beside.words[1] += 1
        assert beside.totals() == [0, 8, 0, 0]
        process.kill()
    heir = shared_tallies(folder, "x", 4)
    assert heir.words[1] == 7
    assert heir.totals() == beside.totals() == [0, 8, 0, 0]
    assert len(list(folder.iterdir())) == 2


def test_words_of_another_meaning_are_left_alone(tmp_path):
    old, new = shared_tallies(tmp_path, "old", 4), shared_tallies(tmp_path, "new", 9)
    old.words[1] = 5
    assert new.totals() == [0] * 9
    assert old.totals() == [0, 5, 0, 0]
