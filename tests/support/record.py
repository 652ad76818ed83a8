"""An audit record with a row in every audited table, and a hand that changes it unhindered."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from approvals import transitions
from approvals.audit import append, attest
from approvals.audit.checkpoints import seal_checkpoint
from approvals.audit.sealing import purge, seal
from approvals.audit.verification import verify
from approvals.domain.seats import Mandate
from approvals.domain.states import CancelReason, UnknownReason
from approvals.models import (
    Absence,
    AgentPause,
    Decision,
    Handoff,
    PolicyVersion,
    Remark,
    Ticket,
    database_now,
)
from approvals.services.mandates import record_mandates
from tests.support import ledger


def a_story() -> ledger.Cast:
    """At least one row in every audited table, under two checkpoints."""
    cast = ledger.a_cast()
    seeds = ledger.an_approved(cast)
    ledger.vote(ledger.a_pending(cast), cast.bob, proof=True)
    ledger.a_grant(cast, seeds)
    ledger.a_canary(cast)
    with transaction.atomic():
        policy = PolicyVersion.objects.create(
            document={"rules": []}, digest=b"p" * 32, published_by=cast.bob.person
        )
        append(subject="policy", actor="person:x", action="published", detail=attest(policy))
        transitions.set_policy(policy_id=policy.pk, actor="person:x")
    seal_checkpoint()
    sent = ledger.a_sent(cast, agent_says=ledger.a_payload("please", "agent_says"))
    with transaction.atomic():
        transitions.succeed(
            ticket_id=sent.pk,
            fence=sent.fence,
            result_payload_id=ledger.a_payload("{}", "result").pk,
            actor="system:worker:w1",
        )
    lost = ledger.a_sent(cast)
    with transaction.atomic():
        transitions.unknown(
            ticket_id=lost.pk, fence=lost.fence, reason=UnknownReason.EOF, actor="system:worker:w1"
        )
        transitions.annotate(
            ticket_id=lost.pk, payload_id=ledger.a_payload("it ran").pk, actor="person:x"
        )
    ledger.reject(ledger.a_pending(cast), cast.carol)
    gone = ledger.a_pending(cast, waiting="held", holder=ledger.a_holder())
    with transaction.atomic():
        transitions.cancel(ticket_id=gone.pk, reason=CancelReason.WITHDRAWN, actor=ledger.AGENT)
    purge(gone.arguments_id, actor="system:retention")
    ledger.a_claimed(cast)
    _talked_about(cast)
    _people_come_and_go(cast)
    seal_checkpoint()
    return cast


def _talked_about(cast: ledger.Cast) -> None:
    """A ticket that was edited, asked about and handed on."""
    ticket = ledger.edit(ledger.a_pending(cast), cast.bob, {"message": "another commit"})
    said = {"ticket_id": ticket.pk, "user": cast.bob, "nonce": "1"}
    with transaction.atomic():
        transitions.remark(
            remark=Remark(
                **said,
                revision=ticket.revision,
                kind=Remark.Kind.QUESTION,
                person=cast.bob.person,
                asked=cast.alice.person,
                words=seal("remark", b"why?"),
            ),
            actor="person:x",
        )
        transitions.hand_on(
            handoff=Handoff(
                **said,
                giver=cast.bob.person,
                to_person=cast.carol.person,
                words=seal("remark", b"yours"),
            ),
            actor="person:x",
        )


def _people_come_and_go(cast: ledger.Cast) -> None:
    """Somebody is away and another votes for them; somebody pauses an agent."""
    now = database_now()
    asked = ledger.a_pending(cast)
    with transaction.atomic():
        away = Absence.objects.create(
            person=cast.bob.person,
            delegate=cast.carol.person,
            starts_at=now,
            ends_at=now + timedelta(days=1),
        )
        append(
            subject=f"person:{cast.bob.person_id}",
            actor="person:x",
            action="absence_declared",
            detail=attest(Absence.objects.get(pk=away.pk)),
        )
        paused = AgentPause.objects.create(
            agent_id=cast.robo,
            agent_name="robo",
            team_id=asked.team_id,
            paused_by=cast.bob.person,
        )
        append(
            subject=f"agent:{cast.robo}",
            actor="person:x",
            action="paused",
            detail=attest(AgentPause.objects.get(pk=paused.pk)),
        )
        decision = Decision.objects.create(
            ticket=asked,
            revision=1,
            person_id=cast.carol.person_id,
            user=cast.carol,
            verdict="approve",
            seen_digest=bytes(asked.digest),
            nonce="for bob",
        )
        mandates = record_mandates(decision, [Mandate(holder=cast.bob.person_id, group="ops")])
        transitions.record_vote(
            ticket_id=asked.pk, decision=decision, actor="person:x", also=mandates
        )


@contextmanager
def a_hand_at_the_console() -> Iterator[CursorWrapper]:
    """Whoever owns the database can switch every guard off; until the test is rolled back."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL session_replication_role = replica")
            yield cursor
            return
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        try:
            yield cursor
        finally:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def columns_of(model):
    return [field.column for field in model._meta.concrete_fields]


def uncovered(model, column, row):
    """The one value that no audit row covers: the running lease of an executor."""
    return model is Ticket and column == "lease_expires_at" and row["state"] in {"claimed", "sent"}


def rows_of(cursor, model):
    columns = columns_of(model)
    sign = "+" if connection.vendor == "sqlite" else ""
    quoted = ", ".join(f'{sign}"{column}"' for column in columns)
    cursor.execute(f'SELECT {quoted} FROM "{model._meta.db_table}" ORDER BY 1')
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def assert_found(model, column, row, changed):
    """Verification found this value of this row changed, and named its table and its key first."""
    table, key = model._meta.db_table, row[model._meta.pk.column]
    found = [broken for broken in verify() if broken.table != "triggers"]
    assert found, f"{table}.{column} = {changed!r} was not noticed"
    named = {_bare(part) for part in found[0].key.split(", ")}
    assert found[0].table == table, (column, changed, found[:3])
    assert named & {_bare(key), _bare(changed)}, (column, changed, found[:3])


def _bare(key):
    return str(key).replace("-", "")
