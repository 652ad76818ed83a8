"""A past of many tickets, put into PostgreSQL by plain statements.

Real tickets, made by the real services, are the patterns that rows are copied from; what pages
open is sealed for real. The guards are off meanwhile, and the rows have no chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from approvals.models import AuditEvent, Decision, KnownName, Payload, Ticket
from approvals.services import people
from tests.support.builders import Cast, a_cast, a_policy, a_ticket

PATTERNS: Final = 40
TEAMS: Final = ("", "-1", "-2", "-3")
ASKED_OTHERS: Final = 50  # tickets that ask the group of somebody who sees no others
KEPT_DAYS: Final = 30
TABLES: Final = (Ticket, Decision, Payload, AuditEvent, Ticket.groups.through)

_STATE: Final = """CASE
  WHEN h < 85 THEN 'succeeded' WHEN h < 91 THEN 'rejected' WHEN h < 94 THEN 'failed'
  WHEN h < 97 THEN 'expired' WHEN h < 99 THEN 'cancelled' ELSE 'outcome_unknown' END"""
_SENT: Final = f"({_STATE}) IN ('succeeded', 'failed', 'outcome_unknown')"


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """The people of a bench: an admin, reviewers of the first team, and one who sees few."""

    cast: Cast
    casts: tuple[Cast, ...]
    patterns: tuple[int, ...]


def a_crowd() -> Crowd:
    """Four teams and a handful of real tickets, some open and some over."""
    casts = tuple(a_cast(tag) for tag in TEAMS)
    people.ensure_group(slug="security")
    people.set_members(group="security", people=[casts[0].charlie.person_id])
    patterns = []
    for number in range(PATTERNS):
        walk = a_ticket(
            casts[0],
            arguments=f'{{"branch":"main","path":"/srv/reports/{number}"}}'.encode(),
            max_open_tickets=1000,
        ).pending()
        patterns.append(walk.ticket.pk)
    ended = [
        a_ticket(casts[0], arguments=f'{{"done":{n}}}'.encode(), max_open_tickets=1000)
        for n in range(3)
    ]
    ended[0].succeeded()
    ended[1].rejected_by(casts[0].bob)
    ended[2].unknown()
    a_policy(groups=["security"])
    a_ticket(casts[0], arguments=b'{"secret":1}', max_open_tickets=1000).pending()
    a_policy()
    return Crowd(cast=casts[0], casts=casts, patterns=tuple(patterns))


def fill(crowd: Crowd, *, past: int, still_open: int) -> None:
    """Copy the patterns: `past` tickets over the last 400 days, and `still_open` of this hour."""
    first = (Ticket.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) + 1
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SET work_mem = '512MB'")  # keys are sorted, so that their index only grows
        indexes = _without_indexes(cursor)
        numbers = {"first": first, "past": past, "all": past + still_open}
        cursor.execute(_payloads(), numbers)
        cursor.execute(_tickets(crowd), {**numbers, "patterns": list(crowd.patterns)})
        cursor.execute(_asked(crowd), numbers)
        cursor.execute(_decisions(crowd), numbers)
        cursor.execute(_events(), numbers)
        for statement in indexes:
            cursor.execute(statement)
        for table, key in (("approvals_ticket", "id"), ("approvals_ticket_groups", "id"),
                           ("approvals_auditevent", "id")):  # fmt: skip
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{key}'),"
                f" (SELECT max({key}) FROM {table}))"
            )
        for kind, column in (("agent", "agent_name"), ("upstream", "upstream_name"),
                             ("tool", "tool_name")):  # fmt: skip
            cursor.execute(
                f"INSERT INTO {KnownName._meta.db_table} (audience, kind, name, folded)"
                f" SELECT DISTINCT audience, '{kind}', {column}, lower({column})"
                " FROM approvals_ticket t CROSS JOIN LATERAL (VALUES (t.team_id), (t.person_id),"
                " ((SELECT g.reviewergroup_id FROM approvals_ticket_groups g"
                "   WHERE g.ticket_id = t.id LIMIT 1))) seen (audience)"
                " WHERE audience IS NOT NULL ON CONFLICT DO NOTHING"
            )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")


def _without_indexes(cursor: Any) -> list[str]:
    """Drop every index but primary keys and what points at one; the statements that make them."""
    tables = [model._meta.db_table for model in TABLES]
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " WHERE contype = 'u' AND conrelid::regclass::text = ANY(%s) AND NOT EXISTS"
        " (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.conindid = c.conindid)",
        [tables],
    )
    again = []
    for table, name, definition in cursor.fetchall():
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        again.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    cursor.execute(
        "SELECT indexdef, indexname FROM pg_indexes WHERE tablename = ANY(%s)"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        [tables],
    )
    for definition, name in cursor.fetchall():
        cursor.execute(f'DROP INDEX "{name}"')
        again.append(definition)
    return again


def _payloads() -> str:
    """A purged payload for each ticket whose retention is over."""
    return f"""
      INSERT INTO approvals_payload (id, kind, key_id, commitment, size, created_at, purged_at)
      SELECT md5('payload' || %(first)s || n)::uuid, 'arguments', 'gone', sha256('p'), 100,
             {_created()}, now()
      FROM generate_series(1, %(past)s) n
      WHERE {_created()} < now() - interval '{KEPT_DAYS} days'
      ORDER BY 1"""


def _created() -> str:
    return """(CASE WHEN n <= %(past)s
      THEN now() - interval '2 hours' - interval '400 days' * (1 - n::float8 / %(past)s)
      ELSE now() - interval '1 hour' * (1 - (n - %(past)s)::float8 / (%(all)s - %(past)s + 1))
    END)"""


def _tickets(crowd: Crowd) -> str:
    over = "n <= %(past)s"
    decided = f"CASE WHEN {over} AND ({_STATE}) NOT IN ('expired') THEN created END"
    expressions = {
        "id": "%(first)s + n",
        "uid": "gen_random_uuid()",
        "state": f"CASE WHEN {over} THEN {_STATE} ELSE 'pending' END",
        "agent_id": "md5('agent' || n %% 50)::uuid",
        "agent_name": "'agent-' || n %% 50",
        "upstream_id": "md5('upstream' || n %% 10)::uuid",
        "upstream_name": "'upstream-' || n %% 10",
        "tool_name": "CASE WHEN n %% 1000 = 7 THEN 'drop_rarely' ELSE 'tool_' || n %% 97 END",
        "team_id": _of_team([str(cast.team_id) for cast in crowd.casts]),
        "person_id": _of_team([str(cast.alice.person_id) for cast in crowd.casts]),
        "arguments_id": f"""CASE WHEN created < now() - interval '{KEPT_DAYS} days'
                            THEN md5('payload' || %(first)s || n)::uuid ELSE t.arguments_id END""",
        "digest": "sha256(('digest' || %(first)s || n)::bytea)",
        "repeat_key": "sha256(('repeat' || %(first)s || n)::bytea)",
        "risk": "CASE WHEN h %% 10 = 0 THEN 'high' WHEN h %% 10 < 4 THEN 'low' ELSE 'medium' END",
        "created_at": "created",
        "approval_expires_at": "created + interval '90 minutes'",
        "decided_at": decided,
        "ended_at": f"CASE WHEN {over} THEN created + interval '1 minute' END",
        "wound_up_at": f"CASE WHEN {over} THEN created + interval '1 minute' END",
        "execution_expires_at": f"CASE WHEN {over} THEN created + interval '5 minutes' END",
        "sent_at": f"CASE WHEN {over} AND {_SENT} THEN created END",
        "cancel_reason": f"CASE WHEN {over} AND ({_STATE}) = 'cancelled' THEN 'owner' ELSE '' END",
        "unknown_reason": f"""CASE WHEN {over} AND ({_STATE}) = 'outcome_unknown'
                              THEN 'timeout' ELSE '' END""",
        "annotated_at": f"""CASE WHEN {over} AND ({_STATE}) = 'outcome_unknown'
                            AND n < %(past)s - 2000 THEN created END""",
    }
    columns = [field.column for field in Ticket._meta.concrete_fields]
    values = ", ".join(expressions.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    return f"""
      INSERT INTO approvals_ticket ({names}) SELECT {values}
      FROM (SELECT n, abs(hashint4(n)) %% 100 AS h, {_created()} AS created
            FROM generate_series(1, %(all)s) n) AS numbers
      JOIN (SELECT row_number() OVER (ORDER BY id) - 1 AS slot, * FROM approvals_ticket
            WHERE id = ANY(%(patterns)s)) AS t ON t.slot = n %% {len(crowd.patterns)}
      ORDER BY n"""


def _of_team(values: list[str]) -> str:
    """One of these by the number's team: the first team has half of the tickets."""
    first, *others = values
    cases = " ".join(f"WHEN {at} THEN '{value}'::uuid" for at, value in enumerate(others))
    return f"CASE WHEN n %% 2 = 0 THEN '{first}'::uuid ELSE CASE (n / 2) %% 3 {cases} END END"


