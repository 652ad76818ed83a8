"""`manage.py up`: set everything up and run a whole installation until Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from placet.env import Environment
from placet.keys import KeyRefused
from placet.up.broker import BrokerMissing
from placet.up.first_admin import AdminRefused, FirstAdmin, ensure_admin
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
            code = start(Ground(environment=environment, lock=lock, logs=logs, prepare=prepare))
        except (GroundRefused, KeyRefused, AdminRefused, BrokerMissing) as refusal:
            raise CommandError(str(refusal)) from None
        if code:
            raise SystemExit(code)


def prepare() -> FirstAdmin:
    """Bring the rows up to date: schema, first account, sample."""
    environment: Environment = settings.ENV
    try:
        call_command("migrate", interactive=False, verbosity=0)
        admin = ensure_admin(environment)
        if environment.sample:
            call_command("seed_sample")
        return admin
    finally:
        connections.close_all()
