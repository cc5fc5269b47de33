"""What Prometheus is told of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from schemask.core.cache import CacheStats

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_MASK_SECONDS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.5)


class Metrics:
    """Counts and times of one server.

    Args:
        running: How many requests are generated for.
        waiting: How many wait for that.
        cache: What the cache of grammars did.
    """

    def __init__(
        self,
        running: Callable[[], int],
        waiting: Callable[[], int],
        cache: Callable[[], CacheStats],
    ) -> None:
        own = self._registry = CollectorRegistry()
        self.requests = Counter(
            "schemask_requests", "Requests, by their answer.", ["endpoint", "status"], registry=own
        )
        self.refusals = Counter(
            "schemask_refusals", "Requests that were not served, by cause.", ["code"], registry=own
        )
        self.gone = Counter(
            "schemask_gone", "Requests whose client went, or did not read.", registry=own
        )
        self.tokens = Counter(
            "schemask_tokens", "Tokens of prompts and of answers.", ["kind"], registry=own
        )
        self.first_token = Histogram(
            "schemask_time_to_first_token_seconds",
            "From the arrival of a request to the first text of its answer.",
            buckets=_SECONDS,
            registry=own,
        )
        self.seconds = Histogram(
            "schemask_request_seconds",
            "From the arrival of a request to the end of its answer.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=own,
        )
        self._masks = Histogram(
            "schemask_masks_seconds",
            "What the masks of one pass of the model took, all texts together.",
            buckets=_MASK_SECONDS,
            registry=own,
        )
        self._mask_count = Counter("schemask_masks", "Masks that were made.", registry=own)
        gauges = {"running": running, "waiting": waiting}
        for name, told in gauges.items():
            gauge = Gauge(f"schemask_{name}", f"Requests that are {name}.", registry=own)
            gauge.set_function(told)
        own.register(_CacheCollector(cache))

    def masked(self, count: int, seconds: float) -> None:
        """Notes the masks of one pass of the model.

        Args:
            count: How many there were.
            seconds: What they took together.
        """
        self._mask_count.inc(count)
        self._masks.observe(seconds)

    def text(self) -> bytes:
        """All of them, in Prometheus' format."""
        return generate_latest(self._registry)


class _CacheCollector:
    """Tells what a cache of grammars did."""

    def __init__(self, cache: Callable[[], CacheStats]) -> None:
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        stats = self._cache()
        yield GaugeMetricFamily("schemask_grammars", "Compiled grammars that are kept.", stats.size)
        told = {"hits": stats.hits, "misses": stats.misses, "evictions": stats.evicted}
        for name, count in told.items():
            text = f"Compiled grammars: {name} of the cache."
            yield CounterMetricFamily(f"schemask_grammar_cache_{name}", text, count)
