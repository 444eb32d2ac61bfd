"""The rate limit: never above the rate, and never below what it promises."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.domain.gcra import Admitted, Rate, Refused, take

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
RATES = st.builds(
    Rate,
    units=st.integers(1, 50) | st.sampled_from([333, 7_001, 1_000_000, 3_000_000]),
    period_s=st.sampled_from([1, 3, 60, 86_400]),
    burst=st.integers(1, 20),
)


def test_the_whole_burst_is_there_at_first_and_not_one_more():
    rate, tat = Rate(units=3, period_s=1, burst=5), None
    for remaining in (4, 3, 2, 1, 0):
        answer = take(rate, tat, NOW)
        assert isinstance(answer, Admitted)
        assert answer.remaining == remaining
        tat = answer.tat_us
    assert take(rate, tat, NOW) == Refused(retry_after_us=333_334)


def test_the_burst_may_be_taken_in_one_go():
    answer = take(Rate(units=3, period_s=1, burst=5), None, NOW, cost=5)
    assert isinstance(answer, Admitted)
    assert answer.remaining == 0


def test_a_refusal_takes_nothing_and_ends_at_the_very_instant_it_says():
    rate = Rate(units=10, period_s=60, burst=2)
    full = take(rate, None, NOW, cost=2)
    assert isinstance(full, Admitted)
    assert take(rate, full.tat_us, NOW) == Refused(retry_after_us=6 * SECOND)
    assert take(rate, full.tat_us, NOW + 6 * SECOND - 1) == Refused(retry_after_us=1)
    assert isinstance(take(rate, full.tat_us, NOW + 6 * SECOND), Admitted)


def test_after_a_rest_the_burst_is_back_and_no_more():
    rate = Rate(units=1, period_s=1, burst=3)
    spent = take(rate, None, NOW, cost=3)
    assert isinstance(spent, Admitted)
    assert isinstance(take(rate, spent.tat_us, NOW + 3600 * SECOND, cost=3), Admitted)
    assert isinstance(take(rate, spent.tat_us, NOW + 3600 * SECOND, cost=4), Refused)


def test_a_cost_above_the_burst_is_never_let_through():
    assert isinstance(take(Rate(units=100, period_s=1, burst=5), None, NOW, cost=6), Refused)


def test_a_cost_of_nothing_is_always_let_through_and_takes_nothing():
    rate = Rate(units=1, period_s=1, burst=1)
    spent = take(rate, None, NOW)
    assert isinstance(spent, Admitted)
    assert take(rate, spent.tat_us, NOW, cost=0) == Admitted(tat_us=spent.tat_us, remaining=0)


def test_a_clock_that_was_ahead_refuses_for_no_longer_than_an_empty_burst():
    rate = Rate(units=1, period_s=1, burst=3)
    assert take(rate, NOW + 10**15, NOW) == Refused(retry_after_us=SECOND)
    assert take(rate, NOW + 10**15, NOW, cost=0) == Admitted(tat_us=NOW + 3 * SECOND, remaining=0)


@pytest.mark.parametrize("units", [1, 7, 300, 999, 5_000, 60_000])
def test_whoever_keeps_to_the_rate_is_never_refused(units):
    rate, tat, admitted = Rate(units=units, period_s=1, burst=1), None, 0
    for step in range(200):
        answer = take(rate, tat, NOW + step * rate.unit_us)
        assert isinstance(answer, Admitted)
        tat, admitted = answer.tat_us, admitted + 1
    # Rounding to whole microseconds costs at most 6 % at 60,000 a second.
    assert admitted >= 0.94 * units * 199 * rate.unit_us / SECOND


@given(RATES, st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(0, 25)), max_size=40))
def test_in_no_span_is_more_let_through_than_the_burst_and_the_rate(rate, steps):
    tat, admitted = None, []
    for now, cost in zip(
        accumulate((gap for gap, _ in steps), initial=NOW), (cost for _, cost in steps), strict=False
    ):
        answer = take(rate, tat, now, cost)
        if isinstance(answer, Admitted):
            tat = answer.tat_us
            admitted.append((now, cost))
    for first, (start, _) in enumerate(admitted):
        taken = 0
        for now, cost in admitted[first:]:
            taken += cost
            assert (taken - rate.burst) * rate.period_s * SECOND <= (now - start) * rate.units


@given(RATES, st.integers(0, 20), st.integers(0, 20))
def test_what_remains_can_be_taken_and_one_more_cannot(rate, first, later):
    answer = take(rate, None, NOW, min(first, rate.burst))
    assert isinstance(answer, Admitted)
    now = NOW + later * rate.unit_us // 3
    probe = take(rate, answer.tat_us, now, 0)
    assert isinstance(probe, Admitted)
    assert isinstance(take(rate, answer.tat_us, now, probe.remaining), Admitted)
    assert isinstance(take(rate, answer.tat_us, now, probe.remaining + 1), Refused)


@given(RATES, st.integers(1, 20), st.integers(1, 20))
def test_waiting_as_told_is_enough_and_less_is_not(rate, spent, cost):
    full = take(rate, None, NOW, min(spent, rate.burst))
    assert isinstance(full, Admitted)
    cost = min(cost, rate.burst)
    answer = take(rate, full.tat_us, NOW, cost)
    if isinstance(answer, Refused):
        assert isinstance(take(rate, full.tat_us, NOW + answer.retry_after_us, cost), Admitted)
        assert isinstance(take(rate, full.tat_us, NOW + answer.retry_after_us - 1, cost), Refused)
