"""Tickets that ask for an answer: the form is shown, held to its schema, and typed words stay."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from approvals import api
from approvals.models import AuditEvent, TypedAnswer
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, TicketWalk, a_ticket
from tests.support.pages import form_to, text_of

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "title": "Which city?\u202e<b>", "minLength": 3},
        "colour": {"type": "string", "enum": ["red", "green"]},
        "sure": {"type": "boolean", "description": "Say so."},
        "days": {"type": "integer", "default": 3},
    },
    "required": ["city", "colour"],
}

# By their places in the schema's own order, which is not that of the alphabet.
OSLO = {"answer-0": "Oslo", "answer-1": "green", "answer-3": "7"}


def asking(cast: Cast, schema: dict[str, Any] = SCHEMA) -> TicketWalk:
    definition = {"name": "elicitation/create", "answerSchema": schema}
    return a_ticket(cast, tool_name="elicitation/create", tool_definition=definition).pending()


def answer(client: Client, walk: TicketWalk, verdict: str = "approve", **fields: str) -> Any:
    form = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/")
    values = form.values(verdict=verdict)
    return client.post(form.action, {**values, **fields})


def test_whoever_approves_types_the_answer_and_it_is_sealed(cast: Cast, signed_in: SignIn):
    walk = asking(cast)
    client = signed_in(cast.bob)
    posted = answer(client, walk, **OSLO)

    assert posted.status_code == 302
    assert walk.ticket.state == "approved"
    told = api.answer_of(walk.uid)
    assert told is not None
    assert json.loads(told) == {"city": "Oslo", "colour": "green", "sure": False, "days": 7}
    kept = TypedAnswer.objects.get().payload
    assert b"Oslo" not in bytes(kept.ciphertext)
    approved = AuditEvent.objects.get(subject=f"ticket:{walk.uid}", action="approved")
    assert bytes(kept.commitment).hex() in json.dumps(approved.detail)


def test_an_answer_that_does_not_fit_is_refused_beside_its_field_and_nothing_typed_is_lost(
    cast: Cast, signed_in: SignIn
):
    walk = asking(cast)
    posted = answer(
        signed_in(cast.bob), walk, **{"answer-0": "Os", "answer-3": "soon", "reason": "because"}
    )

    assert posted.status_code == 422
    page = posted.content.decode()
    words = text_of(posted.content)
    assert "at least 3 characters" in words
    assert "an answer is needed" in words
    assert "this must be a number" in words
    assert 'value="Os"' in page
    assert "because" in page
    assert walk.ticket.state == "pending"
    assert not TypedAnswer.objects.exists()


def test_the_upstreams_words_in_the_form_are_shown_as_somebody_elses(cast: Cast, signed_in: SignIn):
    page = signed_in(cast.bob).get(f"/tickets/{asking(cast).uid}/").content.decode()
    assert "Which city?" in page
    assert "<b>" not in page.partition('id="answers"')[2].partition("</form>")[0]
    assert "\u202e" not in page


def test_rejecting_needs_no_answer(cast: Cast, signed_in: SignIn):
    walk = asking(cast)
    assert answer(signed_in(cast.bob), walk, "reject").status_code == 302
    assert walk.ticket.state == "rejected"
    assert api.answer_of(walk.uid) is None


def test_the_owner_of_the_agent_does_not_answer(cast: Cast, signed_in: SignIn):
    walk = asking(cast)
    page = signed_in(cast.alice).get(f"/tickets/{walk.uid}/").content.decode()
    assert 'id="answers"' not in page
    assert "This will run, if approved" not in page  # the question is marked as the upstream's


def test_a_ticket_that_asks_nothing_shows_no_form(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    page = signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content.decode()
    assert 'id="answers"' not in page


def test_what_is_asked_is_shown_whole_however_long(cast: Cast, signed_in: SignIn):
    long = "please " * 400 + "sign here " + "please " * 400
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "title": long, "description": long},
            "b": {"type": "string", "enum": ["x"], "enumNames": [long]},
        },
    }
    walk = asking(cast, schema)
    shown = text_of(signed_in(cast.bob).get(f"/tickets/{walk.uid}/").content)
    assert shown.count("sign here") == 3


def test_an_answer_that_hides_a_part_of_itself_is_not_filled_in(cast: Cast, signed_in: SignIn):
    schema = {
        "type": "object",
        "properties": {
            "hides": {"type": "string", "default": "yes\u200b\u202e and more"},
            "plain": {"type": "string", "default": "yes"},
        },
    }
    walk = asking(cast, schema)
    client = signed_in(cast.bob)
    shown = form_to(client.get(f"/tickets/{walk.uid}/").content, "/decide/").fields
    assert shown["answer-0"] == [""]
    assert shown["answer-1"] == ["yes"]

    assert answer(client, walk).status_code == 302
    told = api.answer_of(walk.uid)
    assert told is not None
    assert json.loads(told) == {"plain": "yes"}
