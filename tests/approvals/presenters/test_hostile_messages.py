"""The pack of hostile texts in what leaves by mail, chat, push and webhooks: seen, and inert."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from approvals.domain.canonical import canonical_bytes
from approvals.domain.telling import Kind
from approvals.models import Notice, Person, Team, Ticket
from approvals.presenters import messages
from approvals.presenters.calls import MENTION_CHARS, Call, call_of, table_of
from approvals.presenters.messages import event_of, message_of
from tests.support.hostile import HOSTILE, Hostile, misleading

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PAGE = re.compile(r"https?://[^/\s\"]+/(?:tickets/[0-9a-f-]{36}/)?")
SPELLED = re.compile(r"\{(?:U\+[0-9A-F]{4,6}(?:\u00d7[0-9]+)?|[@#&.:])\}")
OURS = re.compile(r"#[0-9]+|\n")
MARKUP = re.compile(r"[*~`|<>\[\]\\{}@#&]|://|(?<=\w)\.(?=[^\W\d])")


def acting(text: str) -> list[str]:
    """What is left in a message that some reader of it would act on, or that nobody sees."""
    plain = OURS.sub(" ", SPELLED.sub("", PAGE.sub("", text)))
    return [*MARKUP.findall(plain), *misleading(plain)]


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


def test_arguments_where_a_channel_wants_to_know_them(monkeypatch: pytest.MonkeyPatch, db: None):
    notices = [a_notice(Kind.NEEDS_YOU, hostile) for hostile in HOSTILE]
    carried: dict[int, tuple[Hostile, Hostile]] = {}
    for at, (notice, two) in enumerate(zip(notices, pairwise(HOSTILE), strict=False)):
        assert notice.ticket is not None
        notice.ticket.pk = at
        carried[at] = two

    def calls_of(tickets: Sequence[Ticket]) -> Mapping[int, Call]:
        return {ticket.pk: call_with(*carried[ticket.pk]) for ticket in tickets}

    monkeypatch.setattr(messages, "calls_of", calls_of)
    for notice, (one, other) in zip(notices, carried.values(), strict=False):
        message = message_of([notice], None, detailed=True, now=NOW)
        assert not acting(message.text), one.mark
        assert one.mark not in message.neutral + message.title
        event = event_of(notice, detailed=True)
        assert not acting(" ".join(each for each in event.values() if isinstance(each, str)))
        assert one.mark in event["arguments"] or len(one.text) > MENTION_CHARS
        assert json.dumps(event).isprintable(), other.mark


def call_with(one: Hostile, other: Hostile) -> Call:
    """A call whose target is one text, and whose further argument is called and is the other."""
    arguments = canonical_bytes({"path": one.text, other.text: other.text})
    return call_of(agent="a", upstream="u", tool="t", table=table_of(arguments))
