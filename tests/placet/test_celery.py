"""The Celery application: hints that give up at once, and log lines that name their ticket."""

import time
from datetime import timedelta

import pytest
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from kombu.exceptions import OperationalError

from placet.celery import app
from placet.logs import TICKET
from placet.tasks import forget_ended_sessions

SEEN: list[str] = []


@shared_task(name="tests.note")
def note(ticket_id: str) -> None:
    SEEN.append(TICKET.get())


def test_a_task_runs_in_the_context_of_its_ticket() -> None:
    SEEN.clear()
    app.finalize()
    app.tasks["tests.note"](ticket_id="0192-ticket")
    assert SEEN == ["0192-ticket"]
    assert TICKET.get() == ""


def test_publishing_without_a_broker_fails_at_once() -> None:
    began = time.monotonic()
    with pytest.raises((OperationalError, OSError)):
        app.tasks["tests.note"].apply_async(kwargs={"ticket_id": "x"})
    assert time.monotonic() - began < 10


def test_every_scheduled_task_exists() -> None:
    app.autodiscover_tasks(force=True)
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in app.tasks, name


def test_nothing_is_late_acknowledged_retried_or_delayed() -> None:
    app.autodiscover_tasks(force=True)
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]
    assert len(ours) >= 5
    for task in ours:
        assert not task.acks_late, task.name
        assert not getattr(task, "autoretry_for", ()), task.name


@pytest.mark.django_db
def test_only_ended_sessions_are_forgotten() -> None:
    for key, days in (("ended", -1), ("live", 1)):
        Session.objects.create(session_key=key, expire_date=timezone.now() + timedelta(days=days))
    forget_ended_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["live"]
