"""`manage.py export`: the installation as a file for `manage.py apply`."""

from typing import Any

import yaml
from django.core.management.base import BaseCommand

from mcpbridge.configuration import export_document


class Command(BaseCommand):
    """Prints the configuration as YAML, without secrets, passwords or tokens."""

    help = "Print users, teams, groups, agents, upstreams, tools and policy as YAML."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print the document to standard output."""
        text = yaml.safe_dump(export_document(), sort_keys=False, allow_unicode=True)
        self.stdout.write(text, ending="")
