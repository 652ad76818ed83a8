"""The pack of hostile texts in files, edits and answer forms: seen, and inert."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import batched

from django.test import Client

from approvals.domain.canonical import canonical_bytes
from approvals.presenters.spreadsheet import safe_cell
from tests.approvals.web.conftest import SignIn
from tests.approvals.web.test_hostile_text import STORED, page
from tests.support.builders import Cast, a_ticket
from tests.support.hostile import FORMULA, HOSTILE, judged, misleading, unread
from tests.support.pages import form_to


def test_no_cell_of_a_file_is_a_formula_wherever_a_spreadsheet_parts_it():
    for hostile in HOSTILE:
        cell = safe_cell(hostile.text)
        assert not [part for part in cell.split(";") if part.lstrip().startswith(FORMULA)]
        assert not [*misleading(cell)]
        assert hostile.mark in cell


def test_the_form_that_edits_them_and_what_it_would_change(cast: Cast, signed_in: SignIn):
    asked = {hostile.text: hostile.text for hostile in HOSTILE}
    named = {hostile.text: {"title": hostile.text, "maxLength": 120} for hostile in STORED}
    walk = a_ticket(
        cast,
        arguments=canonical_bytes(asked),  # type: ignore[arg-type]
        tool_definition={"name": "x", "inputSchema": {"type": "object", "properties": named}},
    ).pending()
    client, address = signed_in(cast.bob), f"/tickets/{walk.uid}/edit/"

    form = form_to(client.get(address).content, "/edit/")
    fields = {name: values[0] for name, values in form.fields.items() if name.startswith("arg-")}
    assert len(fields) == len(HOSTILE)
    assert not [*misleading("".join(fields.values()))]
    page(client, address, HOSTILE)
    changed = json.dumps({name: f"{text}!" for name, text in asked.items()})
    posted(client, address, form.fields, {"whole": changed})
    longer = json.dumps({name: text * 20 for name, text in asked.items()})
    posted(client, address, form.fields, {"whole": longer}, refused=True)
    typed = form.values(**{name: f"{value}!" for name, value in fields.items()})
    posted(client, address, form.fields, typed, refused=True)  # some are no JSON any more


def posted(
    client: Client,
    address: str,
    fields: Mapping[str, list[str]],
    changes: Mapping[str, str | list[str]],
    *,
    refused: bool = False,
) -> None:
    """Judge what comes of asking for a preview."""
    seen = {"step": "preview", "seen_digest": fields["seen_digest"]}
    answer = client.post(address, {**seen, **changes})
    assert answer.status_code == (422 if refused else 200)
    judge = judged(answer.content)
    assert not judge.faults, "\n".join(judge.faults[:10])
    assert not unread(judge.shown, HOSTILE)


def test_what_an_upstream_asks_people_to_fill_in(cast: Cast, signed_in: SignIn):
    client = signed_in(cast.bob)
    for some in batched(STORED, 25, strict=False):
        texts = [hostile.text for hostile in some]
        fields: dict[str, object] = {
            text: {
                "type": "string",
                "title": text,
                "description": text,
                "default": text,
                "minLength": 1000,
            }
            for text in texts
        }
        choice = {"oneOf": [{"const": text, "title": text} for text in texts]}
        fields |= {
            "one": {"type": "string", "enum": texts, "enumNames": texts, "default": texts[0]},
            "many": {"type": "array", "items": choice, "description": "\n".join(texts)},
            "yes": {"type": "boolean", "title": "\n".join(texts)},
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
        asked = client.get(f"/tickets/{walk.uid}/").content
        shown = judged(asked)
        assert not shown.faults, "\n".join(shown.faults[:10])
        assert all(shown.shown.count(hostile.mark) >= 6 for hostile in some)

        form = form_to(asked, "/decide/")
        filled = [form.fields[f"answer-{at}"][0] for at in range(len(texts))]
        assert not [*misleading("".join(filled))]
        refused = client.post(form.action, form.values(verdict="approve"))
        assert refused.status_code == 422
        assert not judged(refused.content).faults
