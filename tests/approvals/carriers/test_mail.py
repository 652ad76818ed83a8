"""Mail through a real SMTP conversation."""

import pytest
from pytest_django import Settings

from approvals.carriers import mail
from approvals.carriers.errors import CarrierError, Refused
from tests.support.receivers import a_mail_server


def over_smtp(settings: Settings, port: int) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": port, "timeout": 5},
        }
    }


def send(subject: str = "Placet: call #7", **changes: object) -> None:
    words = {"to": ["bob@example.test"], "text": "One\nTwo", "message_id": "7"}
    mail.send(subject=subject, **(words | changes))


def test_a_mail_is_plain_text_from_a_program_and_its_repeat_can_be_told(settings):
    with a_mail_server() as server:
        over_smtp(settings, server.port)
        send()
        send()
    first, again = server.mails
    assert first["Subject"] == "Placet: call #7"
    assert first.get_content_type() == "text/plain"
    assert first.get_content().split() == ["One", "Two"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"] == again["Message-ID"]
    assert server.envelopes[0] == ["bob@example.test"]


def test_no_line_break_of_a_subject_becomes_a_header(settings):
    with a_mail_server() as server:
        over_smtp(settings, server.port)
        send(subject="Hello\r\nBcc: eve@example.test\r\n\r\nbody " + "x" * 500)
    (taken,) = server.mails
    assert taken["Bcc"] is None
    assert server.envelopes == [["bob@example.test"]]
    assert len(taken["Subject"]) <= mail.MAX_SUBJECT


@pytest.mark.parametrize(
    ("answer", "error"), [(b"550 no such user\r\n", Refused), (b"451 later\r\n", CarrierError)]
)
def test_what_the_server_answers_decides_whether_to_try_again(settings, answer, error):
    with a_mail_server() as server:
        over_smtp(settings, server.port)
        server.refusals = [answer]
        with pytest.raises(CarrierError) as problem:
            send()
    assert type(problem.value) is error


def test_a_server_that_is_away_is_tried_again(settings):
    with a_mail_server() as server:
        port = server.port
    over_smtp(settings, port)
    with pytest.raises(CarrierError) as problem:
        send()
    assert type(problem.value) is CarrierError


def test_without_a_server_there_is_no_mail(settings):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}}
    assert not mail.configured()
    with pytest.raises(Refused, match="PLACET_SMTP_URL"):
        send()
