"""The pack of hostile texts in lists of calls, floods, batches, permissions and answer forms."""

from __future__ import annotations

from html import escape
from itertools import batched

from approvals.domain.canonical import canonical_bytes
from approvals.presenters.bursts import burst_url
from tests.approvals.web.conftest import SignIn
from tests.approvals.web.test_hostile_text import STORED, page
from tests.support.builders import Cast, a_ticket
from tests.support.hostile import judged, packed
from tests.support.pages import form_to


def test_lists_of_calls_whose_agents_and_tools_are_hostile(cast: Cast, signed_in: SignIn):
    floods = [
        [
            a_ticket(
                cast,
                agent_name=name[-120:],
                upstream_name=name[:64],
                tool_name=name,
                arguments=canonical_bytes({"path": name, "n": at}),
                max_open_tickets=1000,
            ).pending()
            for at in range(5)
        ]
        for name in packed(250)
    ]
    client = signed_in(cast.bob)

    page(client, "/")
    listed = page(client, "/history/")
    for flood in floods:
        listed += page(client, burst_url(cast.robo, cast.files, flood[0].call.tool_name))
    page(client, f"/batch/?ticket={floods[0][0].uid}&ticket={floods[1][0].uid}")
    page(client, f"/tickets/{floods[0][0].uid}/grant/?for=agent&uses=2&seconds=60&free=/n")

    assert not [hostile.mark for hostile in STORED if hostile.mark not in listed]


def test_what_an_upstream_asks_people_to_fill_in(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    for some in batched(STORED, 15, strict=False):
        texts = [hostile.text for hostile in some]
        fields: dict[str, object] = {
            text: {"type": "string", "title": text, "description": text, "default": text}
            for text in texts
        }
        fields |= {
            f"choice of {text}": {"type": "string", "enum": texts, "enumNames": texts}
            for text in texts
        }
        walk = a_ticket(
            cast,
            tool_name="elicitation/create",
            arguments=canonical_bytes({"message": texts}),  # type: ignore[dict-item]
            tool_definition={
                "name": "elicitation/create",
                "answerSchema": {"type": "object", "properties": fields},
            },
        ).pending()
        address = f"/tickets/{walk.uid}/"
        shown = page(client, address, list(some))
        assert all(shown.count(hostile.mark) > len(texts) for hostile in some)

        answers = form_to(client.get(address).content, "/decide/").fields
        filled = [answers[f"answer-{at}"][0] for at in range(len(texts))]
        assert not judged("".join(f"<bdi>{escape(each)}</bdi>" for each in filled).encode()).faults
