"""What an admin's page says about an upstream's resources and prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from mcpbridge.administration import in_force
from mcpbridge.approvals_gateway import Effect
from mcpbridge.calls.forwarded import GOVERNED

WORDS = {
    "resources/read": gettext_lazy("reading resources"),
    "prompts/get": gettext_lazy("getting prompts"),
    "completion/complete": gettext_lazy("completing arguments"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OthersView:
    """What is in force: all of it allowed, none, or some (then `allowed` names what)."""

    state: str  # all, none or some
    allowed: tuple[str, ...]
    exceptions: tuple[str, ...]  # earlier rules that speak of some agents only


def others_view(upstream: str, document: Mapping[str, Any]) -> OthersView:
    """What policy says about the upstream's resources and prompts for agents in general."""
    found = {name: in_force(document, upstream=upstream, tool=name) for name in GOVERNED}
    allowed = [name for name, force in found.items() if force.effect is Effect.ALLOW]
    state = "all" if len(allowed) == len(GOVERNED) else "some" if allowed else "none"
    exceptions = dict.fromkeys(name for force in found.values() for name in force.exceptions)
    return OthersView(
        state=state,
        allowed=tuple(str(WORDS[name]) for name in allowed),
        exceptions=tuple(exceptions),
    )
