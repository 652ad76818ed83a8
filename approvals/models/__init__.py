"""The ledger's rows. Imported from here by the layers above; only they write."""

from approvals.models.absence import Absence, DueEscalation, VoteMandate
from approvals.models.attention import Handoff, Snooze
from approvals.models.audit import AuditEvent, Checkpoint, CheckpointLeaf, Payload
from approvals.models.canary import Canary
from approvals.models.clock import DatabaseNow, after_seconds, database_now
from approvals.models.conversation import Remark
from approvals.models.decision import Decision, TypedAnswer
from approvals.models.editing import Edit
from approvals.models.grant import AgreedTerms, Grant
from approvals.models.names import KnownName
from approvals.models.pause import AgentPause
from approvals.models.people import (
    GroupMembership,
    Person,
    ReviewerGroup,
    Team,
    TeamMembership,
    User,
)
from approvals.models.policy import Gate, PolicyVersion
from approvals.models.stepup import StepUpChallenge, StepUpProof, WrongCode
from approvals.models.telling import (
    Channel,
    Delivery,
    Habit,
    Lookout,
    Notice,
    Rotation,
    RotationTurn,
    Watch,
)
from approvals.models.ticket import Holder, Ticket
from approvals.models.verification import Verification

__all__ = [
    "Absence",
    "AgentPause",
    "AgreedTerms",
    "AuditEvent",
    "Canary",
    "Channel",
    "Checkpoint",
    "CheckpointLeaf",
    "DatabaseNow",
    "Decision",
    "Delivery",
    "DueEscalation",
    "Edit",
    "Gate",
    "Grant",
    "GroupMembership",
    "Habit",
    "Handoff",
    "Holder",
    "KnownName",
    "Lookout",
    "Notice",
    "Payload",
    "Person",
    "PolicyVersion",
    "Remark",
    "ReviewerGroup",
    "Rotation",
    "RotationTurn",
    "Snooze",
    "StepUpChallenge",
    "StepUpProof",
    "Team",
    "TeamMembership",
    "Ticket",
    "TypedAnswer",
    "User",
    "Verification",
    "VoteMandate",
    "Watch",
    "WrongCode",
    "after_seconds",
    "database_now",
]
