"""A high-risk approval: what proves that its person was there, and everything that does not."""

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.db import DatabaseError, transaction

from approvals import api
from approvals.domain import errors
from approvals.domain.pins import Terms
from approvals.domain.stepup import Statement, terms_digest
from approvals.models import (
    Decision,
    GroupMembership,
    StepUpChallenge,
    StepUpProof,
    User,
    WrongCode,
)
from approvals.services import people, stepup
from approvals.services.decisions import decide
from approvals.services.grants import Wanted
from approvals.services.stepup import Presented
from tests.support.authenticator import Passkey
from tests.support.builders import a_policy, a_ticket
from tests.support.record import a_hand_at_the_console

APPROVE, REJECT = api.Answer.APPROVE, api.Answer.REJECT


@pytest.fixture
def key(cast):
    return Passkey().given_to(cast.bob)


@pytest.fixture
def walk(cast):
    a_policy(step_up="passkey")
    return a_ticket(cast).pending()


def asked(walk, user, **changes):
    given = {"uid": walk.uid, "user": user, "seen_digest": bytes(walk.ticket.digest)}
    return stepup.offer(**{**given, **changes})


def vote(walk, user, presented=stepup.NOTHING, **changes):
    given = {
        "uid": walk.uid,
        "user": user,
        "verdict": APPROVE,
        "seen_digest": bytes(walk.ticket.digest),
        "reason": "",
        "nonce": "n1",
    }
    return decide(**{**given, **changes}, presented=presented)


def with_key(walk, user, key, **bent):
    return vote(walk, user, Presented(assertion=key.signs(asked(walk, user).challenge, **bent)))


def refused(walk, refusal, act):
    with pytest.raises(refusal) as said:
        act()
    assert walk.ticket.state == "pending"
    assert not Decision.objects.exists()
    return said.value


@pytest.mark.both_engines
def test_a_passkey_over_this_ticket_approves_it_and_is_kept(cast, walk, key):
    assert with_key(walk, cast.bob, key).kind == "approved"
    proof = StepUpProof.objects.get()
    statement = Statement.from_bytes(bytes(proof.statement))
    assert statement.ticket_digest == bytes(walk.ticket.digest).hex()
    assert (statement.ticket, statement.revision) == (str(walk.uid), 1)
    assert statement.person == str(cast.bob.person_id)
    assert proof.credential_name == "bob's key"
    assert bytes(proof.signature)


def test_an_approval_without_any_proof_is_refused(cast, walk, key):
    refused(walk, errors.StepUpRequired, lambda: vote(walk, cast.bob))


def test_rejecting_never_needs_a_passkey(cast, walk):
    assert vote(walk, cast.bob, verdict=REJECT).kind == "rejected"


def test_an_answer_made_for_another_ticket_is_refused(cast, walk, key):
    other = a_ticket(cast, arguments=b'{"path":"/other"}').pending()
    answer = key.signs(asked(other, cast.bob).challenge)
    refused(walk, errors.PasskeyWrong, lambda: vote(walk, cast.bob, Presented(assertion=answer)))


def test_an_answer_made_for_an_older_revision_is_refused(cast, walk, key):
    answer = key.signs(asked(walk, cast.bob).challenge)
    with a_hand_at_the_console() as cursor:
        cursor.execute(
            "UPDATE approvals_ticket SET revision = 2, digest = %s WHERE id = %s",
            [b"e" * 32, walk.ticket.pk],
        )
        refused(
            walk, errors.PasskeyWrong, lambda: vote(walk, cast.bob, Presented(assertion=answer))
        )


def test_an_answer_that_another_person_gave_is_refused(cast, walk, key):
    answer = key.signs(asked(walk, cast.bob).challenge)
    Passkey().given_to(cast.carol)
    refused(walk, errors.PromptOver, lambda: vote(walk, cast.carol, Presented(assertion=answer)))


@pytest.mark.both_engines
def test_a_second_account_of_the_same_person_answers_for_itself_alone(cast, walk, key):
    people.create_user(email="bob2@example.test", password=None, person_id=cast.bob.person_id)
    second = User.objects.get(email="bob2@example.test")
    answer = key.signs(asked(walk, cast.bob).challenge)
    refused(walk, errors.PromptOver, lambda: vote(walk, second, Presented(assertion=answer)))


