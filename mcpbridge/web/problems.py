"""From a service's refusal to the form that caused it."""

from __future__ import annotations

from django import forms

from mcpbridge.administration import Refused
from mcpbridge.approvals_gateway import told


def add_refusal(form: forms.Form, refused: Refused) -> None:
    """Show a refusal beside the field that it names, or above the form."""
    field = refused.field if refused.field in form.fields else None
    words = told(refused.message)
    form.add_error(field, words[:1].upper() + words[1:] + ".")
