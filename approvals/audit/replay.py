"""Replaying one subject's chain: links, sequence, edges, and what the rows must be at its end.

Pure over audit rows in memory: it opens no other row. `verification` compares what comes out with
the rows as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from approvals.audit.breaks import Break
from approvals.audit.chain import ORIGIN, event_hash
from approvals.domain.states import EDGES, State
from approvals.models import AuditEvent, Decision, Edit

TABLE = AuditEvent._meta.db_table
_DECISIONS = f"{Decision._meta.db_table}:"
_EDITS = f"{Edit._meta.db_table}:"
_EDGES = {(edge.source, edge.target): edge.name for edge in EDGES}


@dataclass
class Replay:
    """What the chain of one subject says."""

    subject: str
    length: int = 0
    state: State | None = None
    fence: int = 0
    groups: dict[str, str] = field(default_factory=dict)  # row key -> group, as asked
    attested: dict[str, str] = field(default_factory=dict)  # row label -> last fingerprint
    payloads: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> hash, event key
    decisions: list[str] = field(default_factory=list)  # keys, in the order they were recorded
    edits: list[str] = field(default_factory=list)  # keys, in the order they were recorded
    edges: list[str] = field(default_factory=list)
    own: list[Break] = field(default_factory=list)  # rows changed in themselves
    chain: list[Break] = field(default_factory=list)  # rows missing, added or out of order
    head: bytes = ORIGIN

    @property
    def is_ticket(self) -> bool:
        """Whether the subject is a ticket."""
        return self.subject.startswith("ticket:")

    @property
    def uid(self) -> str:
        """The ticket's uid."""
        return self.subject.removeprefix("ticket:")

    def add(self, event: AuditEvent) -> None:
        """Take the next link."""
        key = str(event.pk)
        try:
            intact = event_hash(event) == bytes(event.hash)
        except (TypeError, ValueError):
            intact = False
        if not intact:
            self.own.append(Break(TABLE, key, "the row does not have its own hash"))
        if event.seq != self.length + 1:
            self.chain.append(
                Break(TABLE, key, f"{self.subject} has no audit row {self.length + 1} before it")
            )
        if bytes(event.previous) != self.head:
            self.chain.append(Break(TABLE, key, "it does not follow the audit row before it"))
        self.length, self.head = event.seq, bytes(event.hash)
        if isinstance(event.detail, dict):
            self._take(event.detail, key)
        if self.is_ticket:
            self.chain.extend(self._step(event, key))

    def _take(self, detail: dict[str, object], key: str) -> None:
        rows, payloads = detail.get("rows"), detail.get("payloads")
        for label, value in rows.items() if isinstance(rows, dict) else ():
            self.attested[str(label)] = str(value)
            if str(label).startswith(_DECISIONS):
                self.decisions.append(str(label).removeprefix(_DECISIONS))
            if str(label).startswith(_EDITS):
                self.edits.append(str(label).removeprefix(_EDITS))
        for payload, value in payloads.items() if isinstance(payloads, dict) else ():
            self.payloads[str(payload)] = (str(value), key)
        groups = detail.get("groups")
        if isinstance(groups, dict):
            self.groups = {str(row): str(group) for row, group in groups.items()}

    def _step(self, event: AuditEvent, key: str) -> Iterator[Break]:
        """Walk the state machine along this link."""
        if event.fence < self.fence:
            yield Break(TABLE, key, f"the fence fell from {self.fence} to {event.fence}")
        self.fence = event.fence
        if not event.target:
            if self.state is None:
                yield Break(TABLE, key, "the ticket was written to before it was opened")
            return
        try:
            source = State(event.source) if event.source else None
            target = State(event.target)
        except ValueError:
            yield Break(TABLE, key, f"no such states: {event.source} to {event.target}")
            return
        if source != self.state:
            yield Break(TABLE, key, f"it leaves {source} but the ticket stood at {self.state}")
        if _EDGES.get((source, target)) != event.action:
            yield Break(
                TABLE, key, f"{event.action} is no edge from {source or 'nothing'} to {target}"
            )
        self.state = target
        self.edges.append(event.action)