@pytest.mark.both_engines
def test_an_answer_counts_once(cast, key):
    a_policy(step_up="passkey", quorum=2)
    walk = a_ticket(cast).pending()
    answer = Presented(assertion=key.signs(asked(walk, cast.bob).challenge))
    assert vote(walk, cast.bob, answer).kind == "counted"
    api.withdraw_vote(uid=walk.uid, user=cast.bob, nonce="n2")
    with pytest.raises(errors.PromptOver):
        vote(walk, cast.bob, answer, nonce="n3")
    assert vote(walk, cast.bob, answer).kind == "repeated"  # the same request, answered as before


@pytest.mark.both_engines
def test_a_question_is_over_after_two_minutes(cast, walk, key):
    answer = key.signs(asked(walk, cast.bob).challenge)
    with a_hand_at_the_console():
        row = StepUpChallenge.objects.get()
        assert row.expires_at - row.created_at <= timedelta(seconds=121)
        StepUpChallenge.objects.update(expires_at=row.created_at - timedelta(seconds=1))
    refused(walk, errors.PromptOver, lambda: vote(walk, cast.bob, Presented(assertion=answer)))


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "http://localhost:9999"},
        {"origin": "https://evil.localhost"},
        {"cross_origin": True},
        {"kind": "webauthn.create"},
        {"present": False},
    ],
    ids=str,
)
def test_an_answer_from_elsewhere_or_by_nobody_is_refused(cast, walk, key, bent):
    refused(walk, errors.PasskeyWrong, lambda: with_key(walk, cast.bob, key, **bent))


def test_an_answer_without_verification_of_its_owner_is_refused(cast, walk, key):
    refused(walk, errors.PasskeyUnverified, lambda: with_key(walk, cast.bob, key, verified=False))


def test_an_answer_for_another_site_is_refused(cast, walk, key):
    key.rp_id = "example.test"
    refused(walk, errors.PasskeyWrong, lambda: with_key(walk, cast.bob, key))


def test_a_key_that_was_never_registered_is_refused(cast, walk, key):
    refused(walk, errors.PasskeyUnknown, lambda: with_key(walk, cast.bob, Passkey()))


def test_another_key_under_a_registered_name_is_refused(cast, walk, key):
    forged = Passkey(credential_id=key.credential_id)
    refused(walk, errors.PasskeyWrong, lambda: with_key(walk, cast.bob, forged))


def test_a_key_that_was_removed_while_the_page_was_open_is_refused(cast, walk, key):
    answer = key.signs(asked(walk, cast.bob).challenge)
    Authenticator.objects.filter(user=cast.bob).delete()
    refused(walk, errors.PasskeyUnknown, lambda: vote(walk, cast.bob, Presented(assertion=answer)))


@pytest.mark.both_engines
def test_a_key_whose_row_was_slipped_in_past_the_record_is_refused(cast, walk, key):
    with a_hand_at_the_console() as cursor:
        cursor.execute("DELETE FROM approvals_auditevent WHERE action = 'passkey_added'")
        refused(walk, errors.PasskeyUnknown, lambda: with_key(walk, cast.bob, key))


def test_whoever_lost_the_vote_while_the_page_was_open_has_none_by_a_passkey(cast, walk, key):
    answer = key.signs(asked(walk, cast.bob).challenge)
    GroupMembership.objects.filter(person=cast.bob.person).delete()
    refused(walk, errors.NotEligible, lambda: vote(walk, cast.bob, Presented(assertion=answer)))


@pytest.mark.parametrize("text", ["{}", "[]", "null", "x", '{"rawId":1}', "[" * 9000, "9" * 20_000])
def test_what_is_no_answer_of_an_authenticator_is_refused(cast, walk, key, text):
    refused(walk, errors.PasskeyWrong, lambda: vote(walk, cast.bob, Presented(assertion=text)))


