"""What a ticket's approvals are found to be, and that nothing in their rows can be bent unseen."""

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db import transaction

from approvals import api
from approvals.audit.approvals_verification import verify_approvals
from approvals.audit.sealing import purge
from approvals.domain.stepup import challenge_of
from approvals.models import StepUpProof, Ticket
from approvals.services import credentials, stepup
from approvals.services.decisions import decide
from approvals.services.stepup import Presented
from tests.support import rings
from tests.support.authenticator import Passkey
from tests.support.builders import a_cast, a_policy, a_ticket
from tests.support.record import a_hand_at_the_console


@pytest.fixture
def cast(db, settings):
    settings.APPROVALS_PORTS = rings.PORTS
    return a_cast()


@pytest.fixture
def key(cast):
    return Passkey().given_to(cast.bob)


def vote(walk, user, presented=stepup.NOTHING, nonce="n1"):
    return decide(
        uid=walk.uid, user=user, verdict=api.Answer.APPROVE, reason="", nonce=nonce,
        seen_digest=bytes(walk.ticket.digest), presented=presented,
    )  # fmt: skip


def signed(cast, key, **obligations):
    a_policy(**{"step_up": "passkey", **obligations})
    walk = a_ticket(cast).pending()
    offer = stepup.offer(uid=walk.uid, user=cast.bob, seen_digest=bytes(walk.ticket.digest))
    vote(walk, cast.bob, Presented(assertion=key.signs(offer.challenge)))
    return walk


def said(capsys, walk):
    call_command("verify_approval", str(walk.ticket.pk))
    return capsys.readouterr().out


def found(walk):
    report = verify_approvals(Ticket.objects.get(uid=walk.uid))
    return [*report.problems, *(p for each in report.approvals for p in each.problems)]


def test_a_signed_approval_is_said_to_be_signed_by_whom_and_with_what(cast, key, capsys):
    told = said(capsys, signed(cast, key))
    assert "bob <bob@example.test>  SIGNED with the passkey “bob's key”" in told


def test_an_approval_without_a_passkey_is_said_to_be_unsigned(cast, capsys):
    a_policy()
    assert "NOT SIGNED: by a signed-in session" in said(
        capsys, a_ticket(cast).approved_by(cast.bob)
    )


def test_a_vote_that_was_taken_back_is_shown_and_does_not_count(cast, key, capsys):
    walk = signed(cast, key, quorum=2)
    api.withdraw_vote(uid=walk.uid, user=cast.bob, nonce="n2")
    assert "does not count" in said(capsys, walk)


def test_what_was_signed_stays_verifiable_after_key_and_arguments_are_gone(cast, key, capsys):
    walk = signed(cast, key)
    with transaction.atomic():
        before = credentials.factors_of(cast.bob)
        Authenticator.objects.filter(user=cast.bob).delete()
        credentials.record_changes(user=cast.bob, before=before)
    purge(walk.ticket.arguments_id, actor="system:retention")
    told = said(capsys, walk)
    assert "SIGNED" in told
    assert "arguments were purged" in told


BENT = {
    "the signature": ("signature", b"0" * 70, "signature does not hold"),
    "the key": ("public_key", None, "registered to this account"),
    "the statement": ("statement", b"{}", "statement cannot be read"),
    "the client data": ("client_data", b"{}", "signature does not hold"),
    "the origin": ("origin", "http://evil.localhost", "made on another site"),
}


@pytest.mark.parametrize("bent", BENT)
def test_whatever_is_changed_in_a_proof_is_named(cast, key, bent):
    column, value, words = BENT[bent]
    walk = signed(cast, key)
    if column == "public_key":
        Passkey().given_to(cast.carol)
        value = credentials.passkeys_of(cast.carol)[0].public_key
    with a_hand_at_the_console():
        StepUpProof.objects.update(**{column: value})
        problems = found(walk)
    assert any(words in problem for problem in problems), problems
    assert any("not as the audit record has it" in problem for problem in problems)


def test_a_proof_moved_to_another_ticket_is_named(cast, key):
    one = signed(cast, key)
    statement = bytes(StepUpProof.objects.get().statement)
    a_policy(step_up="passkey")
    other = a_ticket(cast, arguments=b'{"path":"/other"}').pending()
    offer = stepup.offer(uid=other.uid, user=cast.bob, seen_digest=bytes(other.ticket.digest))
    vote(other, cast.bob, Presented(assertion=key.signs(offer.challenge)))
    with a_hand_at_the_console():
        proofs = StepUpProof.objects.filter(decision__ticket=other.ticket)
        StepUpProof.objects.exclude(pk__in=proofs.values("pk")).update(challenge=b"x" * 32)
        proofs.update(statement=statement, challenge=challenge_of(statement))
        problems = found(other)
    assert any("about another ticket" in problem for problem in problems)
    assert found(one)


def test_a_key_that_nobody_registered_signs_nothing(cast, key):
    walk = signed(cast, key)
    with a_hand_at_the_console() as cursor:
        cursor.execute("DELETE FROM approvals_auditevent WHERE action = 'passkey_added'")
        problems = found(walk)
    assert problems == ["the record does not show its key registered to this account at that time"]


def test_an_approval_whose_proof_is_gone_breaks_the_command(cast, key, capsys):
    walk = signed(cast, key)
    with a_hand_at_the_console() as cursor:
        cursor.execute("DELETE FROM approvals_stepupproof")
        with pytest.raises(CommandError, match="do not hold"):
            call_command("verify_approval", str(walk.uid))
    assert "there is no proof of one" in capsys.readouterr().err


def test_changed_arguments_break_the_command(cast, key, capsys):
    walk = signed(cast, key)
    with a_hand_at_the_console() as cursor:
        cursor.execute("UPDATE approvals_ticket SET tool_name = 'other'")
        with pytest.raises(CommandError):
            call_command("verify_approval", str(walk.uid))
    assert "digest is not that of what it binds" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0", "x", "9" * 40, "00000000-0000-0000-0000-000000000000"])
def test_a_ticket_that_is_not_there_is_said_so(db, given):
    with pytest.raises(CommandError, match="There is no ticket"):
        call_command("verify_approval", given)
