"""What Prometheus reads: counted from rows at each scrape, hence the same from every process."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from approvals import api
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
        workers = GaugeMetricFamily(
            "placet_worker_last_seen_seconds", "Age of a worker's sign of life.", labels=["worker"]
        )
        for name, age in sorted(heartbeats.ages("worker").items()):
            workers.add_metric([name], age)
        yield workers


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RowCollector())
    return generate_latest(registry)
