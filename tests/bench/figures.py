"""Percentiles and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

type Row = dict[str, Any]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(seconds: Sequence[float]) -> Row:
    """Median and 99th percentile."""
    return {
        "n": len(seconds),
        "p50 ms": round(percentile(seconds, 0.5) * 1000, 2),
        "p99 ms": round(percentile(seconds, 0.99) * 1000, 2),
    }


def table(rows: Sequence[Row]) -> str:
    """Rows of the same keys under one heading."""
    heads = list(rows[0])
    cells = [[str(row[head]) for head in heads] for row in rows]
    widths = [max(len(head), *(len(line[at]) for line in cells)) for at, head in enumerate(heads)]
    lines = [heads, ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
