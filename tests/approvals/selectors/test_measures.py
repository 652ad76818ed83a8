"""Each reviewer's numbers, with tests aside and within a bound."""

from datetime import timedelta

import pytest
from django.utils import timezone
from uuid6 import uuid7

from approvals.domain.quorum import Answer
from approvals.domain.traps import Trap
from approvals.models import Ticket
from approvals.selectors import measures as selectors
from approvals.selectors.looks import nonce_shown_now, shown_at
from approvals.selectors.measures import measures
from approvals.services.canaries import seed_canary
from approvals.services.decisions import decide, withdraw_vote
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later

pytestmark = pytest.mark.both_engines


def row_of(user, days=7):
    return next(row for row in measures(days=days).rows if row.person == user.person_id)


def test_votes_are_counted_by_person_and_verdict(cast):
    a_ticket(cast, arguments=b'{"n":1}').approved_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":2}').rejected_by(cast.bob)
    a_ticket(cast, arguments=b'{"n":3}').rejected_by(cast.carol)
    found = measures(days=7)
    assert [row.name for row in found.rows] == ["bob", "carol"]
    assert (row_of(cast.bob).approved, row_of(cast.bob).rejected) == (1, 1)
    assert (row_of(cast.carol).approved, row_of(cast.carol).rejected) == (0, 1)
    assert not found.more


def test_a_vote_that_was_taken_back_counts_for_nothing(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back")
    assert measures(days=7).rows == ()


def test_votes_before_the_period_are_left_out(cast):
    a_ticket(cast).approved_by(cast.bob)
    with later(8 * 24 * 3600):
        assert measures(days=7).rows == ()
        assert row_of(cast.bob, days=30).approved == 1


def test_an_approval_within_seconds_of_seeing_the_page_is_quick(cast, monkeypatch):
    a_ticket(cast, arguments=b'{"n":1}').pending().voted(
        cast.bob, Answer.APPROVE, nonce=nonce_shown_now()
    )
    before = timezone.now() - timedelta(seconds=5)
    with monkeypatch.context() as earlier:
        earlier.setattr(timezone, "now", lambda: before)
        nonce = nonce_shown_now()
    a_ticket(cast, arguments=b'{"n":2}').pending().voted(cast.bob, Answer.APPROVE, nonce=nonce)
    a_ticket(cast, arguments=b'{"n":3}').approved_by(cast.bob)  # no telling how long
    row = row_of(cast.bob)
    assert (row.quick, row.timed) == (1, 2)


def test_who_posts_a_nonce_cannot_claim_to_have_looked_longer():
    nonce = nonce_shown_now()
    assert timezone.now() - shown_at(nonce) < timedelta(seconds=5)
    _millis, random, seal = nonce.split(".")
    for forged in (f"1.{random}.{seal}", f"{random}.{seal}", "", "..", str(uuid7())):
        assert shown_at(forged) is None


def test_agreement_is_with_others_on_the_ticket_else_on_the_tool(cast):
    a_policy(quorum=2)
    a_ticket(cast, arguments=b'{"n":1}').approved_by(cast.bob, cast.carol)
    a_ticket(cast, arguments=b'{"n":2}').approved_by(cast.bob).rejected_by(cast.carol)
    a_ticket(cast, arguments=b'{"n":3}').rejected_by(cast.bob)
    # On the first they agreed, on the second not; on the third carol's votes are too few to tell.
    row = row_of(cast.bob)
    assert (row.agreed, row.compared) == (1, 2)


def test_where_nobody_else_voted_on_the_ticket_the_tools_habit_counts(cast):
    for number in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % number).rejected_by(cast.carol)
    a_ticket(cast, arguments=b'{"n":9}').approved_by(cast.bob)
    assert (row_of(cast.bob).agreed, row_of(cast.bob).compared) == (0, 1)


def test_tests_are_counted_by_themselves(cast):
    past = a_ticket(cast).succeeded()
    for answer in (Answer.APPROVE, Answer.REJECT):
        uid = seed_canary(user=cast.dora, like=past.uid, trap=Trap.PATH, right=Answer.REJECT)
        digest = bytes(Ticket.objects.get(uid=uid).digest)
        decide(uid=uid, user=cast.carol, verdict=answer, seen_digest=digest, reason="", nonce="n")
    row = row_of(cast.carol)
    assert (row.noticed, row.tests, row.votes) == (1, 2, 0)
    assert row.median_seconds is None


def test_no_more_votes_are_read_than_the_bound(cast, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(selectors, "MOST", 2)
    for number in range(3):
        a_ticket(cast, arguments=b'{"n":%d}' % number).rejected_by(cast.bob)
    with django_assert_num_queries(2):
        found = measures(days=7)
    assert found.more
    assert found.rows[0].rejected == 2
