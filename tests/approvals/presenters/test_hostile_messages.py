"""The pack of hostile texts in what leaves by mail, chat, push and webhooks: seen, and inert."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape

import pytest

from approvals.domain.telling import Kind
from approvals.models import Notice, Person, Team, Ticket
from approvals.presenters.messages import message_of
from tests.support.hostile import HOSTILE, Hostile, judged

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAGE = re.compile(r"https?://[^/\s\"]+/(?:tickets/[0-9a-f-]{36}/)?")
SPELLED = re.compile(r"\{(?:U\+[0-9A-F]{4,6}(?:\u00d7[0-9]+)?|[@#&.:])\}")
OURS = re.compile(r"#[0-9]+|\n")
MARKUP = re.compile(r"[*~`|<>\[\]\\{}@#&]|://|(?<=\w)\.(?=[^\W\d])")


def acting(text: str) -> list[str]:
    """What is left in a message that some reader of it would act on, or that nobody sees."""
    plain = OURS.sub(" ", SPELLED.sub("", PAGE.sub("", text)))
    unseen = judged(f"<bdi>{escape(plain)}</bdi>".encode()).faults
    return MARKUP.findall(plain) + unseen


def a_notice(kind: Kind, hostile: Hostile) -> Notice:
    ticket = Ticket(
        pk=7,
        state="pending",
        risk="high",
        agent_name=hostile.text[:120],
        upstream_name=hostile.text[:64],
        tool_name=hostile.text,
        approval_expires_at=NOW + timedelta(hours=1),
        team=Team(slug="ops", name=hostile.text),
    )
    return Notice(kind=kind.value, ticket=ticket, by=Person(name=hostile.text), created_at=NOW)


@pytest.mark.parametrize("kind", list(Kind))
def test_names_of_agents_tools_and_people_in_every_kind_of_message(kind: Kind):
    for hostile in HOSTILE:
        message = message_of([a_notice(kind, hostile)], None, detailed=False, now=NOW)
        assert not acting(message.title), hostile.mark
        assert not acting(message.text), hostile.mark
        assert message.text.count(hostile.mark) >= 3, hostile.mark  # one is cut
        assert hostile.mark not in message.neutral + message.title


def test_many_messages_in_one():
    notices = [a_notice(Kind.NEEDS_YOU, hostile) for hostile in HOSTILE]
    for at in range(0, len(notices), 10):
        message = message_of(notices[at : at + 10], None, detailed=False, now=NOW)
        assert not acting(message.text)
        assert all(hostile.mark in message.text for hostile in HOSTILE[at : at + 10])
