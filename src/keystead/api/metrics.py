"""Prometheus metrics: labels come from closed sets, never ids."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from keystead.domain.verdict import Reason

CONTENT_TYPE = CONTENT_TYPE_LATEST
ACCEPTED = "ACCEPTED"


class Metrics:
    """What this process counts."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._verdicts = Counter(
            "keystead_verdicts", "Attempts judged, by outcome.", ["outcome"], registry=self._registry
        )
        self._requests = Histogram(
            "keystead_request_seconds",
            "Time to answer a request, by surface and status.",
            ["surface", "status"],
            registry=self._registry,
        )
        for outcome in (ACCEPTED, *Reason):
            self._verdicts.labels(outcome)

    def count_verdict(self, reason: Reason | None) -> None:
        """Count one attempt; `reason` None was accepted."""
        self._verdicts.labels(ACCEPTED if reason is None else reason).inc()

    def observe_request(self, surface: str, status: int, seconds: float) -> None:
        """Count one answered request; `surface` is one of a closed set."""
        self._requests.labels(surface, str(status)).observe(seconds)

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)
