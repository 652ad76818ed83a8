"""A Celery worker with a planted bug: it sends every approved call a second time.

Run as `python -m tests.kills.planted …` with Celery's own arguments. It shows that the judge of
the kills can find someone guilty.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import django
from celery.__main__ import main as celery

from placet.up.programs import Program, worker


def program() -> Program:
    """The bad worker, started as the good one is."""
    good = worker(4)
    at = good.argv.index("celery")
    return Program(
        name="planted", argv=(*good.argv[:at], "tests.kills.planted", *good.argv[at + 1 :])
    )


def main() -> None:
    """Plant the bug, then be a worker."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
    django.setup()
    tickets = importlib.import_module("mcpbridge.executor.tickets")
    once = tickets.make_call

    async def twice(*arguments: Any, **named: Any) -> Any:
        await once(*arguments, **named)
        return await once(*arguments, **named)

    tickets.make_call = twice  # type: ignore[attr-defined]
    sys.exit(celery())


if __name__ == "__main__":
    main()
