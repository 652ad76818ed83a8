"""The pack of hostile texts in every field of the ledger, on every page: seen, and inert."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client

from approvals.domain.canonical import canonical_bytes
from approvals.models import AuditEvent
from approvals.services import decisions
from tests.approvals.web.conftest import SignIn
from tests.support.builders import Cast, a_ticket
from tests.support.hostile import HOSTILE, Hostile, a_megabyte, judged, unread
from tests.support.pages import form_to

STORED = [hostile for hostile in HOSTILE if hostile.fits_a_column]
ALL = "\n".join(hostile.text for hostile in HOSTILE)


def page(client: Client, address: str, wanted: list[Hostile] | None = None) -> str:
    """Judge one page; return what it shows."""
    answer = client.get(address)
    assert answer.status_code == 200, address
    judge = judged(answer.content)
    assert not judge.faults, f"{address}: " + "\n".join(judge.faults[:10])
    assert not unread(judge.shown, wanted or []), address
    return judge.shown


def test_the_judge_notices_markup_that_was_not_escaped():
    for hostile in HOSTILE:
        if re.search("<[a-z!/]", hostile.text):
            judge = judged(f"<bdi>{hostile.text}</bdi>".encode())
            assert judge.faults or unread(judge.shown, [hostile]), hostile.mark


def test_arguments_and_their_schema(cast: Cast, signed_in: SignIn):
    keys = {hostile.text: hostile.text for hostile in HOSTILE}
    listed = {"list": [hostile.text for hostile in HOSTILE]}
    schema = {
        "properties": {
            hostile.text: {"title": hostile.text, "description": hostile.text} for hostile in STORED
        }
    }
    definition = {"name": "x", "inputSchema": schema}
    client = signed_in(cast.bob)

    for arguments in (keys, listed, {"deep": json.dumps(json.dumps(keys))}):
        walk = a_ticket(
            cast,
            arguments=canonical_bytes(arguments),  # type: ignore[arg-type]
            tool_definition=definition,
            agent_says=ALL,
        ).pending()
        page(client, f"/tickets/{walk.uid}/", list(HOSTILE))


def test_the_difference_to_an_earlier_call(cast: Cast, signed_in: SignIn):
    before = {f"k{at}": hostile.text for at, hostile in enumerate(HOSTILE)}
    now = {name: text[::-1] + text for name, text in before.items()} | {"gone": "x"}
    a_ticket(cast, arguments=canonical_bytes(before)).succeeded()  # type: ignore[arg-type]
    walk = a_ticket(cast, arguments=canonical_bytes(now)).pending()  # type: ignore[arg-type]

    shown = page(signed_in(cast.bob), f"/tickets/{walk.uid}/", list(HOSTILE))
    assert "Changed since the last approved call" in shown


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            json.dumps({"content": [{"type": "text", "text": ALL + "\ud800 half \udfff"}]}),
            id="text",
        ),
        pytest.param(json.dumps({ALL: [ALL], "half": "\udc00"}), id="structured"),
        pytest.param(json.dumps({"content": [{"type": ALL, "text": ALL}], ALL: 1}), id="odd"),
        pytest.param(ALL, id="no JSON"),
    ],
)
def test_what_an_upstream_answered(cast: Cast, signed_in: SignIn, answer: str):
    data = answer.encode("utf-8", "surrogatepass")
    good = a_ticket(cast).succeeded(data)
    bad = a_ticket(cast, arguments=b'{"path":"/b"}').failed(data)
    for walk in (good, bad):
        page(signed_in(cast.bob), f"/tickets/{walk.uid}/", list(HOSTILE))


def test_what_people_wrote(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).rejected_by(cast.bob, reason=ALL)
    unknown = a_ticket(cast, arguments=b'{"path":"/c"}').unknown()
    decisions.annotate_unknown(uid=unknown.uid, user=cast.bob, ran=None, evidence=ALL)
    client = signed_in(cast.bob)

    ends = [*HOSTILE[:9], *HOSTILE[-4:]]  # long reasons are cut: nobody approves them
    page(client, f"/tickets/{walk.uid}/", ends)
    page(client, f"/tickets/{unknown.uid}/", ends)


def test_what_is_typed_into_a_refused_form_comes_back_as_text(cast: Cast, signed_in: SignIn):
    walk = a_ticket(cast).pending()
    client = signed_in(cast.bob)

    answer = client.post(
        f"/tickets/{walk.uid}/decide/",
        {"verdict": "approve", "reason": ALL, "nonce": "n", "seen_digest": "00", "opened": ALL},
    )

    assert answer.status_code in (409, 422)
    faults = [f for f in judged(answer.content).faults if " as it is " not in f]
    assert not [f for f in faults if "storm" not in f], faults


def test_a_payload_in_the_middle_of_a_megabyte_is_cut_and_blocks_the_approval(
    cast: Cast, signed_in: SignIn
):
    client = signed_in(cast.bob)
    walk = a_ticket(
        cast, arguments=canonical_bytes({"text": a_megabyte("<script>zq99</script>\u202e")})
    ).pending()
    address = f"/tickets/{walk.uid}/"

    cut = client.get(address)
    judge = judged(cut.content)
    assert not judge.faults
    assert "zq99" not in judge.shown
    assert "right-to-left override" in judge.shown  # the finding speaks of the whole
    assert decided(client, cut.content) == 422

    opened = client.get(f"{address}?open=0")
    assert b"&lt;script&gt;zq99&lt;/script&gt;" in opened.content
    assert b"[U+202E]" in opened.content
    assert decided(client, opened.content) == 302


def decided(client: Client, shown: bytes) -> int:
    """Press Approve on the page as it was shown."""
    form = form_to(shown, "/decide/")
    return client.post(form.action, form.values(verdict="approve")).status_code


def test_no_audit_row_holds_a_word_of_it(cast: Cast):
    a_ticket(cast, agent_says=ALL, arguments=canonical_bytes({"path": ALL})).rejected_by(
        cast.bob, reason=ALL
    )

    told = json.dumps([event.detail for event in AuditEvent.objects.all()])
    assert not [hostile.mark for hostile in HOSTILE if hostile.mark in told]
