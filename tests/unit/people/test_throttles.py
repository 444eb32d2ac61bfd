"""Allowances that the processes of a node share."""

import stat
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from keystead.domain.gcra import Admitted, Rate, Refused
from keystead.people import throttles
from keystead.people.throttles import FILE, SharedThrottles
from keystead.services.context import Seals
from tests.clock import FakeClock

ONE_A_MINUTE = Rate(units=1, period_s=60, burst=5)
SEAL = partial(Seals(b"x" * 32).seal, "throttle")


def admitted(made: SharedThrottles, who: str, now: datetime, times: int, what: str = "account") -> int:
    throttle = made(what, ONE_A_MINUTE)
    return sum(isinstance(throttle.take(who, now), Admitted) for _ in range(times))


def test_what_one_process_takes_another_cannot(tmp_path: Path):
    now = FakeClock()()
    one, other = SharedThrottles(tmp_path, SEAL), SharedThrottles(tmp_path, SEAL)
    assert [admitted(it, "ada@example.com", now, 2) for it in (one, other, one, other)] == [2, 2, 1, 0]
    again = SharedThrottles(tmp_path, SEAL)
    assert admitted(again, "ada@example.com", now, 5) == 0
    assert admitted(again, "bob@example.com", now, 10) == 5
    assert admitted(again, "ada@example.com", now, 10, what="network") == 5


def test_an_allowance_comes_back_with_time_and_a_refusal_says_when(tmp_path: Path):
    made, clock = SharedThrottles(tmp_path, SEAL), FakeClock()
    assert admitted(made, "ada", clock(), 9) == 5
    assert made("account", ONE_A_MINUTE).take("ada", clock()) == Refused(retry_after_us=60_000_000)
    clock.advance(seconds=60)
    assert admitted(made, "ada", clock(), 9) == 1
    clock.advance(hours=1)
    assert admitted(made, "ada", clock(), 9) == 5


def test_the_file_names_nobody_and_is_nobody_elses(tmp_path: Path):
    admitted(SharedThrottles(tmp_path, SEAL), "ada@example.com", FakeClock()(), 1)
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"ada" not in file.read_bytes()
    other = SharedThrottles(tmp_path, partial(Seals(b"y" * 32).seal, "throttle"))
    assert other.row(b"account\nada@example.com") != SharedThrottles(tmp_path, SEAL).row(
        b"account\nada@example.com"
    )


def test_in_a_full_row_goes_who_would_be_whole_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(throttles, "_ROWS", 1)
    made, clock = SharedThrottles(tmp_path, SEAL), FakeClock()
    assert admitted(made, "guessed at", clock(), 9) == 5
    for number in range(50):
        assert admitted(made, str(number), clock(), 1) == 1
    assert admitted(made, "guessed at", clock(), 9) == 0


def test_without_a_file_guesses_are_counted_all_the_same(tmp_path: Path):
    made, now = SharedThrottles(tmp_path / "gone", SEAL), FakeClock()()
    assert admitted(made, "ada", now, 9) == 5
    assert admitted(made, "ada", now, 9) == 0
