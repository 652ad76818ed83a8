"""What the admin's form about an upstream takes, and the settings that come out of it."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from django import forms
from django.utils.translation import gettext, gettext_lazy

from mcpbridge.administration import Refused, UpstreamSettings, secrets_of
from mcpbridge.administration.upstream_settings import MAX_SECONDS
from mcpbridge.administration.upstreams import moves_endpoint
from mcpbridge.approvals_gateway import directory
from mcpbridge.catalog.secrets import Secrets
from mcpbridge.models import Upstream
from mcpbridge.upstream.spec import OVER_HTTP, Caps, SandboxProfile, Timeouts
from mcpbridge.web.forms import INPUT, MONO, TICK, teams_of
from mcpbridge.web.question_fields import QuestionFields, shown_questions

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

AUTHORIZATION = "Authorization"
GIB: Final = 1 << 30
LIMITS: Final[tuple[tuple[str, str, StrPromise, int], ...]] = (
    ("timeouts", "connect", gettext_lazy("Seconds until it is connected"), MAX_SECONDS),
    ("timeouts", "first_byte", gettext_lazy("Seconds until it begins to answer"), MAX_SECONDS),
    ("timeouts", "total", gettext_lazy("Seconds until it has answered"), MAX_SECONDS),
    ("caps", "result_bytes", gettext_lazy("Bytes of a result at most"), GIB),
    ("caps", "line_bytes", gettext_lazy("Bytes of a line of a stdio server at most"), GIB),
    ("caps", "notifications", gettext_lazy("Notifications during a call at most"), 1_000_000),
    ("caps", "tools", gettext_lazy("Tools at most"), 100_000),
    (
        "sandbox",
        "memory_bytes",
        gettext_lazy("Bytes of memory of a stdio process at most"),
        1 << 44,
    ),
    ("sandbox", "processes", gettext_lazy("Processes of a stdio server at most"), 100_000),
    ("sandbox", "files", gettext_lazy("Open files of a stdio process at most"), 1_000_000),
    ("sandbox", "file_bytes", gettext_lazy("Bytes of a file that it writes at most"), 1 << 44),
)
DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "timeouts": asdict(Timeouts()),
    "caps": asdict(Caps()),
    "sandbox": asdict(SandboxProfile()),
}


class UpstreamForm(QuestionFields):
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
        help_text=gettext_lazy(
            "For the HTTP transports. Sealed, never shown again. Empty keeps what it has."
        ),
    )
    forget_authorization = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("Forget the authorization header it has"),
    )
    teams = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
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
        for section, key, label, most in LIMITS:
            self.fields[f"{section}_{key}"] = _limit_field(section, key, label, most)
        cast("forms.MultipleChoiceField", self.fields["teams"]).choices = teams_of(directory())
        if upstream is not None:
            del self.fields["name"]
        if upstream is None or AUTHORIZATION not in _readable(upstream).headers:
            del self.fields["forget_authorization"]

    def plain(self) -> list[forms.BoundField]:
        """The fields that everybody reads."""
        others = self._limit_names() | {field.name for field in self.asks()}
        return [field for field in self if field.name not in others]

    def more(self) -> list[forms.BoundField]:
        """The fields that most leave empty."""
        limits = self._limit_names()
        return [field for field in self if field.name in limits]

    def open_more(self) -> bool:
        """Whether one of those holds something or could not be read."""
        return any(field.errors or field.value() not in (None, "") for field in self.more())

    @staticmethod
    def _limit_names() -> set[str]:
        return {f"{section}_{key}" for section, key, _, _ in LIMITS}

    def _chosen(self, section: str) -> dict[str, Any]:
        return {
            key: self.cleaned_data[f"{section}_{key}"]
            for where, key, _, _ in LIMITS
            if where == section
        }

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
            sandbox |= self._chosen("sandbox")
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
            timeouts={key: value for key, value in self._chosen("timeouts").items() if value},
            caps={key: value for key, value in self._chosen("caps").items() if value},
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


def _limit_field(section: str, key: str, label: StrPromise, most: int) -> forms.Field:
    default = DEFAULTS[section][key]
    if section == "timeouts":
        return forms.FloatField(
            required=False,
            min_value=0.01,
            max_value=most,
            widget=forms.NumberInput(attrs=INPUT | {"step": "any"}),
            label=label,
            help_text=gettext("Empty: {default:g}.").format(default=default),
        )
    return forms.IntegerField(
        required=False,
        min_value=1,
        max_value=most,
        widget=forms.NumberInput(attrs=INPUT),
        label=label,
        help_text=gettext("Empty: {default}.").format(default=default),
    )


def _shown(upstream: Upstream) -> dict[str, Any]:
    stored = {
        "timeouts": upstream.timeouts,
        "caps": upstream.caps,
        "sandbox": upstream.sandbox,
    }
    limits = {f"{section}_{key}": stored[section].get(key) for section, key, _, _ in LIMITS}
    return {
        **limits,
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
