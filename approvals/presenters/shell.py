"""What stands around every page: who is signed in, what waits for them, whether calls run.

Knows nothing of the page inside.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from approvals import conf
from approvals.models import Gate, User
from approvals.presenters.words import script_words
from approvals.selectors.counting import needs_count
from approvals.selectors.readers import Reviewer, reviewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """The frame's facts for one signed-in person."""

    name: str
    email: str
    is_admin: bool
    sees_audit: bool
    needs_you: int
    killed: bool
    since: datetime | None
    server_now: datetime  # the ticker corrects the browser's clock by it
    zone: str  # the time zone that the person chose; empty for the browser's own
    words: str  # what the page's scripts say, as JSON


def shell_for(user: User, *, reader: Reviewer | None = None, needs: int | None = None) -> Shell:
    """The frame for `user`; `reader` and how much `needs` them, where the page has read it."""
    if needs is None:
        needs = needs_count(reader or reviewer(user.person, one_person=conf.one_person()))
    gate = Gate.objects.values("killed", "killed_at").first()
    person = user.person
    return Shell(
        name=person.name,
        email=user.email,
        is_admin=person.is_admin,
        sees_audit=person.is_admin or person.is_auditor,
        needs_you=needs,
        killed=gate is None or gate["killed"],
        since=gate["killed_at"] if gate else None,
        server_now=timezone.now(),
        zone=person.time_zone,
        words=json.dumps(script_words()),
    )
