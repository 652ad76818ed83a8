"""Celery tasks of the installation itself; what tickets need is in the layers below."""

from __future__ import annotations

from celery import shared_task
from django.core.management import call_command


@shared_task(ignore_result=True)
def forget_ended_sessions() -> None:
    """Delete the sessions that nobody can use any more."""
    call_command("clearsessions")