def _asked(crowd: Crowd) -> str:
    group = _of_team([str(cast.group_id) for cast in crowd.casts])
    return f"""
      INSERT INTO approvals_ticket_groups (ticket_id, reviewergroup_id)
      SELECT %(first)s + n, {group} FROM generate_series(1, %(all)s) n
      UNION ALL
      SELECT %(first)s + n, (SELECT id FROM approvals_reviewergroup WHERE slug = 'security')
      FROM generate_series(1, %(all)s) n WHERE n %% (%(all)s / {ASKED_OTHERS}) = 0
      ORDER BY 1"""


def _decisions(crowd: Crowd) -> str:
    person = _of_team([str(cast.bob.person_id) for cast in crowd.casts])
    user = _of_team([str(cast.bob.pk) for cast in crowd.casts])
    return f"""
      INSERT INTO approvals_decision
        (id, ticket_id, revision, person_id, user_id, verdict, seen_digest, nonce, created_at)
      SELECT gen_random_uuid(), %(first)s + n, 1, {person}, {user},
             CASE WHEN ({_STATE}) = 'rejected' THEN 'reject' ELSE 'approve' END,
             sha256(('digest' || %(first)s || n)::bytea), 'n' || n, created
      FROM (SELECT n, abs(hashint4(n)) %% 100 AS h, {_created()} AS created
            FROM generate_series(1, %(past)s) n) AS numbers
      ORDER BY 1"""


def _events() -> str:
    """Two links of each chain, enough to make the table large."""
    return """
      INSERT INTO approvals_auditevent
        (subject, seq, at, actor, action, source, target, fence, detail, previous, hash)
      SELECT 'ticket:' || uid, seq, created_at, 'system:gateway',
             CASE seq WHEN 1 THEN 'opened' ELSE 'approved' END, '', '', 0, '{}',
             sha256('p'), sha256('h')
      FROM approvals_ticket CROSS JOIN generate_series(1, 2) seq
      WHERE id > %(first)s"""
