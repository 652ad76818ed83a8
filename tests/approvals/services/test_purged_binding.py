"""What a purge leaves of a ticket gives its arguments away to nobody, and what it leaves alone."""

from __future__ import annotations

import pytest

from approvals import api
from approvals.audit.binding import ticket_binding
from approvals.audit.sealing import purge, purge_older_than
from approvals.domain.canonical import ticket_digest
from approvals.models import Payload
from approvals.services import conversation, editing, handover
from tests.support.builders import a_cast, a_policy, a_ticket

pytestmark = pytest.mark.django_db


def test_a_purged_ticket_cannot_be_guessed_against():
    walk = a_ticket(a_cast(), arguments=b'{"pin":"1234"}').pending()
    before = walk.ticket
    assert ticket_digest(ticket_binding(before, b'{"pin":"1234"}')) == bytes(before.digest)

    purge(before.arguments_id, actor="system:retention")
    after = type(before).objects.select_related("arguments").get(pk=before.pk)

    assert ticket_digest(ticket_binding(after, b'{"pin":"1234"}')) != bytes(after.digest)


@pytest.mark.both_engines
def test_retention_leaves_all_that_people_said_about_a_ticket_until_it_is_over():
    cast = a_cast()
    a_policy(quorum=2)
    walk = a_ticket(cast, agent_says="Please.").pending()
    editing.edit_arguments(
        uid=walk.uid,
        user=cast.bob,
        raw=b'{"path":"/tmp/b"}',
        seen_digest=bytes(walk.ticket.digest),
        reason="Safer.",
        nonce="e",
    )
    conversation.comment(uid=walk.uid, user=cast.bob, words="Look.", nonce="c")
    handover.hand_on(
        uid=walk.uid, user=cast.bob, to_person=cast.carol.person_id, words="You know it.", nonce="h"
    )
    walk.voted(cast.carol, api.Answer.APPROVE, reason="Fine.")

    assert purge_older_than(days=-1) == 0  # as if a day had passed
    walk.rejected_by(cast.bob)
    assert purge_older_than(days=-1) == Payload.objects.count()


def test_an_answer_is_kept_until_it_was_handed_over():
    cast = a_cast()
    form = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    walk = a_ticket(cast, tool_definition={"name": "ask", "answerSchema": form}).pending()
    api.decide(
        uid=walk.uid,
        user=cast.bob,
        verdict=api.Answer.APPROVE,
        seen_digest=bytes(walk.ticket.digest),
        reason="",
        nonce="n",
        typed={"name": "main"},
    )

    purge_older_than(days=-1)

    assert api.answer_of(walk.uid) == b'{"name":"main"}'
