"""The part of an upstream's form that says who answers what the upstream asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from mcpbridge.models import Upstream
from mcpbridge.upstream.question_settings import MODES
from mcpbridge.upstream.questions import Kind, Mode
from mcpbridge.web.forms import INPUT, MONO, TICK

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

LABELS: Final[Mapping[Kind, StrPromise]] = {
    Kind.SAMPLING: gettext_lazy("When it asks for a model's words (sampling)"),
    Kind.ELICITATION: gettext_lazy("When it asks a person (elicitation)"),
    Kind.ROOTS: gettext_lazy("When it asks for folders (roots)"),
}
CHOICES: Final[Mapping[Mode, StrPromise]] = {
    Mode.REFUSE: gettext_lazy("refuse"),
    Mode.AGENT: gettext_lazy("ask the agent whose call it is"),
    Mode.PERSON: gettext_lazy("ask the reviewers, who answer on a ticket"),
    Mode.ENDPOINT: gettext_lazy("ask the model below"),
    Mode.FIXED: gettext_lazy("tell it the folders below"),
}
NUMBERS: Final = ("max_tokens", "per_minute")


def _choice(kind: Kind) -> forms.ChoiceField:
    return forms.ChoiceField(
        required=False,
        choices=[(mode.value, CHOICES[mode]) for mode in MODES[kind]],
        widget=forms.Select(attrs=INPUT),
        label=LABELS[kind],
    )


def _number(label: StrPromise, default: int) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=forms.NumberInput(attrs=INPUT),
        label=label,
        help_text=format_lazy(gettext_lazy("Empty: {default}."), default=default),
    )


class QuestionFields(forms.Form):
    """Who answers an upstream's questions. Subclass it; `kept` is the row's own part."""

    ask_sampling = _choice(Kind.SAMPLING)
    ask_elicitation = _choice(Kind.ELICITATION)
    ask_roots = _choice(Kind.ROOTS)
    ask_fixed_roots = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 2}),
        label=gettext_lazy("Folders that it is told"),
        help_text=gettext_lazy("One a line, as in file:///srv/data and then, if you like, a name."),
    )
    ask_url = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs=MONO),
        label=gettext_lazy("Address of the model"),
        help_text=gettext_lazy("OpenAI-compatible, as in http://127.0.0.1:11434/v1"),
    )
    ask_private = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput(attrs=TICK),
        label=gettext_lazy("The model may be on this machine or in a private network"),
    )
    ask_models = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={**MONO, "rows": 2}),
        label=gettext_lazy("Models that may be used"),
        help_text=gettext_lazy(
            "One a line. The first is used where the upstream names none of them."
        ),
    )
    ask_max_tokens = _number(gettext_lazy("Tokens of an answer at most"), 1024)
    ask_per_minute = _number(gettext_lazy("Answers in a minute at most"), 30)
    ask_key = forms.CharField(
        required=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "off"}),
        label=gettext_lazy("API key of the model"),
        help_text=gettext_lazy("Sealed, never shown again."),
    )

    def asks(self) -> list[forms.BoundField]:
        """The fields about questions."""
        return [field for field in self if field.name.startswith("ask_")]

    def open_asks(self) -> bool:
        """Whether one of them holds something or could not be read."""
        return any(
            field.errors or field.value() not in (None, "", False, Mode.REFUSE.value)
            for field in self.asks()
        )

    def questions(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """What a row keeps of a valid form; limits that the form does not show stay."""
        data = self.cleaned_data
        found: dict[str, Any] = {
            kind.value: data[f"ask_{kind.value}"]
            for kind in Kind
            if data[f"ask_{kind.value}"] not in ("", Mode.REFUSE.value)
        }
        lines = [line.split(maxsplit=1) for line in data["ask_fixed_roots"].splitlines()]
        roots = [
            {"uri": line[0], **({"name": line[1].strip()} if len(line) > 1 else {})}
            for line in lines
            if line
        ]
        if roots:
            found["fixed_roots"] = roots
        if data["ask_url"].strip():
            stays = {"prompt_bytes", "answer_bytes", "seconds"}
            before = kept.get("endpoint") or {}
            models = [line.strip() for line in data["ask_models"].splitlines()]
            found["endpoint"] = {
                **{key: value for key, value in before.items() if key in stays},
                "url": data["ask_url"].strip(),
                "models": [model for model in models if model],
                **{key: data[f"ask_{key}"] for key in NUMBERS if data[f"ask_{key}"]},
                **({"allow_private_addresses": True} if data["ask_private"] else {}),
            }
        return found


def shown_questions(upstream: Upstream) -> dict[str, Any]:
    """The form's values for a row."""
    kept = upstream.questions
    endpoint = kept.get("endpoint") or {}
    return {
        **{f"ask_{kind.value}": kept.get(kind.value, Mode.REFUSE.value) for kind in Kind},
        "ask_fixed_roots": "\n".join(
            f"{root['uri']} {root.get('name', '')}".strip() for root in kept.get("fixed_roots", ())
        ),
        "ask_url": endpoint.get("url", ""),
        "ask_private": endpoint.get("allow_private_addresses", False),
        "ask_models": "\n".join(endpoint.get("models", ())),
        **{f"ask_{key}": endpoint.get(key) for key in NUMBERS},
    }
