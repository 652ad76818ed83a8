"""Plain text mail through the installation's SMTP server."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage

from approvals.carriers.errors import CarrierError, Refused
from approvals.domain.wording import say

MAX_SUBJECT: Final = 150
_NO_MAIL: Final = "django.core.mail.backends.dummy.EmailBackend"


def configured() -> bool:
    """Whether this installation sends mail at all."""
    mailers: dict[str, dict[str, object]] = settings.MAILERS
    return mailers["default"]["BACKEND"] != _NO_MAIL


def send(*, to: Sequence[str], subject: str, text: str, message_id: str) -> None:
    """Send one text to the addresses of one person; raises CarrierError.

    `message_id` is the same at each attempt, so that a mailbox can tell a repeat.
    """
    if not configured():
        raise Refused(say("this installation sends no mail (PLACET_SMTP_URL is not set)"))
    if not to:
        raise Refused(say("the person has no account that is in use"))
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    mail = EmailMessage(
        subject=" ".join(subject.split())[:MAX_SUBJECT],
        body=text,
        to=list(to),
        headers={
            "Message-ID": f"<{message_id}@{domain}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused:
        raise Refused(say("the mail server refuses the address")) from None
    except smtplib.SMTPAuthenticationError:
        raise CarrierError(say("the mail server refuses our login")) from None
    except smtplib.SMTPResponseException as problem:
        kind = Refused if problem.smtp_code >= 500 else CarrierError
        raise kind(say("the mail server refuses the mail"), f"code {problem.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as problem:
        raise CarrierError(say("no mail server could be reached"), type(problem).__name__) from None
