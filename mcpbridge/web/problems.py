"""From a service's refusal to the form that caused it."""

from __future__ import annotations

from django import forms

from mcpbridge.administration import Refused


def add_refusal(form: forms.Form, refused: Refused) -> None:
    """Show a refusal beside the field that it names, or above the form."""
    field = refused.field if refused.field in form.fields else None
    form.add_error(field, refused.message[:1].upper() + refused.message[1:] + ".")
