"""How often a principal may call our own API."""

import pytest

from keystead.domain.gcra import Admitted, Rate, Refused
from keystead.services import throttle as throttle_module
from keystead.services.throttle import Throttle
from tests.clock import FakeClock

ONE_A_SECOND = Rate(units=1, period_s=1, burst=3)


def admitted(throttle, principal, clock, calls):
    return sum(isinstance(throttle.take(principal, clock()), Admitted) for _ in range(calls))


def test_a_burst_is_let_through_and_no_more():
    assert admitted(Throttle(ONE_A_SECOND), "key_a", FakeClock(), 10) == 3


@pytest.mark.parametrize(
    ("microseconds", "calls"),
    [(999_999, 0), (1_000_000, 1), (1_000_001, 1), (2_999_999, 2), (3_000_000, 3), (99_000_000, 3)],
)
def test_calls_come_back_with_time_up_to_the_burst(microseconds, calls):
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    admitted(throttle, "key_a", clock, 3)
    clock.advance(microseconds=microseconds)
    assert admitted(throttle, "key_a", clock, 10) == calls


def test_each_principal_has_an_allowance_of_its_own():
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    assert admitted(throttle, "key_a", clock, 10) == 3
    assert admitted(throttle, "key_b", clock, 10) == 3


def test_a_refused_call_costs_nothing_and_says_when_the_next_may():
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    admitted(throttle, "key_a", clock, 100)
    refused = throttle.take("key_a", clock())
    assert refused == Refused(retry_after_us=1_000_000)
    clock.advance(microseconds=refused.retry_after_us)
    assert isinstance(throttle.take("key_a", clock()), Admitted)


def test_over_a_long_time_no_more_than_burst_and_rate_is_let_through():
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    total = 0
    for _ in range(600):
        total += admitted(throttle, "key_a", clock, 2)
        clock.advance(milliseconds=100)
    assert total == 3 + 59


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(throttle_module, "MOST_PRINCIPALS", 3)
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    for number in range(100):
        throttle.take(f"key_{number}", clock())
    assert list(throttle._tats) == ["key_97", "key_98", "key_99"]


@pytest.mark.parametrize("wait_s", [0, 1], ids=["refused", "admitted"])
def test_the_one_unseen_for_longest_is_forgotten_and_who_is_refused_was_seen(monkeypatch, wait_s):
    monkeypatch.setattr(throttle_module, "MOST_PRINCIPALS", 3)
    throttle, clock = Throttle(ONE_A_SECOND), FakeClock()
    admitted(throttle, "key_a", clock, 3)
    throttle.take("key_b", clock())
    throttle.take("key_c", clock())
    clock.advance(seconds=wait_s)
    assert admitted(throttle, "key_a", clock, 1) == wait_s
    throttle.take("key_d", clock())
    assert list(throttle._tats) == ["key_c", "key_a", "key_d"]
