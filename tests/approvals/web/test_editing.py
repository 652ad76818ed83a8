"""Editing in the browser, without JavaScript: form, preview, confirmation, refusals."""

import json

import pytest

from approvals import api
from approvals.audit.sealing import unseal
from approvals.domain.canonical import canonical_bytes
from approvals.models import Edit
from approvals.services import people
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_policy, a_ticket
from tests.support.pages import Form, form_to, forms, text_of

DEFINITION = {
    "name": "delete_file",
    "inputSchema": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "maxLength": 60},
            "force": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["path"],
    },
}
ASKED = b'{"force":true,"path":"/tmp/a","tags":["x"]}'


@pytest.fixture
def walk(cast):
    return a_ticket(cast, tool_definition=DEFINITION, arguments=ASKED).pending()


def address(walk, verb="edit"):
    return f"/tickets/{walk.uid}/{verb}/"


def edit_forms(page: bytes) -> list[Form]:
    return [form for form in forms(page) if form.action.endswith("/edit/")]


def by_field(page: bytes, **changes: str) -> dict:
    """What the form with a field for each argument would post."""
    form = next(
        form for form in edit_forms(page) if "arg-0" in form.fields or "base" in form.fields
    )
    posted = {
        name: values[0].removeprefix("\n").replace("\n", "\r\n")
        for name, values in form.fields.items()
        if name != "csrfmiddlewaretoken"
    }
    return {**posted, "arg-1": "true", **changes}


def confirm(client, walk, page, **changes):
    form = edit_forms(page)[0]
    return client.post(address(walk), form.values(step="confirm", **changes))


