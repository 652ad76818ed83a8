"""`manage.py export`: the installation as a file for `manage.py apply`."""

from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError

from mcpbridge.administration import Refused
from mcpbridge.configuration import export_document


class Command(BaseCommand):
    """Prints the configuration as YAML, without secrets, passwords or tokens."""

    help = "Print users, teams, groups, agents, upstreams, tools and policy as YAML."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print the document to standard output."""
        try:
            document = export_document()
        except Refused as refused:
            raise CommandError(refused.message) from refused
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        self.stdout.write(text, ending="")
