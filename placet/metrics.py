"""What Prometheus reads: counted from rows at each scrape, hence the same from every process."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from approvals import api

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class RowCollector:
    """Reads the rows when a scrape asks."""

    def collect(self) -> Iterator[Metric]:
        """One family per figure; a figure that is a mapping gets one sample per key."""
        for name, figure in sorted(api.ledger_figures().items()):
            samples = figure if isinstance(figure, dict) else {"": figure}
            labels = ["of"] if isinstance(figure, dict) else []
            family = GaugeMetricFamily(
                f"placet_{name}", f"{name.replace('_', ' ')}.", labels=labels
            )
            for label, value in samples.items():
                family.add_metric([str(label)] if labels else [], float(value))
            yield family


def render() -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(RowCollector())
    return generate_latest(registry)