def test_an_argument_is_edited_in_two_steps(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    ticket_page = client.get(address(walk, "").replace("//", "/")).content
    assert address(walk) in ticket_page.decode()
    form = client.get(address(walk)).content
    assert [name for name in edit_forms(form)[0].fields if name.startswith("arg-")]
    preview = client.post(address(walk), by_field(form, **{"arg-0": "/tmp/b"}))
    assert preview.status_code == 200
    assert "/tmp/b" in text_of(preview.content)
    assert walk.ticket.revision == 1, "a preview changed something"
    done = confirm(client, walk, preview.content, reason="b is the right one")
    assert done.status_code == 302
    assert unseal(walk.ticket.arguments) == b'{"force":true,"path":"/tmp/b","tags":["x"]}'
    page = text_of(client.get(f"/tickets/{walk.uid}/").content)
    assert "Edited by reviewers" in page
    assert "b is the right one" in page
    assert "bob" in page


def test_what_is_not_touched_stays_as_it_was_to_the_byte(cast: Cast, signed_in: SignIn):
    odd = '{"a":"one\\ntwo","b":"\\n first","c":"tab\\r\\n","d":"\u202eevil","path":"/x"}'.encode()
    walk = a_ticket(cast, arguments=odd).pending()
    client = signed_in(cast.bob)
    page = client.get(address(walk)).content
    assert "\u202e" not in "".join(
        value
        for form in edit_forms(page)
        for name, (value, *_) in form.fields.items()
        if name not in {"base", "raw"}
    ), "a field hides a character"
    fields = edit_forms(page)[0].fields
    place = next(name for name, (value, *_) in fields.items() if value.strip() == "/x")
    posted = by_field(page, **{place: "/y"})
    posted.pop("arg-1", None) if place == "arg-1" else posted.update(
        {"arg-1": fields["arg-1"][0].removeprefix("\n").replace("\n", "\r\n")}
    )
    posted[place] = "/y"
    preview = client.post(address(walk), posted)
    confirm(client, walk, preview.content)
    assert unseal(walk.ticket.arguments) == odd.replace(b'"/x"', b'"/y"')


def test_an_argument_is_left_out_as_json(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    whole = edit_forms(client.get(address(walk)).content)[-1]
    preview = client.post(address(walk), whole.values(whole='{"path": "/tmp/a"}'))
    confirm(client, walk, preview.content)
    assert unseal(walk.ticket.arguments) == b'{"path":"/tmp/a"}'


def test_an_edit_is_approved_in_the_same_act(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    whole = edit_forms(client.get(address(walk)).content)[-1]
    preview = client.post(address(walk), whole.values(whole='{"path": "/tmp/a"}'))
    at_once = edit_forms(preview.content)[1]
    assert client.post(address(walk), at_once.values()).status_code == 302
    assert walk.ticket.state == "approved"
    assert client.post(address(walk), at_once.values()).status_code == 302, "a double click"
    assert Edit.objects.count() == 1


@pytest.mark.parametrize("obligations", [{"quorum": 2}, {"four_eyes": True}])
def test_what_needs_another_person_is_not_offered_in_one_act(
    cast: Cast, signed_in: SignIn, obligations
):
    a_policy(**obligations)
    walk = a_ticket(cast).pending()
    if "four_eyes" not in obligations:
        people.set_members(
            group="reviewers",
            people=[cast.bob.person_id, cast.carol.person_id, cast.dora.person_id],
        )
    client = signed_in(cast.bob)
    whole = edit_forms(client.get(address(walk)).content)[-1]
    preview = client.post(address(walk), whole.values(whole='{"path": "/tmp/b"}'))
    assert len(edit_forms(preview.content)) == 1
    assert "save first" in text_of(preview.content)


def test_an_edit_with_a_cut_value_is_not_approved_unopened(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)
    whole = edit_forms(client.get(address(walk)).content)[-1]
    long = '{"path": "%s"}' % ("x" * 5000)
    preview = client.post(address(walk), whole.values(whole=long))
    form = edit_forms(preview.content)
    assert len(form) == 1, "approval was offered for what was not shown"
    forced = client.post(address(walk), form[0].values(step="confirm", verdict="approve"))
    assert forced.status_code == 422
    assert walk.ticket.revision == 1
    assert confirm(client, walk, preview.content).status_code == 302
    page = client.get(f"/tickets/{walk.uid}/").content
    decide = next(form for form in forms(page) if form.action.endswith("/decide/"))
    assert client.post(decide.action, decide.values(verdict="approve")).status_code == 422


def test_what_was_opened_before_an_edit_has_to_be_opened_again(cast: Cast, signed_in: SignIn):
    long = "line\n" * 2000
    walk = a_ticket(cast, arguments=canonical_bytes({"text": long})).pending()
    client = signed_in(cast.bob)
    before = form_to(client.get(f"/tickets/{walk.uid}/?open=0").content, "/decide/")

    whole = edit_forms(client.get(address(walk)).content)[-1]
    edited = json.dumps({"text": f"{long}rm -rf /\n{long}"})
    preview = client.post(address(walk), whole.values(whole=edited))
    assert confirm(client, walk, preview.content).status_code == 302

    now = bytes(walk.ticket.digest).hex()
    assert client.post(before.action, before.values(verdict="approve")).status_code == 422
    forged = before.values(verdict="approve", seen_digest=now)
    assert client.post(before.action, forged).status_code == 422
    after = form_to(client.get(f"/tickets/{walk.uid}/?open=0").content, "/decide/")
    assert client.post(after.action, after.values(verdict="approve")).status_code == 302


def test_what_does_not_fit_the_schema_is_shown_again_with_what_was_typed(
    cast: Cast, signed_in: SignIn, walk
):
    client = signed_in(cast.bob)
    page = client.get(address(walk)).content
    answer = client.post(address(walk), by_field(page, **{"arg-0": "/" + "y" * 70}))
    assert answer.status_code == 422
    assert "do not fit" in text_of(answer.content)
    assert "y" * 70 in answer.content.decode()
    broken = client.post(address(walk), by_field(page, **{"arg-2": '["x",]'}))
    assert broken.status_code == 422
    assert "cannot be read" in text_of(broken.content)
    for text in ('{"path":1,"path":2}', "[1]", "", '{"path":"\\ud800"}'):
        whole = edit_forms(page)[-1].values(whole=text)
        assert client.post(address(walk), whole).status_code == 422
    assert walk.ticket.revision == 1


def test_an_edit_of_what_changed_meanwhile_is_a_conflict(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    whole = edit_forms(client.get(address(walk)).content)[-1]
    preview = client.post(address(walk), whole.values(whole='{"path": "/tmp/b"}'))
    other = signed_in(cast.carol)
    theirs = other.post(address(walk), whole.values(whole='{"path": "/tmp/c"}'))
    confirm(other, walk, theirs.content)
    answer = confirm(client, walk, preview.content)
    assert answer.status_code == 409
    assert "changed after you saw it" in text_of(answer.content)
    assert "/tmp/c" in answer.content.decode()
    assert unseal(walk.ticket.arguments) == b'{"path":"/tmp/c"}'


def test_who_may_not_edit_is_told_so_and_changes_nothing(cast: Cast, signed_in: SignIn, walk):
    whole = edit_forms(signed_in(cast.bob).get(address(walk)).content)[-1]
    values = whole.values(whole='{"path": "/tmp/b"}')
    assert signed_in(cast.charlie).post(address(walk), values).status_code == 404
    assert signed_in(cast.dora).post(address(walk), values).status_code == 403
    assert signed_in(cast.alice).post(address(walk), values).status_code == 403
    preview = signed_in(cast.bob).post(address(walk), values)
    people.set_members(group="reviewers", people=[cast.carol.person_id])
    assert confirm(signed_in(cast.bob), walk, preview.content).status_code == 403
    assert walk.ticket.revision == 1


def test_a_decided_ticket_is_not_edited(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    page = client.get(address(walk)).content
    preview = client.post(address(walk), by_field(page, **{"arg-0": "/tmp/b"}))
    walk.voted(cast.carol, api.Answer.REJECT)
    assert confirm(client, walk, preview.content).status_code == 409
    assert client.get(address(walk)).status_code == 409


def test_a_form_without_its_parts_changes_nothing(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    assert client.post(address(walk)).status_code == 422
    assert client.post(address(walk), {"step": "confirm"}).status_code == 422
    raw = {"step": "confirm", "raw": '{"path":"/b"}', "seen_digest": "zz", "nonce": "n"}
    assert client.post(address(walk), raw).status_code == 422
    assert client.put(address(walk)).status_code == 405
    assert walk.ticket.revision == 1


def test_going_on_editing_keeps_what_was_typed(cast: Cast, signed_in: SignIn, walk):
    client = signed_in(cast.bob)
    page = client.get(address(walk)).content
    preview = client.post(address(walk), by_field(page, **{"arg-0": "/tmp/b"}))
    again = client.post(address(walk), edit_forms(preview.content)[0].values(step="again"))
    assert "/tmp/b" in edit_forms(again.content)[0].fields["arg-0"][0]
    assert walk.ticket.revision == 1
