"""`manage.py apply FILE.yaml`: configuration as code."""

import os
import sys
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.approvals_gateway import one_line, spelled
from mcpbridge.configuration import BadDocument, apply_document, parse_document, read_yaml

LINE: Final = 500  # characters


class Command(BaseCommand):
    """Brings the installation to what a file says; applying it again changes nothing."""

    help = "Apply users, teams, groups, agents, upstreams, tools and policy from a YAML file."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and whether only to say what would change."""
        parser.add_argument("file", help="the YAML file, or - for standard input")
        parser.add_argument(
            "--diff", action="store_true", help="print what would change, and change nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Read, apply in one transaction, and print one line per change."""
        path = options["file"]
        name = one_line(path)
        try:
            text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
            document = parse_document(read_yaml(text))
            report = apply_document(document, environment=os.environ, dry_run=options["diff"])
        except OSError as problem:
            raise CommandError(f"{name} cannot be read: {problem.strerror}") from problem
        except UnicodeDecodeError as problem:
            raise CommandError(f"{name} is not UTF-8: {problem.reason}") from problem
        except BadDocument as problem:
            raise CommandError(f"{name} was not applied.\n{spelled(str(problem))}") from problem
        for line in report.warnings:
            self.stderr.write(f"warning: {one_line(line, limit=LINE)}")
        for line in report.changes:
            self.stdout.write(one_line(line, limit=LINE))
        if not report.changes:
            self.stdout.write("nothing to change")
