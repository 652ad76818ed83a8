"""`manage.py prepare`: bring the rows up to date, and make the first account if there is none."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from placet.up.first_admin import AdminRefused, prepare


class Command(BaseCommand):
    """For installations whose processes are started by something else than `up`."""

    help = "Migrate, and make the first account if there is none. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare the rows and say who may sign in."""
        try:
            admin = prepare(settings.ENV)
        except AdminRefused as refusal:
            raise CommandError(str(refusal)) from None
        if admin.password:
            self.stdout.write(
                f"Sign in as {admin.email} with {admin.password} (shown once; change it soon)."
            )
        elif admin.made:
            self.stdout.write(f"Sign in as {admin.email}.")
