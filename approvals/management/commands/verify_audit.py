"""`manage.py verify_audit`: replay the whole audit record and name every row that is broken."""

from __future__ import annotations

from argparse import ArgumentParser
from itertools import chain
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from approvals.audit.breaks import Break
from approvals.audit.checkpoints import read_exported
from approvals.audit.verification import verify
from approvals.domain.inspection import one_line
from approvals.models import AuditEvent, Checkpoint, Ticket

LINE: Final = 500  # characters


class Command(BaseCommand):
    """Exits with 1 when anything does not add up; the first line names the first broken row."""

    help = "Replay every audit chain and checkpoint; name the first row that does not add up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files of checkpoints that were kept elsewhere."""
        parser.add_argument(
            "--checkpoints",
            action="append",
            default=[],
            type=Path,
            metavar="FILE",
            help="checkpoints kept off this machine (JSON lines), to compare with",
        )
        parser.add_argument(
            "--limit", type=int, default=20, help="how many breaks to print (default 20)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, print, and fail on any break."""
        try:
            kept = list(chain.from_iterable(read_exported(path) for path in options["checkpoints"]))
        except (OSError, ValueError) as problem:
            raise CommandError(
                f"The exported checkpoints cannot be read: {one_line(str(problem), limit=LINE)}"
            ) from problem
        breaks = verify(exported=kept)
        if not breaks:
            self.stdout.write(
                f"The audit record adds up: {Ticket.objects.count()} tickets, "
                f"{AuditEvent.objects.count()} audit rows, "
                f"{Checkpoint.objects.count()} checkpoints."
            )
            return
        for found in breaks[: options["limit"]]:
            self.stderr.write(f"BROKEN {_line(found)}")
        raise CommandError(
            f"The audit record is broken in {len(breaks)} places; first: {_line(breaks[0])}"
        )


def _line(found: Break) -> str:
    """One break; whoever wrote into the rows may have written for this terminal."""
    return one_line(str(found), limit=LINE)
