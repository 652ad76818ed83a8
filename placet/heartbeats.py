"""Writing and reading signs of life; all times are the database's."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from placet.models import Heartbeat

FRESH = timedelta(seconds=12)
FORGOTTEN = timedelta(hours=1)


def record(*, kind: str, name: str) -> None:
    """Note that a process is alive; forget those of its kind that are long silent."""
    beating = Heartbeat.objects.filter(kind=kind, name=name)
    if not beating.update(seen_at=Now()):
        Heartbeat.objects.get_or_create(kind=kind, name=name, defaults={"seen_at": Now()})
        Heartbeat.objects.filter(kind=kind, seen_at__lt=Now() - FORGOTTEN).delete()


def seen(kind: str) -> bool:
    """Whether a process of `kind` was alive lately."""
    return Heartbeat.objects.filter(kind=kind, seen_at__gt=Now() - FRESH).exists()


def ages(kind: str) -> dict[str, float]:
    """Seconds since each remembered process of `kind` was seen."""
    age = ExpressionWrapper(Now() - F("seen_at"), output_field=DurationField())
    rows = Heartbeat.objects.filter(kind=kind).annotate(age=age).values_list("name", "age")
    return {name: max(0.0, found.total_seconds()) for name, found in rows}
