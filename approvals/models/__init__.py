"""The ledger's rows. Imported from here by the layers above; only they write."""

from approvals.models.audit import AuditEvent, Checkpoint, CheckpointLeaf, Payload
from approvals.models.clock import DatabaseNow, after_seconds, database_now
from approvals.models.decision import Decision, TypedAnswer
from approvals.models.grant import Grant
from approvals.models.people import (
    GroupMembership,
    Person,
    ReviewerGroup,
    Team,
    TeamMembership,
    User,
)
from approvals.models.policy import Gate, PolicyVersion
from approvals.models.ticket import Holder, Ticket

__all__ = [
    "AuditEvent",
    "Checkpoint",
    "CheckpointLeaf",
    "DatabaseNow",
    "Decision",
    "Gate",
    "Grant",
    "GroupMembership",
    "Holder",
    "Payload",
    "Person",
    "PolicyVersion",
    "ReviewerGroup",
    "Team",
    "TeamMembership",
    "Ticket",
    "TypedAnswer",
    "User",
    "after_seconds",
    "database_now",
]
