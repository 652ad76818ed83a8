"""What the admin's form about an upstream takes, and the settings that come out of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any, Final, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext, gettext_lazy

from mcpbridge.administration import Refused, UpstreamSettings, secrets_of
from mcpbridge.administration.upstreams import moves_endpoint
from mcpbridge.approvals_gateway import directory
from mcpbridge.catalog.secrets import Secrets
from mcpbridge.models import Upstream
from mcpbridge.upstream.spec import OVER_HTTP
from mcpbridge.web.forms import INPUT, MONO, TICK, teams_of
from mcpbridge.web.limit_fields import LimitFields, shown_limits
from mcpbridge.web.question_fields import QuestionFields, shown_questions

AUTHORIZATION: Final = "Authorization"


class UpstreamForm(QuestionFields, LimitFields):
    """An upstream's settings. What the form does not show is set by a configuration file."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=40,
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy(
            "Lower-case letters, digits and hyphens. Agents see it before each tool's name."
        ),
    )
    transport = forms.ChoiceField(
        label=gettext_lazy("Transport"),
        choices=Upstream.Transport.choices,
        widget=forms.Select(attrs=INPUT),
    )
    url = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs=MONO),
        label=gettext_lazy("Address"),
        help_text=gettext_lazy("For the HTTP transports, as in https://tools.example.com/mcp"),
    )
    allow_private_addresses = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("It may be on this machine or in a private network"),
    )
    command = forms.CharField(
        label=gettext_lazy("Command"),
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text=gettext_lazy("For stdio: the program and its arguments, quoted as in a shell."),
    )
    write_paths = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 2}),
        label=gettext_lazy("Folders it may write to"),
        help_text=gettext_lazy(
            "For stdio, one a line. It sees nothing else of this machine's data."
        ),
    )
    read_paths = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 2}),
        label=gettext_lazy("Folders it may read"),
        help_text=gettext_lazy("For stdio, one a line. What it may write to it may read as well."),
    )
    network = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("The stdio server may use the network"),
    )
    accept_unsandboxed = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("Run the stdio server even where nothing can confine it"),
    )
    per_agent = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("Each agent gets a session (for stdio: a server process) of its own"),
    )
    authorization = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "off"}),
        label=gettext_lazy("Authorization header"),
        help_text=gettext_lazy("For the HTTP transports. Sealed, never shown again."),
    )
    forget_authorization = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("Forget the authorization header it has"),
    )
    teams = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs=TICK),
        label=gettext_lazy("Teams whose agents may use it"),
        help_text=gettext_lazy("With none ticked, no agent may."),
    )
    trust_annotations = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("Trust what it says of its own tools (read-only, destructive)"),
    )
    enabled = forms.BooleanField(
        label=gettext_lazy("Enabled"), required=False, widget=forms.CheckboxInput(attrs=TICK)
    )

    def __init__(self, *args: Any, upstream: Upstream | None = None, **kwargs: Any) -> None:
        self._upstream = upstream
        kwargs.setdefault("initial", {"enabled": True} if upstream is None else _shown(upstream))
        super().__init__(*args, **kwargs)
        cast("forms.MultipleChoiceField", self.fields["teams"]).choices = teams_of(directory())
        if upstream is not None:
            del self.fields["name"]
            self.fields["authorization"].help_text = gettext_lazy(
                "For the HTTP transports. Sealed, never shown again. Empty keeps what it has."
            )
            self.fields["ask_key"].help_text = gettext_lazy(
                "Sealed, never shown again. Empty keeps what it has."
            )
        if upstream is None or AUTHORIZATION not in _readable(upstream).headers:
            del self.fields["forget_authorization"]

    def plain(self) -> list[forms.BoundField]:
        """The fields that everybody reads."""
        others = {field.name for field in (*self.more(), *self.asks())}
        return [field for field in self if field.name not in others]

    def clean_command(self) -> tuple[str, ...]:
        """The command as words."""
        try:
            return tuple(shlex.split(self.cleaned_data["command"]))
        except ValueError as problem:
            raise forms.ValidationError(
                gettext("The quoting is not closed: {problem}.").format(problem=problem)
            ) from problem

    def settings(self) -> UpstreamSettings:
        """The settings of a valid form; fields it does not show are kept."""
        data, kept = self.cleaned_data, self._upstream
        is_http = data["transport"] in OVER_HTTP
        sandbox = dict(kept.sandbox) if kept is not None else {}
        if not is_http:
            sandbox |= self.limits("sandbox")
            sandbox.update(
                network=data["network"],
                accept_unsandboxed=data["accept_unsandboxed"],
                read_paths=_lines(data["read_paths"]),
                write_paths=_lines(data["write_paths"]),
            )
            sandbox = {key: value for key, value in sandbox.items() if value not in (None, False)}
        settings = UpstreamSettings(
            transport=data["transport"],
            enabled=data["enabled"],
            url=data["url"].strip(),
            allow_private_addresses=data["allow_private_addresses"],
            command=data["command"],
            sandbox=sandbox,
            per_agent=data["per_agent"],
            timeouts={key: value for key, value in self.limits("timeouts").items() if value},
            caps={key: value for key, value in self.limits("caps").items() if value},
            trust_annotations=data["trust_annotations"],
            team_ids=frozenset(UUID(team) for team in data["teams"]),
            questions=self.questions(kept.questions if kept is not None else {}),
        )
        if kept is None:
            return settings
        return replace(
            settings,
            environment={} if is_http else kept.environment,
            cwd="" if is_http else kept.cwd,
            pin_on_first_contact=kept.pin_on_first_contact,
        )

    def secrets(self) -> Secrets | None:
        """New secrets, or None to keep what there is.

        The others stay beside a new credential, unless the address is a new one.
        """
        data, upstream = self.cleaned_data, self._upstream
        value, forget = data["authorization"], data.get("forget_authorization", False)
        key = data["ask_key"]
        if not value and not forget and not key:
            return None
        stays = upstream is not None and data["url"].strip() == upstream.url
        kept = _readable(upstream) if upstream is not None and stays else Secrets()
        headers = dict(kept.headers)
        if value or forget:
            headers = {n: v for n, v in headers.items() if n.lower() != AUTHORIZATION.lower()}
        if value:
            headers[AUTHORIZATION] = value
        if not key and upstream is not None and not moves_endpoint(upstream, self.settings()):
            key = _readable(upstream).sampling_key
        return Secrets(headers=headers, environment=kept.environment, sampling_key=key)


def _readable(upstream: Upstream) -> Secrets:
    """What is sealed; nothing where no key opens it, so that it can be entered again."""
    try:
        return secrets_of(upstream)
    except Refused:
        return Secrets()


def _lines(text: str) -> tuple[str, ...] | None:
    lines = tuple(line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line) or None


def _shown(upstream: Upstream) -> dict[str, Any]:
    return {
        **shown_limits(upstream),
        **shown_questions(upstream),
        "read_paths": "\n".join(upstream.sandbox.get("read_paths", ())),
        "accept_unsandboxed": upstream.sandbox.get("accept_unsandboxed", False),
        "per_agent": upstream.per_agent,
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
