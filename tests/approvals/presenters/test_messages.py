"""One message may tell of several things; what they say alike is said once, warnings included."""

from datetime import UTC, datetime

from approvals.domain.telling import Kind
from approvals.models import Notice
from approvals.presenters.messages import Message, message_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WARNING = "If that was not you, tell an administrator at once."


def told_of(*kinds: Kind) -> Message:
    notices = [Notice(kind=kind) for kind in kinds]
    return message_of(notices, None, detailed=False, now=NOON)


def test_several_changes_of_ones_sign_in_are_one_warning():
    message = told_of(Kind.CREDENTIAL, Kind.CREDENTIAL)
    assert message == told_of(Kind.CREDENTIAL)
    assert message.title == "Placet: A way to sign in to your account was changed"
    assert WARNING in message.text


def test_a_warning_is_not_lost_among_other_news():
    message = told_of(Kind.CREDENTIAL, Kind.RESUMED)
    assert message.title == "Placet: News"
    assert WARNING in message.text
