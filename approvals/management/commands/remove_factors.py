"""`manage.py remove_factors EMAIL`: for somebody who lost passkey, app and recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from approvals.domain.inspection import one_line
from approvals.models import User
from approvals.services.credentials import remove_all


class Command(BaseCommand):
    """The password then opens the account again; the removal is on record and its owner is told."""

    help = "Remove every passkey, authenticator app and recovery code of an account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the account's address."""
        parser.add_argument("email", help="the account's e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Remove, record and print what was removed."""
        with transaction.atomic(durable=True):
            user = User.objects.filter(email__iexact=options["email"]).first()
            if user is None:
                raise CommandError(f"There is no account {one_line(options['email'])}.")
            removed = remove_all(user=user, actor="system:console")
        self.stdout.write(", ".join(removed) or "There was nothing to remove.")
