"""`manage.py issue_token AGENT`: a new token for an agent, printed once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpbridge.administration import Refused, issue_token
from mcpbridge.administration.tokens import DEFAULT_DAYS
from mcpbridge.approvals_gateway import one_line
from mcpbridge.models import Agent


class Command(BaseCommand):
    """Prints the token alone on standard output; what to know about it goes to standard error."""

    help = "Issue a token for an agent. It is shown once and kept only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose token, for how long, and what it is for."""
        parser.add_argument("agent", help="the agent's name")
        parser.add_argument("--days", type=int, default=DEFAULT_DAYS, help="how long it is good")
        parser.add_argument("--label", default="", help="what it is for, as people will see it")

        parser.add_argument(
            "--audience", default="", help="the only MCP address it is good for (default: any here)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Issue and print."""
        name = options["agent"]
        agent = Agent.objects.filter(name=name).first()
        if agent is None:
            known = ", ".join(Agent.objects.order_by("name").values_list("name", flat=True)[:10])
            raise CommandError(f"there is no agent {one_line(name)!r}; known are {known or 'none'}")
        try:
            issued = issue_token(
                actor="system:issue_token",
                agent=agent,
                days=options["days"],
                label=options["label"],
                audience=options["audience"],
            )
        except Refused as refused:
            raise CommandError(refused.message) from refused
        self.stderr.write(
            f"Token for {agent.name}, good until {issued.expires_at:%Y-%m-%d}."
            " It is not shown again."
        )
        self.stdout.write(issued.secret)
