"""`manage.py verify_approval TICKET`: whose approvals a ticket has, and whether each was signed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from approvals.audit.approvals_verification import Checked, verify_approvals
from approvals.audit.snapshot import one_snapshot
from approvals.domain.inspection import one_line
from approvals.models import Ticket

LINE: Final = 500  # characters
HOW: Final = {
    "signed": "SIGNED with the passkey “{key}”",
    "unsigned": "NOT SIGNED: a code from an authenticator app",
    "session": "NOT SIGNED: by a signed-in session",
}


class Command(BaseCommand):
    """Exits with 1 when an approval is not what it claims to be."""

    help = "Check a ticket's approvals offline: who, when, with which passkey, signed or not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the ticket's number or uid."""
        parser.add_argument("ticket", help="the ticket's number, or its uid")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, print one line for each approval, and fail on any break."""
        with one_snapshot():
            ticket = _ticket(options["ticket"])
            report = verify_approvals(ticket)
        name = one_line(f"{ticket.upstream_name}.{ticket.tool_name}")
        self.stdout.write(f"Ticket {ticket.pk} ({name}), {one_line(ticket.state)}")
        self.stdout.write(f"  digest {bytes(ticket.digest).hex()}, revision {ticket.revision}")
        for note in report.notes:
            self.stdout.write(f"  note: {note}")
        if ticket.grant_id is not None:
            self.stdout.write(f"  approved by the standing permission {ticket.grant_id}")
        elif not report.approvals:
            self.stdout.write("  nobody has approved it")
        for approval in report.approvals:
            self.stdout.write(f"  {_line(approval)}")
            for problem in approval.problems:
                self.stderr.write(f"  BROKEN {one_line(problem, limit=LINE)}")
        for problem in report.problems:
            self.stderr.write(f"  BROKEN {one_line(problem, limit=LINE)}")
        if report.broken:
            raise CommandError(f"The approvals of ticket {ticket.pk} do not hold.")


def _ticket(given: str) -> Ticket:
    tickets = Ticket.objects.select_related("arguments")
    try:
        uid = UUID(given)
    except ValueError:
        uid = None
    found = None
    if uid is not None:
        found = tickets.filter(uid=uid).first()
    elif given.isascii() and given.isdigit() and len(given) < 19:
        found = tickets.filter(pk=int(given)).first()
    if found is None:
        raise CommandError(f"There is no ticket {one_line(given)}; give its number or its uid.")
    return found


def _line(approval: Checked) -> str:
    who = one_line(f"{approval.person} <{approval.account}>")
    how = HOW[approval.how].format(key=one_line(approval.key))
    rest = "" if approval.counts else f", does not count (revision {approval.revision})"
    return f"{approval.at:%Y-%m-%d %H:%M:%S} UTC  {who}  {how}{rest}"
