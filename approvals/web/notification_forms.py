"""What the pages about being told take; what it means is decided by the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from approvals.domain.inspection import one_line
from approvals.domain.telling import (
    MAX_DIGEST,
    MAX_HEAD_START,
    MIN_DIGEST,
    OPTIONAL,
    SILENT_AT_FIRST,
)
from approvals.models import Channel, Habit, Person, ReviewerGroup, Rotation, Team
from approvals.presenters.channels import KINDS
from approvals.services.channels import MAX_LABEL, ROOM_KINDS
from approvals.services.habits import TURNS

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

INPUT = {"class": "input"}
MONO = {"class": "input mono", "autocapitalize": "none", "spellcheck": "false"}
TICK = {"class": "tick"}
CLOCK = {"class": "input", "type": "time"}


def _address(*, most: int, help_text: StrPromise) -> forms.CharField:
    """Where a channel leads: a secret, since whoever knows it can write there."""
    return forms.CharField(
        label=_("Address"),
        max_length=most,
        widget=forms.PasswordInput(attrs={**MONO, "autocomplete": "off"}),
        help_text=help_text,
    )


def _name() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=MAX_LABEL,
        label=_("Name"),
        widget=forms.TextInput(attrs={**INPUT, "autocomplete": "off"}),
    )


class HabitForm(forms.Form):
    """When and of what a person wants to be told."""

    quiet_from = forms.TimeField(
        required=False, label=_("Quiet from"), widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        required=False, label=_("Quiet until"), widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    digest_minutes = forms.IntegerField(
        required=False,
        min_value=MIN_DIGEST,
        max_value=MAX_DIGEST,
        label=_("One message every so many minutes"),
        help_text=_("Empty: each at once. A call that could not wait so long is told at once."),
        widget=forms.NumberInput(attrs=INPUT),
    )
    kinds = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    groups = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, data: Any, *, habit: Habit | None, groups: list[ReviewerGroup], silent: set[Any]
    ) -> None:
        silent_kinds = set(habit.silent_kinds) if habit is not None else SILENT_AT_FIRST
        super().__init__(
            data,
            initial={
                "quiet_from": habit.quiet_from if habit else None,
                "quiet_until": habit.quiet_until if habit else None,
                "digest_minutes": (habit.digest_minutes or None) if habit else None,
                "kinds": [kind.value for kind in OPTIONAL if kind not in silent_kinds],
                "groups": [str(group.pk) for group in groups if group.pk not in silent],
            },
        )
        self.of = groups
        cast("forms.ChoiceField", self.fields["kinds"]).choices = [
            (kind.value, KINDS[kind]) for kind in OPTIONAL
        ]
        cast("forms.ChoiceField", self.fields["groups"]).choices = [
            (str(group.pk), group.name) for group in groups
        ]


class ChatForm(forms.Form):
    """A chat or on-call service of a person's own."""

    url = _address(
        most=1024,
        help_text=_(
            "An Apprise URL such as ntfys://my-topic, tgram://token/chat or pover://user@token."
            " It is sealed and never shown again."
        ),
    )
    label = _name()


class RoomForm(forms.Form):
    """A chat room or webhook of a group or a team."""

    sort = forms.ChoiceField(
        label=_("Kind"),
        choices=[
            (Channel.Sort.CHAT, _("Chat or on-call service")),
            (Channel.Sort.WEBHOOK, _("Webhook")),
        ],
        widget=forms.Select(attrs=INPUT),
    )
    owner = forms.ChoiceField(label=_("Of"), widget=forms.Select(attrs=INPUT))
    url = _address(
        most=2048,
        help_text=_(
            "An Apprise URL such as slack://… or pagerduty://…, or the https:// address of a"
            " webhook. It is sealed and never shown again."
        ),
    )
    label = _name()
    kinds = forms.MultipleChoiceField(
        choices=[(kind.value, KINDS[kind]) for kind in ROOM_KINDS],
        initial=[kind.value for kind in ROOM_KINDS],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose what the room is told.")},
    )
    detailed = forms.BooleanField(
        required=False,
        label=_("Name the first arguments of a call, too"),
        help_text=_("They then pass through that service."),
        widget=forms.CheckboxInput(attrs=TICK),
    )
    allow_private = forms.BooleanField(
        required=False,
        label=_("It may be on this machine or in a private network"),
        widget=forms.CheckboxInput(attrs=TICK),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        cast("forms.ChoiceField", self.fields["owner"]).choices = [
            *((f"group:{g.pk}", one_line(g.name)) for g in ReviewerGroup.objects.order_by("name")),
            *((f"team:{t.pk}", one_line(t.name)) for t in Team.objects.order_by("name")),
        ]


class RotationForm(forms.Form):
    """Who of a group is on call, in turn."""

    first_day = forms.DateField(
        label=_("First day"),
        widget=forms.DateInput(attrs={**INPUT, "type": "date"}, format="%Y-%m-%d"),
    )
    hands_over = forms.TimeField(
        label=_("Hands over at"), widget=forms.TimeInput(attrs=CLOCK, format="%H:%M")
    )
    days = forms.TypedChoiceField(
        label=_("A turn lasts"),
        coerce=int,
        choices=[(TURNS[0], _("a day")), (TURNS[1], _("a week"))],
        widget=forms.Select(attrs=INPUT),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), widget=forms.Select(attrs=INPUT))
    head_start_minutes = forms.IntegerField(
        label=_("Everybody else is told after (minutes)"),
        min_value=1,
        max_value=MAX_HEAD_START,
        widget=forms.NumberInput(attrs=INPUT),
    )

    def __init__(
        self, data: Any, *, rotation: Rotation | None, members: list[Person], zone: str
    ) -> None:
        turns = (
            {turn.person_id: turn.place + 1 for turn in rotation.turns.all()} if rotation else {}
        )
        super().__init__(
            data,
            initial={
                "first_day": rotation.first_day if rotation else None,
                "hands_over": rotation.hands_over if rotation else None,
                "days": rotation.days if rotation else TURNS[1],
                "time_zone": rotation.time_zone if rotation else zone,
                "head_start_minutes": rotation.head_start_minutes if rotation else 10,
                **{f"place_{person.pk}": turns.get(person.pk) for person in members},
            },
        )
        zones = sorted(available_timezones())
        cast("forms.ChoiceField", self.fields["time_zone"]).choices = [(z, z) for z in zones]
        self.members = members
        for person in members:
            self.fields[f"place_{person.pk}"] = forms.IntegerField(
                required=False,
                min_value=1,
                max_value=99,
                label=one_line(person.name),
                widget=forms.NumberInput(attrs={**INPUT, "class": "input input-short"}),
            )

    def places(self) -> list[forms.BoundField]:
        """The fields of the members."""
        return [self[f"place_{person.pk}"] for person in self.members]

    def plain(self) -> list[forms.BoundField]:
        """The other fields."""
        return [field for field in self if not field.name.startswith("place_")]

    def people(self) -> list[Any]:
        """The members that have a place, in its order."""
        placed = [(self.cleaned_data.get(f"place_{p.pk}"), p.name, p.pk) for p in self.members]
        return [key for place, _name, key in sorted(p for p in placed if p[0] is not None)]
