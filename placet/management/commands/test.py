"""`manage.py test`: the whole suite, provisioned; arguments go to pytest.

The suite is not part of the running product; this command only hands over to it.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from placet.up.programs import ROOT


class Command(BaseCommand):
    """Replaces this process by the suite's runner."""

    help = "Provision and run the whole suite; arguments are handed to pytest."
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        """Hand everything after `test` to the runner, unread."""
        if not (ROOT / "tests" / "suite.py").exists():
            raise CommandError("There is no tests/ folder here: the suite comes with a checkout.")
        os.chdir(ROOT)
        os.execv(  # noqa: S606  # the runner takes over, with its exit code
            sys.executable, [sys.executable, "-m", "tests.suite", *argv[2:]]
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Never reached: `run_from_argv` does not return."""
