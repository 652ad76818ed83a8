"""`manage.py seed_sample`: the sample's repository, configuration and token."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from placet.sample.repository import GitMissing
from placet.sample.seed import ensure_sample


class Command(BaseCommand):
    """Makes whatever of the sample is not there yet; harmless to run again."""

    help = "Set up the sample: a scratch git repository, its MCP server, and an agent."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Seed, and say where the repository is."""
        environment = settings.ENV
        try:
            files = ensure_sample(
                data_dir=environment.data_dir, reviewer_email=environment.admin_email
            )
        except GitMissing as missing:
            raise CommandError(str(missing)) from missing
        self.stdout.write(f"The sample's repository is {files.repository}")
