"""What Prometheus reads: counted from rows at each scrape, hence the same from every process."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from approvals import api
from mcpbridge.catalog.health import upstream_health
from mcpbridge.records import recent_calls
from placet import heartbeats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RowCollector:
    """Reads the rows when a scrape asks."""

    def collect(self) -> Iterator[Metric]:
        """The ledger's figures, the recent calls, and the workers' signs of life."""
        for name, figure in sorted(api.ledger_figures().items()):
            yield GaugeMetricFamily(f"placet_{name}", name.replace("_", " "), value=figure)
        calls = GaugeMetricFamily(
            "placet_calls_last_minute",
            "Calls that policy allowed or denied outright and that started within a minute.",
            labels=["verdict", "ended"],
        )
        for (verdict, ended), number in recent_calls().items():
            calls.add_metric([verdict, ended], number)
        yield calls
        yield from _upstreams()
        workers = GaugeMetricFamily(
            "placet_worker_last_seen_seconds", "Age of a worker's sign of life.", labels=["worker"]
        )
        for name, age in sorted(heartbeats.ages("worker").items()):
            workers.add_metric([name], age)
        yield workers


def _upstreams() -> Iterator[Metric]:
    failing = GaugeMetricFamily(
        "placet_upstream_failing", "1 while its tools cannot be read.", labels=["upstream"]
    )
    silent = GaugeMetricFamily(
        "placet_upstream_last_contact_seconds",
        "Time since its tools were last read.",
        labels=["upstream"],
    )
    unsandboxed = GaugeMetricFamily(
        "placet_upstream_unsandboxed",
        "1 while a stdio server of it runs without a sandbox.",
        labels=["upstream"],
    )
    for found in upstream_health():
        failing.add_metric([found.name], found.failing)
        unsandboxed.add_metric([found.name], found.unsandboxed)
        if found.silent_seconds is not None:
            silent.add_metric([found.name], found.silent_seconds)
    yield from (failing, silent, unsandboxed)


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RowCollector())
    return generate_latest(registry)
