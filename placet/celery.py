"""The Celery application: tasks are hints to look at rows, beat is a metronome."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging

from placet.logs import TICKET

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")


class CorrelatedTask(Task):  # type: ignore[type-arg]  # Celery's Task takes no arguments at run time
    """A task whose log lines carry the ticket that it was called for."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task with its ticket as the context of its log lines."""
        token = TICKET.set(str(kwargs.get("ticket_id", "")))
        try:
            return super().__call__(*args, **kwargs)
        finally:
            TICKET.reset(token)


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery leaves logging alone where somebody listens; Django's settings decide its form."""


app = Celery("placet", task_cls=CorrelatedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
