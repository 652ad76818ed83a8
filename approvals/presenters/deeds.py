"""Acts of the audit record that belong to no ticket, in words for people.

The record keeps an act's own name; what stands here is only how it is read.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy

from approvals.domain.states import State
from approvals.presenters.words import STATE_MARKS

DEEDS: Final = {
    "killed": gettext_lazy("The kill switch was turned on"),
    "revived": gettext_lazy("Calls may run again"),
    "epoch_bumped": gettext_lazy("Something changed that decides who may do what"),
    "policy_in_force": gettext_lazy("A policy version came into force"),
    "published": gettext_lazy("A policy version was published"),
    "seeded": gettext_lazy("A test was seeded"),
    "purged": gettext_lazy("What was stored was removed when its retention ended"),
    "granted": gettext_lazy("A standing permission was given"),
    "used": gettext_lazy("A standing permission let a call through"),
    "grant_revoked": gettext_lazy("A standing permission was revoked"),
    "account_created": gettext_lazy("An account was made"),
    "roles_changed": gettext_lazy("A person's roles were changed"),
    "group_created": gettext_lazy("A reviewer group was made"),
    "team_created": gettext_lazy("A team was made"),
    "team_changed": gettext_lazy("A team was changed"),
    "members_set": gettext_lazy("Its members were set"),
    "rotation_changed": gettext_lazy("Who is on call was changed"),
    "channel_added": gettext_lazy("A way to be told was added"),
    "channel_changed": gettext_lazy("A way to be told was changed"),
    "channel_removed": gettext_lazy("A way to be told was removed"),
    "passkey_added": gettext_lazy("A passkey was added"),
    "passkey_removed": gettext_lazy("A passkey was removed"),
    "totp_added": gettext_lazy("An authenticator app was added"),
    "totp_removed": gettext_lazy("An authenticator app was removed"),
    "codes_made": gettext_lazy("Recovery codes were made"),
    "codes_removed": gettext_lazy("Recovery codes were removed"),
    "absence_declared": gettext_lazy("Somebody said when they are away"),
    "absence_ended": gettext_lazy("An absence was ended"),
    "paused": gettext_lazy("An agent was paused"),
    "resumed": gettext_lazy("An agent was resumed"),
    "agent_created": gettext_lazy("An agent was made"),
    "agent_changed": gettext_lazy("An agent was changed"),
    "token_issued": gettext_lazy("A token was issued"),
    "token_revoked": gettext_lazy("A token was revoked"),
    "upstream_created": gettext_lazy("An upstream was added"),
    "upstream_changed": gettext_lazy("An upstream was changed"),
    "tools_changed": gettext_lazy("The tools that an upstream offers changed"),
    "tool_pinned": gettext_lazy("A tool's definition was pinned"),
    "tool_quarantined": gettext_lazy("A tool was taken out of use"),
    "tool_idempotence_set": gettext_lazy("How often a call may be sent was set"),
}

_STATES: Final = frozenset(state.value for state in State)


def edge_in_words(source: str, target: str) -> str:
    """From which state to which, as tickets are marked elsewhere; empty for acts that move none."""
    return " → ".join(_state(name) for name in (source, target) if name)


def _state(name: str) -> str:
    return str(STATE_MARKS[State(name)].word) if name in _STATES else name
