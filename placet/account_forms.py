"""allauth's forms about passwords in this house's words. What they accept is allauth's business.

Every label stands above its field, so no field repeats it as a placeholder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from allauth.account.forms import (
    ChangePasswordForm,
    ResetPasswordForm,
    ResetPasswordKeyForm,
)
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

_NEW = gettext_lazy("New password")
_AGAIN = gettext_lazy("New password once more")
_DIFFERENT = gettext_lazy("The two new passwords differ. Type the same one twice.")


class _OurWords:
    """Gives fields their labels, and takes their placeholders away."""

    labels: ClassVar[Mapping[str, str | Promise]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in self.labels.items():
            field = self.fields[name]  # type: ignore[attr-defined]  # a form's
            field.label = label
            field.widget.attrs.pop("placeholder", None)


class _SameTwice(_OurWords):
    """Wants the new password twice."""

    def clean(self) -> dict[str, Any]:
        """Compare both, before allauth does it in words of its own."""
        posted: dict[str, Any] = self.cleaned_data  # type: ignore[attr-defined]  # a form's
        first, second = posted.get("password1"), posted.get("password2")
        if first and second and first != second:
            self.add_error("password2", _DIFFERENT)  # type: ignore[attr-defined]  # a form's
        return super().clean() or posted  # type: ignore[misc]  # a form's


class OurChangePasswordForm(_SameTwice, ChangePasswordForm):  # type: ignore[misc]  # allauth ships no types
    """A new password from somebody who knows the old one."""

    labels: ClassVar[Mapping[str, str | Promise]] = {
        "oldpassword": gettext_lazy("Password that you have now"),
        "password1": _NEW,
        "password2": _AGAIN,
    }


class OurResetPasswordForm(_OurWords, ResetPasswordForm):  # type: ignore[misc]  # as above
    """Where the link for a forgotten password goes."""

    labels: ClassVar[Mapping[str, str | Promise]] = {"email": gettext_lazy("E-mail")}


class OurResetPasswordKeyForm(_SameTwice, ResetPasswordKeyForm):  # type: ignore[misc]  # as above
    """A new password from somebody who followed the link."""

    labels: ClassVar[Mapping[str, str | Promise]] = {"password1": _NEW, "password2": _AGAIN}
