"""The pack of hostile texts on an operator's terminal: what commands print acts on nothing."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command
from pytest_django import Settings

from approvals.models import Person
from mcpbridge.administration import UpstreamSettings, create_upstream
from placet.management.commands import sample_agent
from tests.mcpbridge.web.conftest import a_tool, offered
from tests.support import rings
from tests.support.builders import Cast, a_cast, a_ticket
from tests.support.hostile import ESSENCE, HOSTILE, misleading, unseen
from tests.support.record import a_hand_at_the_console

STORED = [hostile for hostile in HOSTILE if hostile.fits_a_column]
ALL = "\n".join(hostile.text for hostile in STORED)
FIRST = [hostile for hostile in HOSTILE if ESSENCE.startswith(hostile.text)]


@pytest.fixture
def cast(db: None, settings: Settings) -> Cast:
    settings.APPROVALS_PORTS = rings.PORTS
    return a_cast()


def printed(*words: str) -> str:
    """What a command says, also where it fails."""
    out = StringIO()
    try:
        call_command(*words, stdout=out, stderr=out)
    except CommandError as problem:
        out.write(str(problem))
    said = out.getvalue()
    assert not [*misleading(said)], words
    return said


def test_a_ticket_and_its_approvals(cast: Cast):
    name = ESSENCE[-120:]
    walk = a_ticket(cast, agent_name=name, tool_name=name).approved_by(cast.bob)
    Person.objects.filter(pk=cast.bob.person_id).update(name=name)

    said = printed("verify_approval", str(walk.ticket.pk))

    assert len(said.splitlines()) == 3
    assert said.count("zq08") == 2  # once for the tool, once for the person


def test_rows_that_somebody_wrote_into_by_hand(cast: Cast):
    walk = a_ticket(cast).approved_by(cast.bob)
    with a_hand_at_the_console() as cursor:
        cursor.execute(
            "UPDATE approvals_auditevent SET source = %s WHERE target = 'approved'",
            ["\x1b[2J\radds up"],
        )
        for words in (("verify_audit",), ("verify_approval", str(walk.ticket.pk))):
            assert "[U+001B][2J[U+000D]adds up" in printed(*words)


def test_tools_as_an_upstream_describes_them_in_a_file_for_apply(cast: Cast, tmp_path: Path):
    upstream = create_upstream(
        actor="system:test",
        name="files",
        settings=UpstreamSettings(
            transport="http",
            url="https://files.example.test/mcp",
            team_ids=frozenset({cast.team_id}),
            pin_on_first_contact=True,
        ),
    )
    schema = {"type": "object", "properties": {each.text: {} for each in STORED}}
    offered(upstream, a_tool("read", ALL, title="Größe", inputSchema=schema))

    file = printed("export")

    assert "Größe" in file
    assert not unseen(file, STORED)
    (tool,) = yaml.safe_load(file)["tools"]
    assert tool["definition"]["description"] == ALL
    assert tool["definition"]["inputSchema"] == schema
    kept = tmp_path / "placet.yaml"
    kept.write_text(file, encoding="utf-8")
    assert printed("apply", "--diff", str(kept)) == "nothing to change\n"


def test_what_a_file_would_change_and_why_it_is_refused(cast: Cast, tmp_path: Path):
    file = tmp_path / "placet.yaml"
    rules = [{"name": each.text[:100], "tool": "x", "effect": "deny"} for each in STORED]
    for document, wanted in (
        ({"policy": {"rules": rules}}, STORED),
        ({"policy": {"rules": [{"name": "a", "tool": "x", "effect": ESSENCE}]}}, FIRST),
        ({"groups": [{"name": ESSENCE}]}, []),
        ({ESSENCE: 1}, FIRST),
    ):
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
        assert not unseen(printed("apply", "--diff", str(file)), wanted)


def test_what_the_sample_agent_was_told():
    out = StringIO()
    sample_agent.Command(stdout=out)._say(f"received: {ALL}")

    assert not [*misleading(out.getvalue())]
    assert not unseen(out.getvalue(), STORED)
    assert all(line.startswith("sample-agent ") for line in out.getvalue().splitlines())


def test_names_that_are_not_known(cast: Cast):
    for words in (
        ("issue_token", ESSENCE),
        ("verify_approval", ESSENCE),
        ("remove_factors", ESSENCE),
        ("apply", ESSENCE[:60].replace("/", "")),
        ("verify_audit", "--checkpoints", ESSENCE[:60].replace("/", "")),
    ):
        assert "zq42" in printed(*words)
