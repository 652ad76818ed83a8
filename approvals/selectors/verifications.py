"""The newest verification of the whole record that somebody asked for. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.db.models.expressions import ExpressionWrapper
from django.db.models.fields import BooleanField

from approvals.models import DatabaseNow, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """A run; `lost`: its worker vanished, whether or not somebody wrote that down."""

    run: Verification
    lost: bool


def newest_verification() -> Newest | None:
    """The newest run; None when nobody ever asked for one."""
    lapsed = ExpressionWrapper(
        Q(over=False, lease_until__isnull=False, lease_until__lte=DatabaseNow()),
        output_field=BooleanField(),
    )
    runs = Verification.objects.select_related("asked_by").annotate(lapsed=lapsed)
    run = runs.order_by("-pk").first()
    if run is None:
        return None
    return Newest(run=run, lost=run.lapsed or (run.over and run.breaks is None))
