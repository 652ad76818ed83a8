"""Being told: what there is to tell, by which channel it reaches whom, and what came of it.

A `Notice` is an event, written once. The people it concerns are looked up when it is addressed,
and again before each delivery: nobody hears of what they may not see by then.
"""

from datetime import timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from approvals.domain.telling import Kind
from approvals.models.clock import DatabaseNow


class Channel(models.Model):
    """One way to reach a person, or a room where a group or a team meets.

    What a sender needs (an address, a secret) is sealed. A removed channel keeps its row for the
    record of its deliveries, and nothing of what was sealed.
    """

    class Sort(models.TextChoices):
        MAIL = "mail", "E-mail"
        PUSH = "push", "Web Push"
        CHAT = "chat", "Chat or on-call service"
        WEBHOOK = "webhook", "Webhook"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sort = models.CharField(max_length=8, choices=Sort.choices)
    label = models.CharField(max_length=80)
    person = models.ForeignKey(
        "approvals.Person", null=True, on_delete=models.CASCADE, related_name="channels"
    )
    group = models.ForeignKey(
        "approvals.ReviewerGroup", null=True, on_delete=models.CASCADE, related_name="channels"
    )
    team = models.ForeignKey(
        "approvals.Team", null=True, on_delete=models.CASCADE, related_name="channels"
    )
    kinds = models.JSONField(default=list)  # of a room: what it is told
    enabled = models.BooleanField(default=True)
    urgent = models.BooleanField(default=False)  # may break its person's quiet hours
    detailed = models.BooleanField(default=False)  # names the first arguments, too
    allow_private = models.BooleanField(default=False)  # an admin lets it reach private addresses
    sealed = models.BinaryField(null=True)  # AES-256-GCM, bound to this row
    fingerprint = models.BinaryField(max_length=32, null=True)  # of what is sealed, keyed
    failures = models.PositiveIntegerField(default=0)  # in a row
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    told_at = models.DateTimeField(null=True)  # last success
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(person__isnull=False, group__isnull=True, team__isnull=True)
                | Q(person__isnull=True, group__isnull=False, team__isnull=True)
                | Q(person__isnull=True, group__isnull=True, team__isnull=False),
                name="channel_has_one_owner",
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True) | Q(sealed__isnull=True),
                name="removed_channel_keeps_no_secret",
            ),
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(sort="mail"),
                name="channel_one_mail_per_person",
            ),
            models.UniqueConstraint(
                fields=["person", "fingerprint"],
                condition=Q(removed_at__isnull=True, fingerprint__isnull=False),
                name="channel_once_per_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sort} channel {self.pk}"


class Habit(models.Model):
    """When and of what a person wants to be told; who has no row hears of everything at once."""

    person = models.OneToOneField(
        "approvals.Person", primary_key=True, on_delete=models.CASCADE, related_name="habit"
    )
    quiet_from = models.TimeField(null=True)  # in the person's own zone
    quiet_until = models.TimeField(null=True)
    digest_minutes = models.PositiveSmallIntegerField(default=0)
    silent_kinds = models.JSONField(default=list)
    silent_groups = models.ManyToManyField("approvals.ReviewerGroup", related_name="+")

    def __str__(self) -> str:
        return f"habits of {self.person_id}"


class Rotation(models.Model):
    """Who of a group is on call, in turn; they are told first."""

    group = models.OneToOneField(
        "approvals.ReviewerGroup",
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="rotation",
    )
    first_day = models.DateField()
    hands_over = models.TimeField()
    days = models.PositiveSmallIntegerField()  # length of a turn: 1 or 7
    time_zone = models.CharField(max_length=64)
    head_start_minutes = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(days__gte=1), name="rotation_turns")
        ]

    @property
    def head_start(self) -> timedelta:
        """How long the others are told later."""
        return timedelta(minutes=self.head_start_minutes)

    def __str__(self) -> str:
        return f"rotation of group {self.group_id}"


class RotationTurn(models.Model):
    """A person's place in a rotation."""

    rotation = models.ForeignKey(Rotation, on_delete=models.CASCADE, related_name="turns")
    person = models.ForeignKey("approvals.Person", on_delete=models.CASCADE, related_name="+")
    place = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["rotation", "person"], name="rotation_person_once"),
            models.UniqueConstraint(fields=["rotation", "place"], name="rotation_place_once"),
        ]

    def __str__(self) -> str:
        return f"place {self.place} of rotation {self.rotation_id}"


class Notice(models.Model):
    """One thing to tell. `key` makes it one, however often it is noticed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=12, choices=[(kind.value, kind.value) for kind in Kind])
    ticket = models.ForeignKey(
        "approvals.Ticket", null=True, on_delete=models.PROTECT, related_name="+"
    )
    by = models.ForeignKey(  # whose act it was; they are not told of it
        "approvals.Person", null=True, on_delete=models.PROTECT, related_name="+"
    )
    people = models.JSONField(default=list)  # keys of people it names, beyond those it concerns
    groups = models.JSONField(default=list)  # keys of groups it names
    created_at = models.DateTimeField(db_default=DatabaseNow(), editable=False)
    addressed_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["created_at"],
                condition=Q(addressed_at__isnull=True),
                name="notice_to_address",
            ),
            models.Index(fields=["created_at"], name="notice_by_time"),
        ]

    def __str__(self) -> str:
        return f"notice {self.key}"


class Delivery(models.Model):
    """One notice on its way through one channel."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        TOLD = "told", "Told"
        DROPPED = "dropped", "Not told"  # no longer true, or no longer theirs to know
        FAILED = "failed", "Failed"
        UNSURE = "unsure", "May have been told"  # a worker vanished while it told

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    why = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["notice", "channel"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at__isnull=True)
                | ~Q(state="waiting") & Q(ended_at__isnull=False),
                name="delivery_ended_iff_not_waiting",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at"], condition=Q(ended_at__isnull=True), name="delivery_due"
            ),
            models.Index(fields=["state", "-id"], name="delivery_state_newest"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk} ({self.state})"


class Watch(models.Model):
    """What of a ticket has been noticed so far; gone when there is nothing left to notice."""

    ticket = models.OneToOneField(
        "approvals.Ticket", primary_key=True, on_delete=models.PROTECT, related_name="watch"
    )
    version = models.PositiveIntegerField()
    revision = models.PositiveIntegerField()
    half_time = models.DateTimeField()
    reminded = models.BooleanField(default=False)
    over = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["over", "ticket"], name="watch_over")
        ]

    def __str__(self) -> str:
        return f"watch over ticket {self.ticket_id}"


class Lookout(models.Model):
    """The one row that says up to which ticket every ticket is, or was, watched."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    reached = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(id=1), name="lookout_is_one_row")
        ]

    def __str__(self) -> str:
        return f"lookout at ticket {self.reached}"
