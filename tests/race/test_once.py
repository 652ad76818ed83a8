"""What there is room for once: an agent's last place, and an absence of one person at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import Absence, Ticket, database_now
from approvals.services.delegation import declare_absence
from tests.support import builders
from tests.support.racing import assert_one_winner_each, race

pytestmark = pytest.mark.postgres  # SQLite has one writer at a time anyway
ROUNDS = 25


@pytest.fixture
def cast(real_db, settings):
    settings.APPROVALS_PORTS = {}
    return builders.a_cast()


def test_two_calls_at_once_do_not_both_get_the_agents_last_place(cast):
    def calling(path):
        def call(agent):
            asked = builders.a_call(
                cast, agent_id=agent, arguments=b'{"path":"%s"}' % path, max_open_tickets=1
            )
            api.submit(call=asked, judgement=builders.judged(asked))

        return call

    agents = [uuid7() for _ in range(ROUNDS)]
    results = race(agents, [calling(b"/a"), calling(b"/b")])
    assert_one_winner_each(results)
    assert {word for pair in results for word in pair} == {"won", "too_many_open_tickets"}
    assert sorted(Ticket.objects.values_list("agent_id", flat=True)) == agents


def test_nobody_is_away_twice_at_a_time_so_that_their_vote_is_in_one_hand(cast):
    now = database_now()

    def going(stand_in):
        def go(days):
            declare_absence(
                user=cast.bob,
                starts_at=now + timedelta(days=days),
                ends_at=now + timedelta(days=days, hours=1),
                delegate_id=stand_in,
                group_ids=[cast.group_id] if stand_in else [],
            )

        return go

    results = race(range(1, ROUNDS + 1), [going(cast.carol.person_id), going(None)])
    assert_one_winner_each(results)
    assert Absence.objects.count() == ROUNDS