def test_only_who_may_approve_is_asked_and_only_where_a_rule_asks(cast, walk, key):
    Passkey().given_to(cast.alice)
    with pytest.raises(errors.NotEligible):
        asked(walk, cast.alice)
    with pytest.raises(errors.NoPasskey):
        asked(walk, cast.carol)
    with pytest.raises(errors.NotVisible):
        asked(walk, cast.charlie)
    with pytest.raises(errors.StaleDigest):
        asked(walk, cast.bob, seen_digest=b"0" * 32)
    a_policy()
    with pytest.raises(errors.StepUpUnneeded):
        asked(a_ticket(cast, arguments=b'{"path":"/plain"}').pending(), cast.bob)
    assert not StepUpChallenge.objects.exists()


@pytest.mark.both_engines
def test_the_terms_of_a_permission_are_signed_with_the_approval(cast, walk, key):
    terms = Terms(session_only=False, free=(), max_uses=3, seconds=3600)
    wider = Wanted(terms=Terms(session_only=False, free=(), max_uses=999, seconds=3600))
    offer = asked(walk, cast.bob, terms=terms_digest(terms))
    answer = Presented(assertion=key.signs(offer.challenge))
    refused(walk, errors.PasskeyWrong, lambda: vote(walk, cast.bob, answer, grant=wider))
    refused(walk, errors.PasskeyWrong, lambda: vote(walk, cast.bob, answer))
    assert vote(walk, cast.bob, answer, grant=Wanted(terms=terms)).grant is not None


def an_app(user):
    """An authenticator app of `user`; returns what it shows now."""
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    cache.clear()
    counter = list(totp.yield_hotp_counters_from_time())[1]
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


@pytest.mark.both_engines
def test_a_code_is_on_record_and_signs_nothing(cast):
    a_policy(step_up="passkey_or_totp")
    walk = a_ticket(cast).pending()
    code = an_app(cast.bob)
    assert vote(walk, cast.bob, Presented(code=code)).kind == "approved"
    proof = StepUpProof.objects.get()
    assert (proof.method, bytes(proof.signature)) == ("totp", b"")
    other = a_ticket(cast, arguments=b'{"path":"/other"}').pending()
    cache.clear()  # the row alone remembers that it was used
    with pytest.raises(errors.CodeWrong):
        vote(other, cast.bob, Presented(code=code))


def test_a_code_does_where_a_passkey_is_asked_nothing(cast, walk):
    code = an_app(cast.bob)
    refused(walk, errors.StepUpRequired, lambda: vote(walk, cast.bob, Presented(code=code)))


@pytest.mark.both_engines
def test_wrong_codes_make_a_person_wait_even_with_the_right_one(cast):
    a_policy(step_up="passkey_or_totp")
    walk = a_ticket(cast).pending()
    code = an_app(cast.bob)
    for _ in range(stepup.CODE_TRIES):
        refused(walk, errors.CodeWrong, lambda: vote(walk, cast.bob, Presented(code="no")))
    assert WrongCode.objects.count() == stepup.CODE_TRIES
    refused(walk, errors.TooManyCodes, lambda: vote(walk, cast.bob, Presented(code=code)))


def test_the_target_is_typed_as_it_is_shown(cast):
    a_policy(type_target=True)
    call = '{"branch":"caf\u00e9","path":"/tmp/report.txt"}'.encode()
    walk = a_ticket(cast, arguments=call).pending()
    for typed in ("", "cafe", "Caf\u00e9", "/tmp/report.txt"):
        refused(
            walk, errors.TargetNotTyped, lambda t=typed: vote(walk, cast.bob, Presented(target=t))
        )
    assert vote(walk, cast.bob, Presented(target="cafe\u0301")).kind == "approved"


def test_where_nothing_stands_out_the_tool_s_name_is_typed(cast):
    a_policy(type_target=True)
    walk = a_ticket(cast, arguments=b"{}").pending()
    assert vote(walk, cast.bob, Presented(target="delete_file")).kind == "approved"


@pytest.mark.both_engines
def test_a_proof_is_never_changed_and_a_question_only_used(cast, walk, key):
    with_key(walk, cast.bob, key)
    for act in (
        lambda: StepUpProof.objects.update(credential_name="other"),
        lambda: StepUpProof.objects.all().delete(),
        lambda: StepUpChallenge.objects.update(used_at=None),
        lambda: StepUpChallenge.objects.update(statement=b"{}"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
