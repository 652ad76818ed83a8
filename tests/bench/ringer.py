"""A process of its own that opens and decides tickets of several teams, and says when.

Started with an installation's environment, so that its doorbells are the real ones. Reads one line,
`{"teams": […], "events": n, "per_second": r}`, and prints one line for each event, with the time
of its commit.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import django
from django.db import connection


@dataclass
class Commits:
    """Notes when the last transaction was committed, before anybody is told of it."""

    at: float = 0.0

    def watch(self) -> None:
        """From now on."""
        connection.ensure_connection()
        commit: Any = connection._commit

        def noted() -> None:
            commit()
            self.at = time.time()

        connection._commit = noted  # type: ignore[attr-defined]  # of the wrapper behind the proxy


def main() -> None:
    """Ring as asked, then end."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
    django.setup()
    api: Any = importlib.import_module("approvals.api")
    models: Any = importlib.import_module("approvals.models")
    commits = Commits()
    commits.watch()
    print("ready", flush=True)
    asked = json.loads(sys.stdin.readline())
    pause = threading.Event()
    open_ticket: Any = None
    for number in range(asked["events"]):
        began = time.monotonic()
        if open_ticket is None:
            team = asked["teams"][number // 2 % len(asked["teams"])]
            open_ticket = (team, _opened(api, team))
            team, uid = open_ticket
        else:
            team, uid = open_ticket
            open_ticket = None
            _rejected(api, models, team, uid)
        row = models.Ticket.objects.get(uid=uid)
        told = {"uid": str(uid), "version": row.version, "team": team["team"]}
        print(json.dumps({**told, "committed": commits.at}), flush=True)
        pause.wait(max(0.0, 1 / asked["per_second"] - (time.monotonic() - began)))


def _opened(api: Any, team: dict[str, Any]) -> UUID:
    call = api.Submission(
        agent_id=UUID(team["agent"]),
        agent_name="robo",
        token_id=None,
        team_id=UUID(team["team"]),
        person_id=UUID(team["owner"]),
        upstream_id=uuid4(),
        upstream_name="files",
        upstream_digest=bytes(32),
        tool_name="delete_file",
        tool_digest=bytes(32),
        tool_definition={"name": "delete_file", "inputSchema": {"type": "object"}},
        arguments=api.canonical_bytes({"path": secrets.token_hex(8)}),
        waiting=api.Waiting.TASK,
    )
    facts = api.CallFacts(upstream="files", tool="delete_file", agent="robo")
    uid: UUID = api.submit(call=call, judgement=api.judge(facts)).ticket.uid
    return uid


def _rejected(api: Any, models: Any, team: dict[str, Any], uid: UUID) -> None:
    api.decide(
        uid=uid,
        user=models.User.objects.select_related("person").get(pk=team["reviewer"]),
        verdict=api.Answer.REJECT,
        seen_digest=bytes(models.Ticket.objects.get(uid=uid).digest),
        reason="",
        nonce=secrets.token_hex(16),
    )


if __name__ == "__main__":
    main()
