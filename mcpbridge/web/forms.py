"""What the admin's forms about agents take, and the settings that come out of them."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext, gettext_lazy

from mcpbridge import conf
from mcpbridge.administration import AgentSettings
from mcpbridge.administration.agents import (
    MAX_GRACE_SECONDS,
    MAX_HOLD_SECONDS,
    MAX_OPEN_TICKETS,
)
from mcpbridge.administration.tokens import DEFAULT_DAYS, MAX_DAYS, MAX_LABEL
from mcpbridge.approvals_gateway import Directory, directory, one_line
from mcpbridge.calls.limits import Hold, HoldLimits
from mcpbridge.models import Agent, Upstream

INPUT = {"class": "input"}
MONO = {"class": "input mono", "autocapitalize": "none", "spellcheck": "false"}
TICK = {"class": "tick"}


def _people(known: Directory) -> list[tuple[str, str]]:
    return [
        (
            str(person.id),
            one_line(f"{person.name} ({', '.join(person.emails) or gettext('no account')})"),
        )
        for person in known.people
    ]


def teams_of(known: Directory) -> list[tuple[str, str]]:
    """The teams as choices."""
    return [(str(team.id), one_line(team.name)) for team in known.teams]


def hold_hint(limits: HoldLimits) -> str:
    """What an empty hold limit means: the default, then the clients that differ."""
    spoken = [f"{_hold_words(limits.default)}."]
    spoken += [f"{name}: {_hold_words(hold)}." for name, hold in limits.by_client.items()]
    return gettext("Empty: {limits} Clients that use tasks are not held.").format(
        limits=" ".join(spoken)
    )


def _hold_words(hold: Hold) -> str:
    plain, progress = f"{hold.without_progress:g}", f"{hold.with_progress:g}"
    if plain == progress:
        return gettext("{plain} seconds").format(plain=plain)
    return gettext("{plain} seconds, or {progress} for clients that ask for progress").format(
        plain=plain, progress=progress
    )


class AgentForm(forms.Form):
    """An agent's settings; its name only when it is new."""

    name = forms.CharField(
        max_length=64,
        label=gettext_lazy("Name"),
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy(
            "Lower-case letters, digits and hyphens, as in ship-bot. It cannot be changed."
        ),
    )
    owner = forms.ChoiceField(
        label=gettext_lazy("Owner"),
        widget=forms.Select(attrs=INPUT),
        help_text=gettext_lazy("Answers for the agent, and therefore cannot approve its calls."),
    )
    team = forms.ChoiceField(
        label=gettext_lazy("Team"),
        widget=forms.Select(attrs=INPUT),
        help_text=gettext_lazy("Sees the agent's tickets."),
    )
    enabled = forms.BooleanField(
        label=gettext_lazy("Enabled"), required=False, widget=forms.CheckboxInput(attrs=TICK)
    )
    hold_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_HOLD_SECONDS,
        widget=forms.NumberInput(attrs=INPUT),
        label=gettext_lazy("Hold a paused call for (seconds)"),
        help_text=lazy(hold_hint, str)(HoldLimits()),
    )
    grace_seconds = forms.IntegerField(
        min_value=1,
        max_value=MAX_GRACE_SECONDS,
        widget=forms.NumberInput(attrs=INPUT),
        label=gettext_lazy("Cancel after its client is gone for (seconds)"),
    )
    max_open_tickets = forms.IntegerField(
        min_value=1,
        max_value=MAX_OPEN_TICKETS,
        widget=forms.NumberInput(attrs=INPUT),
        label=gettext_lazy("Open tickets at most"),
    )

    def __init__(self, *args: Any, agent: Agent | None = None, **kwargs: Any) -> None:
        if agent is not None:
            kwargs["initial"] = {
                "owner": str(agent.owner_id),
                "team": str(agent.team_id),
                "enabled": agent.enabled,
                "hold_seconds": agent.hold_seconds,
                "grace_seconds": agent.grace_seconds,
                "max_open_tickets": agent.max_open_tickets,
            }
        else:
            kwargs.setdefault(
                "initial", {"enabled": True, "grace_seconds": 30, "max_open_tickets": 20}
            )
        super().__init__(*args, **kwargs)
        known = directory()
        cast("forms.ChoiceField", self.fields["owner"]).choices = _people(known)
        cast("forms.ChoiceField", self.fields["team"]).choices = teams_of(known)
        if agent is not None:
            del self.fields["name"]

    def settings(self) -> AgentSettings:
        """The settings of a valid form."""
        data = self.cleaned_data
        return AgentSettings(
            owner_id=UUID(data["owner"]),
            team_id=UUID(data["team"]),
            enabled=data["enabled"],
            hold_seconds=data["hold_seconds"],
            grace_seconds=data["grace_seconds"],
            max_open_tickets=data["max_open_tickets"],
        )


def _audiences(agent: Agent) -> list[tuple[str, str]]:
    """The addresses that a token of this agent can be issued for; empty is the installation."""
    own = Upstream.objects.filter(enabled=True, teams=agent.team_id).order_by("name")
    each = [f"{conf.public_url()}/mcp/u/{upstream.name}" for upstream in own]
    return [
        ("", gettext("everything that the agent may use")),
        *((url, gettext("only {url}").format(url=url)) for url in each),
    ]


class TokenForm(forms.Form):
    """A new token's label, address and term."""

    label = forms.CharField(
        label=gettext_lazy("Label"),
        required=False,
        max_length=MAX_LABEL,
        widget=forms.TextInput(attrs=INPUT),
        help_text=gettext_lazy("Where it will be used, as in “laptop”."),
    )
    audience = forms.ChoiceField(
        required=False,
        widget=forms.Select(attrs=INPUT),
        label=gettext_lazy("Opens"),
        help_text=gettext_lazy("A token for one upstream opens nothing else, even when it leaks."),
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_DAYS,
        initial=DEFAULT_DAYS,
        widget=forms.NumberInput(attrs=INPUT),
        label=gettext_lazy("Good for (days)"),
    )

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["audience"]).choices = _audiences(agent)
