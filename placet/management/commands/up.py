"""`manage.py up`: set everything up and run a whole installation until Ctrl-C."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from placet.env import Environment
from placet.keys import KeyRefused
from placet.up.broker import BrokerMissing
from placet.up.first_admin import AdminRefused, prepare
from placet.up.ground import GroundRefused, prepare_folders, take_lock
from placet.up.start import Ground, start


class Command(BaseCommand):
    """Prepares the database and starts every program."""

    help = "Set everything up and run Placet on this machine until Ctrl-C."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start, and wait for the end."""
        environment: Environment = settings.ENV
        try:
            logs = prepare_folders(environment.data_dir, environment.run_dir)
            lock = take_lock(environment.data_dir)
            ground = Ground(
                environment=environment,
                lock=lock,
                logs=logs,
                prepare=partial(prepare, environment),
            )
            code = start(ground)
        except (GroundRefused, KeyRefused, AdminRefused, BrokerMissing) as refusal:
            raise CommandError(str(refusal)) from None
        if code:
            raise SystemExit(code)
