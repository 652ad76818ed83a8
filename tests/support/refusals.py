"""All refusals that this installation can give, whichever module declares them."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings


def every_refusal() -> list[type]:
    """Every class of refusal, once everything that the pages use has been imported."""
    import_module(settings.ROOT_URLCONF)
    errors = import_module("approvals.domain.errors")
    found: list[type] = []
    waiting: list[type] = [errors.Refusal]
    while waiting:
        refusal = waiting.pop()
        found.append(refusal)
        waiting += refusal.__subclasses__()
    return sorted(found, key=lambda refusal: (refusal.__module__, refusal.__name__))
