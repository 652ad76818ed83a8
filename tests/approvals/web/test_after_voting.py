"""Taking a vote back, revoking, cancelling, and recording an unknown outcome."""

import pytest

from approvals.models import Payload
from tests.approvals.web.conftest import SignIn
from tests.support import rings
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.pages import form_to, forms, text_of


def test_a_vote_can_be_taken_back_and_given_again(cast: Cast, signed_in: SignIn):
    a_policy(quorum=2)
    walk = a_ticket(cast).approved_by(cast.bob)
    client = signed_in(cast.bob)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/withdraw/")

    answer = client.post(form.action, form.values())
    page = client.get(answer.url).content

    assert "0 of 2 approvals" in text_of(page)
    assert form_to(page, "/decide/")


def test_there_is_no_vote_to_take_back_for_who_has_none(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()

    answer = signed_in(cast.bob).post(f"/tickets/{walk.uid}/withdraw/", {"nonce": "n"})

    assert answer.status_code == 409
    assert "no vote" in text_of(answer.content)


def test_an_approval_can_be_revoked_until_it_is_sent(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).approved_by(cast.bob)
    client = signed_in(cast.carol)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/revoke/")

    client.post(form.action, form.values())

    assert walk.ticket.state == "cancelled"
    assert walk.ticket.cancel_reason == "approval_revoked"


def test_revoking_after_sending_is_too_late(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).sent()
    client = signed_in(cast.bob)
    page = client.get(f"/tickets/{walk.uid}/").content
    assert not [form for form in forms(page) if form.action.endswith("/revoke/")]

    answer = client.post(f"/tickets/{walk.uid}/revoke/")

    assert answer.status_code == 409
    assert "already been sent" in text_of(answer.content)
    assert walk.ticket.state == "sent"


def test_the_owner_calls_off_a_call_of_their_agent(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.alice)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/cancel/")

    client.post(form.action, form.values())

    assert walk.ticket.state == "cancelled"
    assert "agent's owner withdrew it" in text_of(client.get(f"/tickets/{walk.uid}/").content)


def test_somebody_who_bought_the_agent_owns_it_now(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    rings.owners[cast.robo] = cast.carol.person_id

    page = signed_in(cast.carol).get(f"/tickets/{walk.uid}/").content

    assert "This agent belongs to you" in text_of(page)
    assert form_to(page, "/cancel/")


def test_a_team_mate_who_neither_votes_nor_owns_can_only_look_and_comment(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast, person_id=cast.bob.person_id).pending()
    client = signed_in(cast.alice)

    page = client.get(f"/tickets/{walk.uid}/").content
    acting = [form.action for form in forms(page) if "/tickets/" in form.action]
    assert acting == [f"/tickets/{walk.uid}/say/"]
    for verb in ("cancel", "revoke"):
        assert client.post(f"/tickets/{walk.uid}/{verb}/").status_code == 403
    assert walk.ticket.state == "pending"


def test_a_running_call_is_asked_to_stop_once(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).sent()
    client = signed_in(cast.dora)
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/cancel/")

    client.post(form.action, form.values())
    page = client.get(f"/tickets/{walk.uid}/").content

    assert walk.ticket.abort_requested_at is not None
    assert "Aborting" in text_of(page)
    assert not [form for form in forms(page) if form.action.endswith("/cancel/")]


@pytest.mark.parametrize("choice", ["yes", "no", "unclear"])
def test_what_really_happened_is_recorded_with_its_evidence(
    cast: Cast, signed_in: SignIn, choice: str
):
    walk = a_ticket(cast).unknown()
    client = signed_in(cast.bob)
    page = client.get(f"/tickets/{walk.uid}/").content
    assert "We do not know whether this ran" in text_of(page)
    form = form_to(page, "/annotate/")
    assert "ran" not in form.fields

    client.post(form.action, form.values(ran=choice, evidence="ledger row 77"))

    page = text_of(client.get(f"/tickets/{walk.uid}/").content)
    assert walk.ticket.annotated_at is not None
    assert walk.ticket.state == "outcome_unknown"
    assert "ledger row 77" in page
    assert "Record what happened" not in page


def test_a_finding_without_choice_or_evidence_is_not_recorded(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).unknown()
    client = signed_in(cast.bob)

    for values in ({"evidence": "row 77"}, {"ran": "maybe", "evidence": "x"}, {"ran": "yes"}):
        answer = client.post(f"/tickets/{walk.uid}/annotate/", values)
        assert answer.status_code == 422
    assert walk.ticket.annotated_at is None
    kept = form_to(
        client.post(f"/tickets/{walk.uid}/annotate/", {"evidence": "row 77"}).content, "/annotate/"
    )
    assert kept.fields["evidence"] == ["row 77"]


def test_a_known_outcome_takes_no_finding(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).succeeded()

    answer = signed_in(cast.bob).post(
        f"/tickets/{walk.uid}/annotate/", {"ran": "no", "evidence": "I would like to"}
    )

    assert answer.status_code == 409
    assert not Payload.objects.filter(kind="annotation").exists()
