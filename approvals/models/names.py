"""The names that tickets carry: what a search by name looks through."""

from typing import ClassVar

from django.db import models


class KnownName(models.Model):
    """A name that some ticket carries, once for each reason to see such tickets.

    Rows are only added. `audience` is a team, a group that is asked, or an agent's owner.
    """

    class Kind(models.TextChoices):
        AGENT = "agent"
        UPSTREAM = "upstream"
        TOOL = "tool"

    id = models.BigAutoField(primary_key=True)
    audience = models.UUIDField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=256)
    folded = models.CharField(max_length=1024)  # case folding may lengthen a name

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["audience", "kind", "name"], name="known_name_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
