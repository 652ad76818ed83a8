"""The language and the time zone that people choose for what they read here."""

from __future__ import annotations

from django.conf import settings

from approvals.domain.errors import LocalityUnknown
from approvals.domain.locality import zone_names
from approvals.models import Person


def choose_locality(*, person: Person, language: str, time_zone: str) -> None:
    """Keep the choice; empty means whatever the browser says. Raises LocalityUnknown."""
    if language and language not in dict(settings.LANGUAGES):
        raise LocalityUnknown
    if time_zone and time_zone not in zone_names():
        raise LocalityUnknown
    Person.objects.filter(pk=person.pk).update(language=language, time_zone=time_zone)
    person.language, person.time_zone = language, time_zone
