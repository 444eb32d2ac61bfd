"""Prometheus metrics of the whole node: labels come from closed sets, never ids.

On the hot path a count is one word of `tallies`; they take Prometheus' shapes when they are asked for.
"""

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from keystead.api.tallies import Tallies, private_tallies, shared_tallies
from keystead.domain.verdict import Reason
from keystead.services.context import Context

CONTENT_TYPE = CONTENT_TYPE_LATEST
ACCEPTED = "ACCEPTED"
SURFACES = ("auth", "verify", "health", "management", "other")
OTHER_STATUS = 0

_STATUSES = (
    *(200, 201, 204, 301, 302, 303, 304, 307, 308),
    *(400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 499),
    *(500, 503, OTHER_STATUS),
)
_NS_PER_S = 1_000_000_000
# In nanoseconds, from ten microseconds, which an answer from memory takes, to ten seconds.
_BOUNDS = (*(int(digit * 10**power) for power in range(4, 10) for digit in (1, 2.5, 5)), 10 * _NS_PER_S)
_OUTCOMES = (ACCEPTED, *Reason)
_OUTCOME_AT = {reason: at for at, reason in enumerate(Reason, start=1)}
_DROPPED_AT = len(_OUTCOMES)
_TIMES_AT = _DROPPED_AT + 1
_SUM = len(_BOUNDS) + 1
_TIME_WORDS = _SUM + 1
_TIME_AT = {
    (surface, status): _TIMES_AT + _TIME_WORDS * (row * len(_STATUSES) + column)
    for row, surface in enumerate(SURFACES)
    for column, status in enumerate(_STATUSES)
}
_WORDS = _TIMES_AT + _TIME_WORDS * len(_TIME_AT)
_MEANING = f"{zlib.crc32(repr((_OUTCOMES, SURFACES, _STATUSES, _BOUNDS)).encode()):08x}"


class Metrics:
    """What this process counts, and what its node has counted."""

    def __init__(self, folder: Path | None = None) -> None:
        """Count in `folder`, which all processes of a node share; None for a process by itself."""
        self._tallies: Tallies = (
            private_tallies(_WORDS) if folder is None else shared_tallies(folder, _MEANING, _WORDS)
        )
        self._words = self._tallies.words
        self._dropped_before = self._words[_DROPPED_AT]

    def count_verdict(self, reason: Reason | None) -> None:
        """Count one attempt; `reason` None was accepted."""
        self._words[0 if reason is None else _OUTCOME_AT[reason]] += 1

    def times(self, surface: str) -> "Times":
        """Where to count the answered requests of a surface, one of `SURFACES`."""
        return Times(self._words, surface)

    def tell_dropped(self, dropped: int) -> None:
        """Set how many uses this process has not kept since it started."""
        self._words[_DROPPED_AT] = self._dropped_before + dropped

    def render(self, context: Context) -> bytes:
        """The metrics of the node in Prometheus' text format."""
        registry = CollectorRegistry()
        registry.register(_Told([*_counted(self._tallies.totals()), *_level(context)]))
        return generate_latest(registry)

    def close(self) -> None:
        """Leave what was counted to the next process."""
        self._tallies.close()


class Times:
    """How long the answers of one surface took, by status."""

    def __init__(self, words: memoryview, surface: str) -> None:
        self._words = words
        self._at = {status: _TIME_AT[surface, status] for status in _STATUSES}

    def observe(self, status: int, elapsed_ns: int) -> None:
        """Count one answered request."""
        at, words = self._at.get(status) or self._at[OTHER_STATUS], self._words
        words[at + bisect_left(_BOUNDS, elapsed_ns)] += 1
        words[at + _SUM] += elapsed_ns


class _Told(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _counted(totals: Sequence[int]) -> Iterator[Metric]:
    verdicts = CounterMetricFamily("keystead_verdicts", "Attempts judged, by outcome.", labels=["outcome"])
    for outcome, count in zip(_OUTCOMES, totals, strict=False):
        verdicts.add_metric([outcome], count)
    yield verdicts
    dropped = CounterMetricFamily("keystead_uses_dropped", "Accepted attempts that were not counted as uses.")
    dropped.add_metric([], totals[_DROPPED_AT])
    yield dropped
    yield _times(totals)


def _times(totals: Sequence[int]) -> Metric:
    times = HistogramMetricFamily(
        "keystead_request_seconds",
        "Time to answer a request, by surface and status.",
        labels=["surface", "status"],
    )
    for (surface, status), at in _TIME_AT.items():
        buckets, sum_ns = totals[at : at + _SUM], totals[at + _SUM]
        if any(buckets):
            labels = [surface, str(status) if status else "other"]
            times.add_metric(labels, _cumulative(buckets), sum_ns / _NS_PER_S)
    return times


def _cumulative(buckets: Sequence[int]) -> list[tuple[str, float]]:
    bounds = [*(str(bound / _NS_PER_S) for bound in _BOUNDS), "+Inf"]
    return [(bound, sum(buckets[: place + 1])) for place, bound in enumerate(bounds)]


def _level(context: Context) -> Iterator[Metric]:
    """How level this node is with the database: alike in all its processes."""
    age_ms = context.replica.age_ms()
    gauges = (
        (
            "keystead_replica_age_seconds",
            "Time since the node was last level with the database.",
            age_ms / 1000,
        ),
        ("keystead_replica_applied_epoch", "The newest epoch applied.", context.replica.applied_epoch()),
        (
            "keystead_degraded",
            "1 while the node has not proved itself level for longer than KEYSTEAD_FRESH_FOR.",
            int(age_ms >= context.freshness.fresh_for_ms),
        ),
    )
    for name, text, value in gauges:
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], value)
        yield gauge
