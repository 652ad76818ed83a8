"""Talking, handing on and putting away in the browser, without JavaScript."""

from approvals.models import Handoff, Remark, Snooze
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.pages import form_to, forms, text_of


def page_of(client, walk):
    return client.get(f"/tickets/{walk.uid}/").content


def say_form(page, kind="comment"):
    wanted = [form for form in forms(page) if form.action.endswith("/say/")]
    return next(form for form in wanted if any(b.get("value") == kind for b in form.buttons))


def test_a_question_is_asked_and_answered_on_the_ticket(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    bob, alice = signed_in(cast.bob), signed_in(cast.alice)
    page = page_of(bob, walk)
    assert "Ask alice" in text_of(page)
    form = say_form(page, "question")
    asked = form.values(kind="question", words="Why \u202etoday?")
    assert bob.post(form.action, asked).status_code == 302
    assert bob.post(form.action, asked).status_code == 302, "a double click"
    assert Remark.objects.count() == 1
    assert "A reviewer asks you" in text_of(alice.get("/").content)
    assert "1 need" in text_of(alice.get("/").content)
    page = page_of(alice, walk)
    assert "Why [U+202E] today?" in text_of(page)
    assert "\u202e" not in page.decode()
    answer = say_form(page, "answer")
    posted = answer.values(kind="answer", words="Because.")
    assert alice.post(answer.action, posted).status_code == 302
    assert "Because." in text_of(page_of(bob, walk))
    assert "A reviewer asks you" not in text_of(alice.get("/").content)


def test_a_page_that_exchanges_itself_says_what_came_of_an_act(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = say_form(page_of(client, walk))
    answer = client.post(
        form.action,
        form.values(kind="comment", words="I look into it."),
        headers={"HX-Request": "true", "HX-Target": "ticket"},
    ).content.decode()
    note = answer.partition("ticket-note")[2].partition("</div></div>")[0]
    assert "Your comment stands below." in note
    assert 'data-focus-me tabindex="-1" role="status"' in note


def test_words_that_are_refused_are_shown_again(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = say_form(page_of(client, walk))
    long = "y" * 2001
    answer = client.post(form.action, form.values(kind="comment", words=long))
    assert answer.status_code == 422
    assert long in answer.content.decode()
    assert client.post(form.action, form.values(kind="comment", words=" ")).status_code == 422
    assert client.post(form.action, form.values(kind="shout", words="x")).status_code == 422
    strange = form.values(kind="answer", words="x", question="zz")
    assert client.post(form.action, strange).status_code == 422
    assert client.get(form.action).status_code == 302
    assert signed_in(cast.charlie).post(form.action, form.values(words="x")).status_code == 404
    assert Remark.objects.count() == 0


def test_what_is_wrong_with_words_is_said_beside_them_and_nowhere_else(
    cast: Cast, signed_in: SignIn
):
    walk = a_ticket(cast).pending()
    bob, alice = signed_in(cast.bob), signed_in(cast.alice)
    page = page_of(bob, walk)
    question = say_form(page, "question")
    bob.post(question.action, question.values(kind="question", words="Why?"))
    answer = say_form(page_of(alice, walk), "answer")
    refused = alice.post(answer.action, answer.values(kind="answer", words=" ")).content.decode()
    [before, after] = refused.split('class="field-error"')
    assert 'name="kind" value="answer"' in after.partition("</form>")[0], before[-200:]
    handing = form_to(page, "/hand-on/")
    long = handing.values(to=f"person:{cast.carol.person_id}", words="y" * 2001)
    refused = bob.post(handing.action, long).content.decode()
    [_, after] = refused.split('class="field-error"')
    assert "Hand it on" in after.partition("</form>")[0]


def test_a_ticket_is_handed_on_from_its_page(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    bob, carol = signed_in(cast.bob), signed_in(cast.carol)
    page = page_of(bob, walk)
    form = form_to(page, "/hand-on/")
    to = form.values(to=f"person:{cast.carol.person_id}", words="yours, I think")
    assert bob.post(form.action, to).status_code == 302
    assert Handoff.objects.count() == 1
    assert "Nothing needs you now" in text_of(bob.get("/").content)
    mine = text_of(carol.get("/").content)
    assert "Handed to you" in mine
    assert "handed to you by bob" in mine
    assert "yours, I think" in text_of(page_of(carol, walk))
    row = carol.get(f"/tickets/{walk.uid}/row/").content
    assert "handed to you by bob" in text_of(row)
    for wrong in ("person:zz", "", f"person:{cast.charlie.person_id}", "robot:1"):
        assert bob.post(form.action, form.values(to=wrong)).status_code == 422
    assert signed_in(cast.alice).post(form.action, to).status_code == 403


def test_a_ticket_is_put_away_and_taken_back(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    form = form_to(page_of(client, walk), "/snooze/")
    assert {b["value"] for b in form.buttons} >= {"quarter", "half"}
    assert client.post(form.action, form.values(until="quarter")).status_code == 302
    inbox = text_of(client.get("/").content)
    assert "Put away by you" in inbox
    assert "Nothing needs you now" in inbox
    back = form_to(page_of(client, walk), "/wake/")
    assert client.post(back.action, back.values()).status_code == 302
    assert "Put away by you" not in text_of(client.get("/").content)
    assert client.post(form.action, form.values(until="forever")).status_code == 422
    assert signed_in(cast.alice).post(form.action, form.values(until="half")).status_code == 403
    assert Snooze.objects.count() == 0


def test_a_page_that_is_only_looked_at_changes_nothing(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    for verb in ("say", "hand-on", "snooze", "wake", "edit"):
        assert client.get(f"/tickets/{walk.uid}/{verb}/").status_code in {200, 302}
        assert client.head(f"/tickets/{walk.uid}/{verb}/").status_code in {200, 302}
    assert walk.ticket.version == 1
    decided = a_ticket(cast, arguments=b"{}").rejected_by(cast.bob)
    page = page_of(client, decided)
    actions = " ".join(form.action for form in forms(page))
    assert not any(f"/{verb}/" in actions for verb in ("hand-on", "snooze", "edit"))
