"""`requestState`: sealed, bound to one request of one agent, short-lived, used once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from mcpbridge import records
from mcpbridge.models import RedeemedState
from mcpbridge.server.request_state import (
    MAX_STATE,
    Binding,
    StateExpired,
    StateForeign,
    StateUsed,
    open_state,
    redeem,
    seal_state,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BINDING = Binding.of(
    purpose="round",
    agent_id=UUID(int=1),
    endpoint="/mcp",
    method="tools/call",
    name="files__delete",
    arguments_bytes=b'{"path":"a"}',
)
OTHERS = {
    "purpose": replace(BINDING, purpose="question"),
    "agent": replace(BINDING, agent_id=UUID(int=2)),
    "endpoint": replace(BINDING, endpoint="/mcp/u/files"),
    "method": replace(BINDING, method="prompts/get"),
    "request": replace(BINDING, request_digest=b"x" * 32),
}


@pytest.fixture(autouse=True)
def keys(settings):
    settings.APPROVALS_SEALING_KEYS = {"k1": b"1" * 32}


def sealed(**payload: object) -> str:
    return seal_state(payload, BINDING, ttl_seconds=60, clock=lambda: NOW)


def opened(text: str, *, after: float = 0, binding: Binding = BINDING):
    return open_state(text, binding, clock=lambda: NOW + timedelta(seconds=after))


def test_a_state_opens_for_the_request_it_was_made_for_and_shows_nothing():
    text = sealed(ticket="hush", round=3)
    assert opened(text).payload == {"ticket": "hush", "round": 3}
    assert "hush" not in text
    assert opened(text).id != opened(sealed(ticket="hush")).id


@pytest.mark.parametrize("what", OTHERS)
def test_a_state_shown_with_anything_else_does_not_open(what: str):
    with pytest.raises(StateForeign):
        opened(sealed(ticket="a"), binding=OTHERS[what])


def test_name_and_arguments_cannot_be_moved_into_each_other():
    whole = {"purpose": "p", "agent_id": UUID(int=1), "endpoint": "/mcp", "method": "tools/call"}
    first = Binding.of(**whole, name="a", arguments_bytes=b"b{}")
    second = Binding.of(**whole, name="ab", arguments_bytes=b"{}")
    assert first.request_digest != second.request_digest


def test_every_changed_character_is_noticed():
    text = sealed(ticket="a")
    for place in range(len(text)):
        changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        with pytest.raises(StateForeign):
            opened(changed)


@pytest.mark.parametrize("text", ["", "=", "AA", "a b", "é", "A" * (MAX_STATE + 1), "\0", "A" * 64])
def test_what_was_never_sealed_here_does_not_open(text: str):
    with pytest.raises(StateForeign):
        opened(text)


def test_a_state_has_one_spelling():
    text = sealed(ticket="a")
    for other in (text + "=", text + "==", text + "\n", " " + text):
        with pytest.raises(StateForeign):
            opened(other)


def test_a_state_expires():
    text = sealed(ticket="a")
    assert opened(text, after=59.9)
    with pytest.raises(StateExpired):
        opened(text, after=60)


def test_a_state_opens_in_any_process_that_has_the_key_and_after_a_new_key(settings):
    text = sealed(ticket="a")
    settings.APPROVALS_SEALING_KEYS = {"k2": b"2" * 32, "k1": b"1" * 32}
    assert opened(text).payload == {"ticket": "a"}
    settings.APPROVALS_SEALING_KEYS = {"k2": b"2" * 32}
    with pytest.raises(StateForeign):
        opened(text)


@pytest.mark.both_engines
def test_a_state_is_used_once(db: None):
    state = opened(sealed(ticket="a"))
    redeem(state)
    with pytest.raises(StateUsed):
        redeem(state)


@pytest.mark.both_engines
def test_a_state_is_good_again_when_what_it_authorised_was_rolled_back(db: None):
    state = opened(sealed(ticket="a"))
    with transaction.atomic():
        redeem(state)
        transaction.set_rollback(True)
    redeem(state)


@pytest.mark.both_engines
def test_used_states_are_forgotten_when_they_are_long_expired(db: None):
    now = datetime.now(UTC)
    old, young = uuid4(), uuid4()
    records.redeem(old, expires_at=now - timedelta(hours=2))
    records.redeem(young, expires_at=now - timedelta(minutes=1))
    assert records.forget_redeemed() == 1
    assert list(RedeemedState.objects.values_list("id", flat=True)) == [young]
