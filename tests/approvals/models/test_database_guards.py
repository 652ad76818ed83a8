"""What the database itself refuses, whoever asks and with whatever tool."""

import importlib
import pkgutil
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from approvals import migrations
from approvals.audit.checkpoints import seal_checkpoint
from approvals.domain.states import EDGES, TERMINAL, State
from approvals.models import Gate, Ticket, database_now
from approvals.models.guards import GUARDS
from tests.support import ledger

pytestmark = pytest.mark.both_engines
migration = importlib.import_module("approvals.migrations.0002_guards")
every_migration = [
    importlib.import_module(f"approvals.migrations.{found.name}")
    for found in pkgutil.iter_modules(migrations.__path__)
    if not found.name.startswith("_")
]


def refused(statement, *parameters):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_the_triggers_know_the_same_edges_as_the_code():
    assert set(migration.EDGES) == {(e.source.value, e.target.value) for e in EDGES if e.source}
    assert set(migration.TERMINAL) == {state.value for state in TERMINAL}


def test_every_column_of_a_ticket_has_its_rule():
    known = {*migration.IDENTITY, *migration.BOUND, *migration.MOVING, *migration.UNCOUNTED}
    assert known == {f.column for f in Ticket._meta.concrete_fields} - {"version"}


def test_the_list_of_triggers_is_what_the_migration_installs(db):
    installed = [
        trigger for module in every_migration for trigger in getattr(module, "TRIGGERS", ())
    ]
    assert set(GUARDS) == {trigger.name for trigger in installed}
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(catalog)
        there = {name for (name,) in cursor.fetchall()}
    calls = {
        f"mcpbridge_{table}_no_{event}"
        for table in ("callrecord", "callcompletion", "questionrecord", "questionanswer")
        for event in ("update", "delete", "truncate")
    }
    wanted = set(GUARDS) | calls
    if connection.vendor == "sqlite":
        wanted = {name for name in wanted if not name.endswith("_no_truncate")}
    assert wanted <= there


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("approvals_auditevent", "actor"),
        ("approvals_checkpoint", "key_id"),
        ("approvals_checkpointleaf", "row"),
        ("approvals_decision", "verdict"),
        ("approvals_policyversion", "note"),
        ("approvals_ticket_groups", "ticket_id"),
    ],
)
def test_facts_are_never_updated_nor_deleted(story, table, column):
    refused(f'UPDATE "{table}" SET "{column}" = "{column}"')
    refused(f'DELETE FROM "{table}"')


@pytest.mark.parametrize(
    "table", ["approvals_ticket", "approvals_payload", "approvals_grant", "approvals_gate"]
)
def test_rows_that_move_are_never_deleted(story, table):
    refused(f'DELETE FROM "{table}"')


@pytest.mark.postgres
@pytest.mark.parametrize("name", [n for n in GUARDS if n.endswith("_no_truncate")])
def test_no_guarded_table_is_truncated(db, name):
    refused(f'TRUNCATE "{name.removesuffix("_no_truncate")}" CASCADE')


@pytest.fixture
def story(db):
    cast = ledger.a_cast()
    ticket = ledger.a_sent(cast)
    ledger.a_grant(cast, ticket)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO approvals_policyversion (document, digest, note, published_at) "
            "VALUES ('{}', %s, '', %s)",
            [b"p" * 32, database_now()],
        )
    assert seal_checkpoint()
    return cast


@pytest.mark.parametrize("source", list(State))
@pytest.mark.parametrize("target", list(State))
def test_a_state_moves_along_an_edge_or_not_at_all(db, source, target):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    condition = next(t.when for t in migration.TRIGGERS if t.name == "ticket_moves_along_edges")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM (SELECT %s AS state) AS old_row, (SELECT %s AS state) AS new_row "
            f"WHERE {condition.replace('OLD.', 'old_row.').replace('NEW.', 'new_row.')}",
            [source.value, target.value],
        )
        is_refused = cursor.fetchone() is not None
    legal = source == target or (source, target) in {(e.source, e.target) for e in EDGES}
    assert is_refused is not legal


UPDATES = {
    "an edge that does not exist": "state = 'succeeded'",
    "a new digest": "digest = nonce",
    "another agent": "agent_name = 'mallory'",
    "another tool": "tool_name = 'rm'",
    "another tool definition": "tool_digest = digest",
    "more attempts": "max_attempts = 9",
    "more time to decide": "approval_expires_at = created_at",
    "softer obligations": "obligations = '{}'",
    "a smaller fence": "fence = fence - 1",
    "a fence without a move": "fence = fence + 1",
    "fewer requests": "requests = 0",
    "an attempt that was not sent": "attempts = attempts + 1",
    "an older epoch": "gate_epoch = gate_epoch - 1",
    "a revision after the decision": "revision = revision + 1",
}


@pytest.mark.parametrize("change", UPDATES.values(), ids=UPDATES.keys())
def test_a_ticket_takes_no_change_that_no_transition_makes(db, change):
    ticket = ledger.a_claimed(ledger.a_cast(), max_attempts=3)
    statement = f"UPDATE approvals_ticket SET version = version + 1, {change} WHERE id = %s"
    refused(statement, ticket.pk)


@pytest.mark.parametrize("version", ["version", "version - 1", "version + 2"])
def test_no_change_of_a_ticket_goes_uncounted(db, version):
    ticket = ledger.a_pending(ledger.a_cast())
    statement = f"UPDATE approvals_ticket SET requests = 5, version = {version} WHERE id = %s"
    refused(statement, ticket.pk)


@pytest.mark.parametrize(
    "change",
    ["cancel_reason = 'drift'", "ended_at = NULL", "state = 'pending'", "claimed_by = 'x'"],
)
def test_a_terminal_ticket_is_never_left_nor_rewritten(db, change):
    cast = ledger.a_cast()
    ticket = ledger.reject(ledger.a_pending(cast), cast.bob)
    statement = f"UPDATE approvals_ticket SET version = version + 1, {change} WHERE id = %s"
    refused(statement, ticket.pk)


def test_a_payload_is_purged_or_left_alone(db):
    ledger.a_payload()
    refused("UPDATE approvals_payload SET ciphertext = nonce")
    refused("UPDATE approvals_payload SET kind = 'other'")
    refused("UPDATE approvals_payload SET ciphertext = NULL, nonce = NULL, salt = NULL")


def test_the_gate_is_one_row_whose_epoch_only_grows(db):
    refused("UPDATE approvals_gate SET killed = NOT killed")
    refused("UPDATE approvals_gate SET epoch = epoch - 1")
    with pytest.raises(DatabaseError), transaction.atomic():
        Gate.objects.create(pk=2)


def test_a_ticket_is_born_pending_or_by_a_grant(db):
    cast = ledger.a_cast()
    for state, extra in (
        ("approved", {"execution_expires_at": database_now()}),
        ("rejected", {"ended_at": database_now()}),
    ):
        ticket = ledger.an_unsaved_ticket(cast, state=state, **extra)
        with pytest.raises(DatabaseError), transaction.atomic():
            ticket.save(force_insert=True)


def test_the_clock_of_the_database_is_utc_and_close_to_ours(db):
    now = database_now()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(now.tzinfo) - now) < timedelta(seconds=5)
    holder = ledger.a_holder(60)
    holder.refresh_from_db()
    assert timedelta(seconds=55) < holder.lease_expires_at - now < timedelta(seconds=65)
    assert abs(holder.started_at - now) < timedelta(seconds=5)
