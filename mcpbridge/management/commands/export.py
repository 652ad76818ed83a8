"""`manage.py export`: the installation as a file for `manage.py apply`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mcpbridge.administration import Refused
from mcpbridge.configuration import export_document, places_of_secrets, write_yaml


class Command(BaseCommand):
    """Prints the configuration as YAML, without sealed secrets, passwords or tokens.

    Commands and plain variables are printed as they are, since `apply` has to take them back; where
    one looks like a secret, standard error says so.
    """

    help = "Print users, teams, groups, agents, upstreams, tools and policy as YAML."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print the document to standard output."""
        try:
            document = export_document()
        except Refused as refused:
            raise CommandError(refused.message) from refused
        for place in places_of_secrets(document):
            self.stderr.write(
                f"Placet: {place} looks like a secret and is printed in clear; environment_env or"
                " headers_env would keep it sealed."
            )
        self.stdout.write(write_yaml(document), ending="")
