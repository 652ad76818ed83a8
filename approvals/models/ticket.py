"""The ticket: one paused call, from its opening to its one terminal state.

Rows are written by `approvals.transitions` alone. The ledger knows nothing of MCP: agent,
upstream and tool are opaque names and digests that the enforcement point supplies.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from uuid6 import uuid7

from approvals.domain.states import OPEN, CancelReason, State, UnknownReason, Waiting
from approvals.models.clock import DatabaseNow

OPEN_VALUES = sorted(state.value for state in OPEN)


def _choices(
    kind: type[State | CancelReason | UnknownReason | Waiting],
) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in kind]


class Holder(models.Model):
    """A web process that holds requests open; alive while its lease is ahead of the clock."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    started_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    lease_expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"holder {self.pk}"


class Ticket(models.Model):
    """One paused call. Its number (primary key) is for people, its `uid` for machines."""

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True, default=uuid7, editable=False)
    state = models.CharField(max_length=16, choices=_choices(State))
    version = models.PositiveIntegerField(default=1)  # +1 at every change of the row
    revision = models.PositiveIntegerField(default=1)  # +1 when the arguments are edited
    fence = models.PositiveBigIntegerField(default=0)  # +1 whenever authority to execute moves

    # who asks (snapshots; the ledger holds no key into the enforcement point)
    team = models.ForeignKey(
        "approvals.Team", on_delete=models.PROTECT, related_name="tickets", db_index=False
    )
    agent_id = models.UUIDField()
    agent_name = models.CharField(max_length=120)
    token_id = models.UUIDField(null=True)
    person = models.ForeignKey(  # who owned the agent at submission
        "approvals.Person",
        on_delete=models.PROTECT,
        related_name="submitted_tickets",
        db_index=False,
    )
    session_label = models.CharField(max_length=200, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)

    # what would run
    upstream_id = models.UUIDField()
    upstream_name = models.CharField(max_length=64)
    upstream_digest = models.BinaryField(max_length=32)
    tool_name = models.CharField(max_length=256)
    tool_digest = models.BinaryField(max_length=32)
    arguments = models.ForeignKey(
        "approvals.Payload", on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    tool_definition = models.ForeignKey(
        "approvals.Payload", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    agent_says = models.ForeignKey(  # the agent's own words, never verified
        "approvals.Payload", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    nonce = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    # why it was paused, and what is needed
    policy = models.ForeignKey("approvals.PolicyVersion", null=True, on_delete=models.PROTECT)
    verdict = models.JSONField()  # the explanation, clause by clause
    obligations = models.JSONField()
    groups = models.ManyToManyField("approvals.ReviewerGroup", related_name="tickets")
    risk = models.CharField(max_length=8, default="medium")
    grant = models.ForeignKey("approvals.Grant", null=True, on_delete=models.PROTECT)

    # repeats
    repeat_key = models.BinaryField(max_length=32)
    explicit_key = models.BooleanField(default=False)  # the agent named an idempotency key
    arguments_key = models.BinaryField(max_length=32)  # keyed digest, to refuse a reused key
    requests = models.PositiveIntegerField(default=1)  # "one execution for n requests"
    possible_repeat_of = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+"
    )
    retry_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")

    # deadlines (database clock)
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    approval_expires_at = models.DateTimeField()
    execution_expires_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    # who waits
    waiting = models.CharField(max_length=12, choices=_choices(Waiting))
    holder = models.ForeignKey(Holder, null=True, on_delete=models.PROTECT, related_name="+")
    grace_seconds = models.PositiveIntegerField(default=30)
    detached_at = models.DateTimeField(null=True)
    waits_until = models.DateTimeField(null=True)  # a handover lapses here
    delivered_at = models.DateTimeField(null=True)  # an answer with the outcome was written out

    # execution
    gate_epoch = models.PositiveBigIntegerField(default=0)  # the epoch its authority was judged at
    revoked_at = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=100, blank=True)
    claimed_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=1)  # > 1 only where an admin said so
    sent_at = models.DateTimeField(null=True)
    abort_requested_at = models.DateTimeField(null=True)
    wound_up_at = models.DateTimeField(null=True)  # a worker closed what a non-execution left open

    # how it ended
    cancel_reason = models.CharField(max_length=20, choices=_choices(CancelReason), blank=True)
    unknown_reason = models.CharField(max_length=12, choices=_choices(UnknownReason), blank=True)
    result = models.ForeignKey(
        "approvals.Payload", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    reason = models.ForeignKey(  # the deciding reviewer's words, or why it failed
        "approvals.Payload", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    annotation = models.ForeignKey(  # what a person found out about an unknown outcome
        "approvals.Payload", null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    annotated_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in State]),
                name="ticket_state_known",
            ),
            models.UniqueConstraint(
                fields=["repeat_key"],
                condition=Q(state__in=OPEN_VALUES),
                name="ticket_one_open_per_repeat_key",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, state__in=OPEN_VALUES)
                | Q(ended_at__isnull=False) & ~Q(state__in=OPEN_VALUES),
                name="ticket_ended_iff_terminal",
            ),
            models.CheckConstraint(
                condition=~Q(state="cancelled") | ~Q(cancel_reason=""),
                name="ticket_cancelled_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state="outcome_unknown") | ~Q(unknown_reason=""),
                name="ticket_unknown_has_reason",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "claimed", "sent", "succeeded"])
                | Q(execution_expires_at__isnull=False),
                name="ticket_authority_has_deadline",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["claimed", "sent"])
                | Q(lease_expires_at__isnull=False) & ~Q(claimed_by=""),
                name="ticket_claim_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(attempts__lte=F("max_attempts")),
                name="ticket_attempts_bounded",
            ),
            models.CheckConstraint(
                condition=~Q(waiting="handed_over") | Q(waits_until__isnull=False),
                name="ticket_handover_lapses",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["sent", "succeeded", "outcome_unknown"])
                | Q(sent_at__isnull=False),
                name="ticket_sent_is_recorded",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Every change of a ticket's state writes to each index, so that a key that nobody looks
            # tickets up by (payloads), or that begins another index (team, person), has none.
            # Queues and lists look for few open tickets among many that are over. SQLite uses a
            # partial index only where its condition holds no value: NULL or not is enough.
            models.Index(fields=["state", "-id"], name="ticket_state_newest"),
            models.Index(
                fields=["approval_expires_at", "id"],
                condition=Q(ended_at__isnull=True),
                name="ticket_open_by_deadline",
            ),
            models.Index(  # SQLite takes the index by state instead
                fields=["approval_expires_at", "id"],
                condition=Q(state="outcome_unknown", annotated_at__isnull=True),
                name="ticket_unresolved",
            ),
            models.Index(
                fields=["agent_id"],
                condition=Q(ended_at__isnull=True),
                name="ticket_open_by_agent",
            ),
            models.Index(
                fields=["id"],
                condition=Q(ended_at__isnull=False, sent_at__isnull=True, wound_up_at__isnull=True),
                name="ticket_not_wound_up",
            ),
            models.Index(fields=["team", "-id"], name="ticket_team_newest"),
            models.Index(fields=["person", "-id"], name="ticket_person_newest"),
            models.Index(fields=["agent_id", "-id"], name="ticket_agent_newest"),
            models.Index(fields=["agent_id", "tool_name", "-id"], name="ticket_agent_tool"),
            models.Index(fields=["agent_name", "-id"], name="ticket_named_agent"),
            models.Index(fields=["upstream_name", "-id"], name="ticket_named_upstream"),
            models.Index(fields=["tool_name", "-id"], name="ticket_named_tool"),
            models.Index(fields=["created_at"], name="ticket_by_time"),
            models.Index(fields=["repeat_key", "-id"], name="ticket_repeat_newest"),
        ]

    def __str__(self) -> str:
        return f"ticket {self.pk} ({self.state})"
