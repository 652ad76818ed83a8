"""Edited arguments: who may, what becomes of the votes, and what is sent in the end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.audit.sealing import purge, purge_older_than, unseal
from approvals.audit.verification import verify
from approvals.domain import errors
from approvals.models import Edit, Payload, Ticket, database_now
from approvals.services import editing, people
from approvals.services.decisions import withdraw_vote
from approvals.services.delegation import declare_absence
from tests.support import rings
from tests.support.builders import a_policy, a_ticket
from tests.support.clock import later
from tests.support.record import a_hand_at_the_console

SAFER = b'{"path":"/tmp/other.txt"}'
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string", "pattern": "^/tmp/"}},
    "required": ["path"],
    "additionalProperties": False,
}
DEFINITION = {"name": "delete_file", "inputSchema": SCHEMA}


def edit(walk, user, raw=SAFER, *, approve=False, nonce=None, seen=None, reason=""):
    return editing.edit_arguments(
        uid=walk.uid,
        user=user,
        raw=raw,
        seen_digest=bytes(walk.ticket.digest) if seen is None else seen,
        reason=reason,
        nonce=nonce or str(uuid7()),
        approve=approve,
    )


def broken():
    return [found for found in verify() if found.table != "triggers"]


@pytest.mark.both_engines
def test_an_edit_makes_a_new_revision_that_nobody_has_voted_on(cast):
    a_policy(quorum=2)
    walk = a_ticket(cast).pending().voted(cast.bob, api.Answer.APPROVE)
    before = walk.ticket
    assert edit(walk, cast.carol, reason="the other one").kind == "edited"
    after = walk.ticket
    assert (after.state, after.revision) == ("pending", 2)
    assert unseal(after.arguments) == SAFER
    assert bytes(after.digest) != bytes(before.digest)
    assert bytes(after.nonce) != bytes(before.nonce)
    assert walk.view.have == 0, "a vote on other arguments counts"
    with pytest.raises(errors.NoVoteToWithdraw):
        withdraw_vote(uid=walk.uid, user=cast.bob, nonce="back")
    kept = Edit.objects.get(ticket=after)
    assert unseal(kept.arguments_before) == b'{"path":"/tmp/report.txt"}'
    assert kept.person_id == cast.carol.person_id
    assert broken() == []


@pytest.mark.both_engines
def test_what_was_edited_and_approved_is_exactly_what_is_sent(cast):
    walk = a_ticket(cast).pending()
    edit(walk, cast.bob)
    walk.voted(cast.bob, api.Answer.APPROVE).succeeded()
    assert walk.claim.arguments == SAFER
    view = walk.view
    assert (view.edited, view.edited_arguments) == (True, SAFER)
    assert view.edited_pointers == ("/path",)
    assert broken() == []


@pytest.mark.both_engines
def test_an_edit_and_its_approval_can_be_one_act(cast):
    walk = a_ticket(cast).pending()
    done = edit(walk, cast.bob, approve=True, nonce="once")
    assert (done.kind, walk.ticket.state) == ("approved", "approved")
    assert edit(walk, cast.bob, approve=True, nonce="once").kind == "repeated"
    assert rings.rung_approved == [] or walk.uid in rings.rung_approved
    assert walk.claimed().claim.arguments == SAFER


def test_an_edit_whose_approval_is_refused_is_not_made_either(cast):
    a_policy(reason_required=True)
    walk = a_ticket(cast).pending()
    with pytest.raises(errors.ReasonRequired):
        edit(walk, cast.bob, approve=True)
    assert (walk.ticket.revision, Edit.objects.count()) == (1, 0)


def test_a_vote_with_the_digest_of_the_earlier_revision_is_stale(cast):
    walk = a_ticket(cast).pending()
    old = bytes(walk.ticket.digest)
    edit(walk, cast.carol)
    with pytest.raises(errors.StaleDigest):
        api.decide(
            uid=walk.uid,
            user=cast.bob,
            verdict=api.Answer.APPROVE,
            seen_digest=old,
            reason="",
            nonce="n",
        )
    with pytest.raises(errors.StaleDigest):
        edit(walk, cast.bob, b'{"path":"/tmp/third.txt"}', seen=old)


def test_under_four_eyes_an_editor_does_not_approve_their_own_version(cast):
    a_policy(four_eyes=True)
    walk = a_ticket(cast).pending()
    with pytest.raises(errors.FourEyes):
        edit(walk, cast.bob, approve=True)
    edit(walk, cast.bob)
    with pytest.raises(errors.FourEyes):
        walk.voted(cast.bob, api.Answer.APPROVE)
    assert walk.voted(cast.carol, api.Answer.APPROVE).ticket.state == "approved"


def test_nobody_edits_so_that_nobody_is_left_to_approve(cast):
    a_policy(four_eyes=True, quorum=2)
    walk = a_ticket(cast).pending()
    with pytest.raises(errors.QuorumUnreachable):
        edit(walk, cast.bob)
    assert walk.ticket.revision == 1


def test_a_repeat_of_the_original_arguments_attaches_to_the_edited_ticket(cast):
    walk = a_ticket(cast).pending()
    edit(walk, cast.bob)
    again = a_ticket(cast).pending().submitted
    assert (again.kind, again.ticket.uid) == ("attached", walk.uid)
    assert again.ticket.edited_arguments == SAFER


def test_policy_judges_an_edited_call_again_and_a_denial_refuses_it(cast):
    walk = a_ticket(cast).pending()
    api.publish_policy(document={"rules": [{"name": "no files", "effect": "deny"}]})
    with pytest.raises(errors.PolicyDenied, match="no files"):
        edit(walk, cast.bob)
    assert walk.ticket.revision == 1


def test_obligations_of_an_edited_call_only_tighten(cast):
    a_policy(quorum=2, approval_seconds=600)
    walk = a_ticket(cast).pending()
    deadline = walk.ticket.approval_expires_at
    api.publish_policy(
        document={
            "rules": [],
            "defaults": {"quorum": 1, "reason_required": True, "approval_seconds": 3600},
        }
    )
    edit(walk, cast.bob)
    obligations = walk.ticket.obligations
    assert (obligations["quorum"], obligations["reason_required"]) == (2, True)
    assert walk.ticket.approval_expires_at == deadline, "an edit moved the deadline"
    api.publish_policy(document={"rules": [{"name": "free", "effect": "allow"}]})
    edit(walk, cast.bob, b'{"path":"/tmp/third.txt"}')
    assert walk.ticket.obligations == obligations, "a call that policy allows today is still asked"


def test_an_edited_call_that_is_for_other_reviewers_is_refused(cast):
    walk = a_ticket(cast).pending()
    people.ensure_group(slug="others", name="Others")
    people.set_members(group="others", people=[cast.bob.person_id])
    a_policy(groups=["others"])
    with pytest.raises(errors.ObligationsConflict):
        edit(walk, cast.bob)


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        (b'{"path":"/tmp/report.txt"}', errors.NothingChanged),
        (b' {"path" : "/tmp/report.txt"} ', errors.NothingChanged),
        (b'{"path":"/etc/passwd"}', errors.ArgumentsUnfit),
        (b'{"path":5}', errors.ArgumentsUnfit),
        (b'{"path":"/tmp/a","force":true}', errors.ArgumentsUnfit),
        (b"{}", errors.ArgumentsUnfit),
        (b'{"path":"/tmp/a","path":"/tmp/b"}', errors.ArgumentsUnreadable),
        (b'{"path":"/tmp/a\\ud800"}', errors.ArgumentsUnreadable),
        (b'{"path":9007199254740993}', errors.ArgumentsUnreadable),
        (b'{"path":NaN}', errors.ArgumentsUnreadable),
        (b'["/tmp/a"]', errors.ArgumentsUnreadable),
        (b"", errors.ArgumentsUnreadable),
        (b'{"path":"/tmp/%s"}' % (b"x" * 300_000), errors.ArgumentsUnreadable),
        (b"[" * 10_000, errors.ArgumentsUnreadable),
    ],
)
def test_what_could_not_be_submitted_cannot_be_edited_to_either(cast, raw, refusal):
    walk = a_ticket(cast, tool_definition=DEFINITION).pending()
    with pytest.raises(refusal):
        edit(walk, cast.bob, raw)
    assert walk.ticket.revision == 1


def test_a_schema_that_cannot_be_used_lets_nothing_be_edited(cast):
    definition = {"inputSchema": {"$ref": "https://schemas.example/x.json"}}
    walk = a_ticket(cast, tool_definition=definition).pending()
    with pytest.raises(errors.NotEditable):
        edit(walk, cast.bob)


def test_a_question_to_people_cannot_be_edited(cast):
    definition = {"answerSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    walk = a_ticket(cast, tool_definition=definition).pending()
    with pytest.raises(errors.NotEditable):
        edit(walk, cast.bob)


def test_only_people_with_a_vote_edit(cast):
    walk = a_ticket(cast).pending()
    with pytest.raises(errors.NotVisible):
        edit(walk, cast.charlie)
    with pytest.raises(errors.NotEligible):
        edit(walk, cast.dora)
    with pytest.raises(errors.NotEligible):
        edit(walk, cast.alice)


def test_the_owner_of_the_agent_does_not_edit_its_calls(cast, settings):
    members = [user.person_id for user in (cast.alice, cast.bob, cast.carol)]
    people.set_members(group="reviewers", people=members)
    walk = a_ticket(cast).pending()
    with pytest.raises(errors.OwnerMayNotEdit):
        edit(walk, cast.alice)
    rings.owners[cast.robo] = cast.bob.person_id
    with pytest.raises(errors.OwnerMayNotEdit):
        edit(walk, cast.bob)
    settings.APPROVALS_ONE_PERSON = True
    assert edit(walk, cast.bob).kind == "edited"


def test_who_stands_in_for_the_owner_alone_does_not_edit_either(cast):
    people.ensure_group(slug="legal", name="Legal")
    people.set_members(group="legal", people=[cast.bob.person_id, cast.dora.person_id])
    a_policy(groups=["legal"])
    declare_absence(
        user=cast.bob,
        starts_at=None,
        ends_at=database_now() + timedelta(days=1),
        delegate_id=cast.carol.person_id,
        group_ids=[people.ensure_group(slug="legal")],
    )
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()
    with pytest.raises(errors.StandInBarred):
        edit(walk, cast.carol)
    assert walk.ticket.revision == 1
    assert edit(walk, cast.dora).kind == "edited"


def test_whoever_was_taken_out_of_the_group_meanwhile_does_not_edit(cast):
    walk = a_ticket(cast).pending()
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    with pytest.raises(errors.NotEligible):
        edit(walk, cast.bob)


def test_what_is_decided_or_too_late_is_not_edited(cast):
    walk = a_ticket(cast).rejected_by(cast.carol)
    with pytest.raises(errors.AlreadyDecided):
        edit(walk, cast.bob)
    a_policy(approval_seconds=1)
    late = a_ticket(cast, arguments=b'{"path":"/late"}').pending()
    with later(5), pytest.raises(errors.Expired):
        edit(late, cast.bob)


def test_a_ticket_is_edited_only_so_often(cast, monkeypatch):
    monkeypatch.setattr(editing, "MAX_EDITS", 2)
    walk = a_ticket(cast).pending()
    for name in (b"one", b"two"):
        edit(walk, cast.bob, b'{"path":"%s"}' % name)
    with pytest.raises(errors.TooManyEdits):
        edit(walk, cast.bob)
    assert broken() == []


def test_what_an_edit_would_come_to_is_shown_without_making_it(cast):
    walk = a_ticket(cast).pending()
    proposed = editing.propose_edit(
        uid=walk.uid,
        user=cast.bob,
        raw=b'{ "path": "/tmp/other.txt" }',
        seen_digest=bytes(walk.ticket.digest),
    )
    assert proposed.arguments == SAFER
    assert walk.ticket.revision == 1


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE approvals_edit SET revision = 3", "do not lead there"),
        ("UPDATE approvals_edit SET obligations_before = '{}'", "not that of what it bound"),
        ("DELETE FROM approvals_edit", "do not lead there"),
    ],
)
def test_a_changed_edit_is_found_by_verification(cast, statement, problem):
    walk = a_ticket(cast).pending()
    edit(walk, cast.bob)
    with a_hand_at_the_console() as cursor:
        cursor.execute(statement)
        found = [str(found) for found in broken()]
    assert any(problem in line for line in found), found


def test_purging_what_an_edit_replaced_leaves_a_record_that_verifies(cast):
    walk = a_ticket(cast).pending()
    edit(walk, cast.bob)
    kept = Edit.objects.get()
    assert (
        purge_older_than(days=-1) == 0
        or not Payload.objects.get(pk=kept.arguments_before_id).purged_at
    )
    walk.rejected_by(cast.carol)
    for key in (kept.arguments_before_id, kept.arguments_id):
        purge(key, actor="system:retention")
    assert walk.view.edited
    assert (walk.view.edited_arguments, walk.view.edited_pointers) == (None, ())
    assert broken() == []


def test_the_mark_of_an_edited_call_is_never_lowered(cast):
    walk = a_ticket(cast, arguments='{"path":"/tmp/\u202eevil"}'.encode()).pending()
    assert walk.ticket.risk == "high"
    edit(walk, cast.bob)
    assert Ticket.objects.get(uid=walk.uid).risk == "high"


def test_a_hidden_character_that_an_edit_brings_in_raises_the_mark(cast):
    walk = a_ticket(cast).pending()
    edit(walk, cast.bob, '{"path":"/tmp/\u202eevil"}'.encode())
    assert walk.ticket.risk == "high"


def test_a_tool_whose_patterns_were_not_tried_says_so(cast):
    risky = replace(
        a_ticket(cast).call,
        tool_definition={"inputSchema": {"properties": {"path": {"pattern": "^(a+)+$"}}}},
    )
    walk = a_ticket(cast)
    walk.call = risky
    walk.pending()
    proposed = editing.propose_edit(
        uid=walk.uid, user=cast.bob, raw=SAFER, seen_digest=bytes(walk.ticket.digest)
    )
    assert proposed.unchecked
