"""Confirming an approval in person: passkeys, codes and the typed name of a target."""

from __future__ import annotations

from approvals.domain.errors.base import Refusal


class StepUpRequired(Refusal):
    """This approval needs you in person: confirm it with your passkey."""

    kind = "invalid"


class StepUpUnneeded(Refusal):
    """This ticket asks for no passkey. Look at it again, then decide."""


class NoPasskey(Refusal):
    """You have no passkey that could confirm this approval. Add one to your account first."""

    kind = "invalid"


class PromptOver(Refusal):
    """The passkey's question was answered before, or too late. Approve again to be asked anew."""

    kind = "invalid"


class PasskeyUnknown(Refusal):
    """This passkey does not belong to your account, or not any more."""

    kind = "invalid"


class PasskeyUnverified(Refusal):
    """The passkey did not check that it is you (fingerprint, face or PIN)."""

    kind = "invalid"


class PasskeyWrong(Refusal):
    """The passkey's answer does not prove this approval. Nothing was decided."""

    kind = "invalid"


class CodeWrong(Refusal):
    """This code is not right, or was used before. Wait for the next one."""

    kind = "invalid"


class TooManyCodes(Refusal):
    """Too many wrong codes. Wait five minutes, or use a passkey."""

    kind = "invalid"


class TargetNotTyped(Refusal):
    """Type the name of what this call acts on, exactly as it is shown."""

    kind = "invalid"
