"""Signs of life: one row per long-running process, rewritten every few seconds."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Heartbeat(models.Model):
    """A process that was alive at `seen_at` by the database's clock."""

    kind = models.CharField(max_length=16)  # worker, for one
    name = models.CharField(max_length=200)
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "name"], name="heartbeat_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
