"""`manage.py purge_payloads`: remove sealed payloads whose retention is over."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from approvals import conf
from approvals.audit.sealing import purge_older_than


class Command(BaseCommand):
    """Purges in small transactions; what an open ticket needs stays."""

    help = "Purge arguments, results and free text older than the retention time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take another age than the configured one."""
        parser.add_argument(
            "--days", type=float, default=None, help="age in days (default: the retention time)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Purge until nothing is left to purge."""
        days = options["days"] if options["days"] is not None else conf.retention_days()
        total = 0
        while purged := purge_older_than(days=days, actor="system:retention"):
            total += purged
        self.stdout.write(f"Purged {total} payloads older than {days:g} days.")
