"""`python -m tests.kills --rounds 100`: that many calls killed in each window.

They are spread over both databases. Prints a table; exits non-zero at the first broken promise.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import Any

from tests.support.standalone import ENGINES, ChildFailed, run

COLUMNS = ("kills", "calls", "executed", "unknown", "twice")


def main() -> int:
    """Run every chosen database in turn, then print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="calls killed in each window")
    parser.add_argument("--batch", type=int, default=10, help="calls in the window per kill")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    options = parser.parse_args()
    chosen = ENGINES if options.engine == "both" else (options.engine,)
    share = -(-options.rounds // len(chosen))
    rows: list[dict[str, Any]] = []
    for engine in chosen:
        print(f"{engine}: {share} calls in each of four windows …", flush=True)
        try:
            rows += run(
                "tests.kills.single", engine=engine, arguments=[str(share), str(options.batch)]
            )
        except ChildFailed as failure:
            print(f"A promise was broken, see above: {failure}", file=sys.stderr)
            return 1
    print_table(rows)
    late = [f"{row['engine']}, {row['window']}" for row in rows if row["late"]]
    if late:
        print(f"Said to be unknown later than promised: {'; '.join(late)}", file=sys.stderr)
    return 1 if late else 0


def print_table(rows: list[dict[str, Any]]) -> None:
    """What became of every call."""
    widths = {"database": 10, "killed": 40, **dict.fromkeys(COLUMNS, 8), "settled p50/max s": 18}
    print(" ".join(name.ljust(width) for name, width in widths.items()))
    for row in rows:
        settled = f"{statistics.median(row['settled']):.1f} / {max(row['settled']):.1f}"
        cells = [row["engine"], row["window"], *(row[name] for name in COLUMNS), settled]
        print(" ".join(str(c).ljust(w) for c, w in zip(cells, widths.values(), strict=True)))


if __name__ == "__main__":
    sys.exit(main())
