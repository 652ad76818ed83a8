"""The part of an upstream's form that says how long, how much and how many."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext, gettext_lazy

from mcpbridge.administration.upstream_settings import MAX_SECONDS
from mcpbridge.models import Upstream
from mcpbridge.upstream.spec import Caps, SandboxProfile, Timeouts
from mcpbridge.web.forms import INPUT

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

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


class LimitFields(forms.Form):
    """An upstream's time-outs, caps and bounds of its processes. Subclass it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for section, key, label, most in LIMITS:
            self.fields[f"{section}_{key}"] = _limit_field(section, key, label, most)

    def more(self) -> list[forms.BoundField]:
        """The fields that most leave empty."""
        return [self[f"{section}_{key}"] for section, key, _, _ in LIMITS]

    def open_more(self) -> bool:
        """Whether one of those holds something or could not be read."""
        return any(field.errors or field.value() not in (None, "") for field in self.more())

    def limits(self, section: str) -> dict[str, Any]:
        """What a valid form says of one section, by the key that it is stored under."""
        return {
            key: self.cleaned_data[f"{section}_{key}"]
            for where, key, _, _ in LIMITS
            if where == section
        }


def shown_limits(upstream: Upstream) -> dict[str, Any]:
    """The form's values for a row."""
    stored = {
        "timeouts": upstream.timeouts,
        "caps": upstream.caps,
        "sandbox": upstream.sandbox,
    }
    return {f"{section}_{key}": stored[section].get(key) for section, key, _, _ in LIMITS}


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
