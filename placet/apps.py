"""Placet as a Django app: it carries the system checks and the management commands."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register

from placet.celery import app as celery_app
from placet.checks import check_installation


class PlacetConfig(AppConfig):
    """Wires the parts together when Django starts."""

    name = "placet"
    verbose_name = "Placet"
    celery = celery_app  # so that tasks called in any process go to our broker

    def ready(self) -> None:
        """Register the system checks."""
        register(check_installation, Tags.security)
