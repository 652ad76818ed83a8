"""`manage.py sample_agent`: the sample's agent, as a process of its own."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.api import spelled
from placet.sample.agent import GatewaySilent, SampleCall, TokenRefused, run, text_of
from placet.sample.seed import SampleFiles, note_outcome


class Command(BaseCommand):
    """Asks for a commit, waits for people, and prints what it was told."""

    help = "Run the sample agent; it asks once, and again with --again."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to ask although an earlier call has its answer."""
        parser.add_argument("--again", action="store_true", help="ask for another commit")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run until the call is decided."""
        files = SampleFiles(folder=settings.ENV.data_dir.resolve() / "sample")
        if files.outcome.exists() and not options["again"]:
            self._say("has its answer already; `manage.py sample_agent --again` asks once more")
            return
        if not files.token.exists():
            raise CommandError("there is no sample here; `manage.py seed_sample` makes it")
        call = SampleCall(
            url=f"{settings.PLACET_PUBLIC_URL.rstrip('/')}/mcp",
            token=files.token.read_text(encoding="utf-8"),
            repository=files.repository,
        )
        try:
            result = asyncio.run(run(call, self._say))
        except (GatewaySilent, TokenRefused) as problem:
            raise CommandError(str(problem)) from problem
        note_outcome(files, told=text_of(result), is_error=bool(result.is_error))

    def _say(self, words: str) -> None:
        """Print what may be an upstream's words: no line of them poses as anybody else's."""
        for line in spelled(words).split("\n"):
            self.stdout.write(f"sample-agent {line}")
        self.stdout.flush()
