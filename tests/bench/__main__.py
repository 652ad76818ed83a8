"""`python -m tests.bench [name …] [--engine …] [--json FILE]`: figures, never judged as times.

Trust ratios within one run more than single figures; nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.bench.figures import Row, table
from tests.support.standalone import ENGINES, ChildFailed, run

BENCHES = {
    "decisions": "from a decision to the agent, and to the upstream's first byte",
    "allowed": "an allowed call through Placet, directly and by other ways, interleaved",
    "paused": "many calls paused at once in one web process, and what the others notice",
    "tickets": "tickets opened, decided, claimed, sent and settled, each step committed",
    "sockets": "many reviewers' sockets: from a ticket's commit to each of them",
    "pages": "queries and time of the inbox and of a ticket's page",
    "million": "the reviewers' pages over a million past tickets, with their queries' plans",
}
ON_REQUEST = frozenset({"million"})
READING = frozenset({"million"})  # its rows are only there to be read: none waits for the disk


def main() -> int:
    """Run the chosen benches on the chosen databases and print a table each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHES)}; all by default")
    parser.add_argument("--engine", choices=(*ENGINES, "both"), default="both")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--calls", type=int, help="how many calls `paused` pauses")
    parser.add_argument("--sockets", type=int, help="how many sockets `sockets` opens")
    parser.add_argument("--past", type=int, help="how many past tickets `million` has")
    parser.add_argument("--open", type=int, help="how many open ones")
    parser.add_argument("--json", type=Path, help="write all rows to this file as well")
    options = parser.parse_args()
    names = options.names or [name for name in BENCHES if name not in ON_REQUEST]
    unknown = set(names) - set(BENCHES)
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {list(BENCHES)}")
    engines = ENGINES if options.engine == "both" else (options.engine,)
    sizes = {"paused": options.calls, "sockets": options.sockets}
    tickets = [f"past={options.past}"] if options.past else []
    tickets += [f"open={options.open}"] if options.open else []
    everything: dict[str, list[Row]] = {}
    for name in names:
        rows: list[Row] = []
        size = sizes.get(name)
        arguments = [*(["quick"] if options.quick else []), *([str(size)] if size else [])]
        arguments += tickets if name == "million" else []
        for engine in engines:
            try:
                found = run(
                    f"tests.bench.{name}",
                    engine=engine,
                    arguments=arguments,
                    durable=name not in READING,
                )
            except ChildFailed as failure:
                print(failure, file=sys.stderr)
                return 1
            rows += [{"database": engine, **row} for row in found]
        print(f"\n{name}: {BENCHES[name]}\n{table(rows)}", flush=True)
        everything[name] = rows
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
