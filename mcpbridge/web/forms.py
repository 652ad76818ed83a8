"""What the admin's forms take, and the settings that come out of them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from django import forms

from mcpbridge.administration import AgentSettings, Refused, UpstreamSettings, secrets_of
from mcpbridge.administration.agents import (
    MAX_GRACE_SECONDS,
    MAX_HOLD_SECONDS,
    MAX_OPEN_TICKETS,
)
from mcpbridge.administration.tokens import DEFAULT_DAYS, MAX_DAYS, MAX_LABEL
from mcpbridge.approvals_gateway import Directory, directory
from mcpbridge.catalog.secrets import Secrets
from mcpbridge.models import Agent, Upstream

AUTHORIZATION = "Authorization"
_INPUT = {"class": "input"}
_MONO = {"class": "input mono", "autocapitalize": "none", "spellcheck": "false"}
_TICK = {"class": "tick"}


def _people(known: Directory) -> list[tuple[str, str]]:
    return [
        (str(person.id), f"{person.name} ({', '.join(person.emails) or 'no account'})")
        for person in known.people
    ]


def _teams(known: Directory) -> list[tuple[str, str]]:
    return [(str(team.id), team.name) for team in known.teams]


class AgentForm(forms.Form):
    """An agent's settings; its name only when it is new."""

    name = forms.CharField(
        max_length=64,
        widget=forms.TextInput(attrs=_MONO),
        help_text="Lower-case letters, digits and hyphens, as in ship-bot. It cannot be changed.",
    )
    owner = forms.ChoiceField(
        widget=forms.Select(attrs=_INPUT),
        help_text="Answers for the agent, and therefore cannot approve its calls.",
    )
    team = forms.ChoiceField(
        widget=forms.Select(attrs=_INPUT), help_text="Sees the agent's tickets."
    )
    enabled = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=_TICK))
    hold_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_HOLD_SECONDS,
        widget=forms.NumberInput(attrs=_INPUT),
        label="Hold a paused call for (seconds)",
        help_text="Empty: 50 seconds, or 240 for clients that ask for progress.",
    )
    grace_seconds = forms.IntegerField(
        min_value=1,
        max_value=MAX_GRACE_SECONDS,
        widget=forms.NumberInput(attrs=_INPUT),
        label="Cancel after its client is gone for (seconds)",
    )
    max_open_tickets = forms.IntegerField(
        min_value=1,
        max_value=MAX_OPEN_TICKETS,
        widget=forms.NumberInput(attrs=_INPUT),
        label="Open tickets at most",
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
        cast("forms.ChoiceField", self.fields["team"]).choices = _teams(known)
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


class TokenForm(forms.Form):
    """A new token's label and term."""

    label = forms.CharField(
        required=False,
        max_length=MAX_LABEL,
        widget=forms.TextInput(attrs=_INPUT),
        help_text="Where it will be used, as in “laptop”.",
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MAX_DAYS,
        initial=DEFAULT_DAYS,
        widget=forms.NumberInput(attrs=_INPUT),
        label="Good for (days)",
    )


class UpstreamForm(forms.Form):
    """An upstream's settings. What the form does not show is set by a configuration file."""

    name = forms.CharField(
        max_length=40,
        widget=forms.TextInput(attrs=_MONO),
        help_text="Lower-case letters, digits and hyphens. Agents see it before each tool's name.",
    )
    transport = forms.ChoiceField(
        choices=Upstream.Transport.choices, widget=forms.Select(attrs=_INPUT)
    )
    url = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs=_MONO),
        label="Address",
        help_text="For Streamable HTTP, as in https://tools.example.com/mcp",
    )
    allow_private_addresses = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=_TICK),
        label="It may be on this machine or in a private network",
    )
    command = forms.CharField(
        required=False,
        widget=forms.TextInput(attrs=_MONO),
        help_text="For stdio: the program and its arguments, quoted as in a shell.",
    )
    write_paths = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={**_MONO, "rows": 2}),
        label="Folders it may write to",
        help_text="For stdio, one a line. It sees nothing else of this machine's data.",
    )
    network = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=_TICK),
        label="The stdio server may use the network",
    )
    authorization = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "off"}),
        label="Authorization header",
        help_text="For Streamable HTTP. Sealed, never shown again. Empty keeps what it has.",
    )
    forget_authorization = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=_TICK),
        label="Forget the authorization header it has",
    )
    teams = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Teams whose agents may use it",
    )
    trust_annotations = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=_TICK),
        label="Trust what it says of its own tools (read-only, destructive)",
    )
    enabled = forms.BooleanField(required=False, widget=forms.CheckboxInput(attrs=_TICK))

    def __init__(self, *args: Any, upstream: Upstream | None = None, **kwargs: Any) -> None:
        self._upstream = upstream
        kwargs.setdefault("initial", {"enabled": True} if upstream is None else _shown(upstream))
        super().__init__(*args, **kwargs)
        cast("forms.MultipleChoiceField", self.fields["teams"]).choices = _teams(directory())
        if upstream is not None:
            del self.fields["name"]
        if upstream is None or AUTHORIZATION not in _readable(upstream).headers:
            del self.fields["forget_authorization"]

    def clean_command(self) -> tuple[str, ...]:
        """The command as words."""
        try:
            return tuple(shlex.split(self.cleaned_data["command"]))
        except ValueError as problem:
            raise forms.ValidationError(f"The quoting is not closed: {problem}.") from problem

    def settings(self) -> UpstreamSettings:
        """The settings of a valid form; fields it does not show are kept."""
        data, kept = self.cleaned_data, self._upstream
        is_http = data["transport"] == Upstream.Transport.HTTP
        sandbox = dict(kept.sandbox) if kept is not None else {}
        if not is_http:
            paths = [line.strip() for line in data["write_paths"].splitlines()]
            sandbox.update(network=data["network"], write_paths=tuple(p for p in paths if p))
        settings = UpstreamSettings(
            transport=data["transport"],
            enabled=data["enabled"],
            url=data["url"].strip(),
            allow_private_addresses=data["allow_private_addresses"],
            command=data["command"],
            sandbox=sandbox,
            trust_annotations=data["trust_annotations"],
            team_ids=frozenset(UUID(team) for team in data["teams"]),
        )
        if kept is None:
            return settings
        return replace(
            settings,
            environment={} if is_http else kept.environment,
            cwd="" if is_http else kept.cwd,
            per_agent=kept.per_agent,
            timeouts=kept.timeouts,
            caps=kept.caps,
            pin_on_first_contact=kept.pin_on_first_contact,
        )

    def secrets(self) -> Secrets | None:
        """New secrets, or None to keep what there is.

        The others stay beside a new credential, unless the address is a new one.
        """
        data, upstream = self.cleaned_data, self._upstream
        value, forget = data["authorization"], data.get("forget_authorization", False)
        if not value and not forget:
            return None
        stays = upstream is not None and data["url"].strip() == upstream.url
        kept = _readable(upstream) if upstream is not None and stays else Secrets()
        headers = {n: v for n, v in kept.headers.items() if n.lower() != AUTHORIZATION.lower()}
        if value:
            headers[AUTHORIZATION] = value
        return Secrets(headers=headers, environment=kept.environment)


def _readable(upstream: Upstream) -> Secrets:
    """What is sealed; nothing where no key opens it, so that it can be entered again."""
    try:
        return secrets_of(upstream)
    except Refused:
        return Secrets()


def _shown(upstream: Upstream) -> dict[str, Any]:
    return {
        "transport": upstream.transport,
        "url": upstream.url,
        "allow_private_addresses": upstream.allow_private_addresses,
        "command": shlex.join(upstream.command),
        "write_paths": "\n".join(upstream.sandbox.get("write_paths", ())),
        "network": upstream.sandbox.get("network", False),
        "teams": [str(team.pk) for team in upstream.teams.all()],
        "trust_annotations": upstream.trust_annotations,
        "enabled": upstream.enabled,
    }
