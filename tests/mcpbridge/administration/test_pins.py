"""Pins: only what was on the screen, or in the file and on offer, may be called."""

from typing import Any

import pytest

from approvals import api
from approvals.models import AuditEvent
from mcpbridge.administration import (
    Moved,
    Refused,
    ensure_pin,
    pin_tool,
    quarantine_tool,
    set_idempotent,
)
from mcpbridge.calls.pins import definition_digest
from mcpbridge.catalog.recording import record_list
from mcpbridge.models import ToolPin, Upstream
from tests.mcpbridge.administration.conftest import ACTOR
from tests.support.builders import Cast, a_ticket

Status = ToolPin.Status


def a_tool(description: str = "Deletes a file.", name: str = "delete_file") -> dict[str, Any]:
    return {"name": name, "description": description, "inputSchema": {"type": "object"}}


def offered(upstream: Upstream, *tools: dict[str, Any]) -> None:
    """The upstream lists exactly these tools."""
    record_list(upstream_id=upstream.pk, config_digest=bytes(upstream.config_digest), tools=tools)


def the_pin() -> ToolPin:
    return ToolPin.objects.get(name="delete_file")


def pinned(cast: Cast, tool: dict[str, Any]) -> ToolPin:
    return pin_tool(
        actor=ACTOR,
        pin_id=the_pin().pk,
        seen_digest=definition_digest(tool),
        person_id=cast.dora.person_id,
    )


def test_a_held_tool_is_pinned_as_it_was_seen(cast: Cast, files: Upstream):
    offered(files, a_tool())
    epoch = api.gate().epoch

    pin = pinned(cast, a_tool())

    assert (pin.status, pin.definition, pin.offered) == (Status.PINNED, a_tool(), None)
    assert pin.pinned_by_id == cast.dora.person_id
    assert api.gate().epoch > epoch
    assert AuditEvent.objects.filter(action="tool_pinned").count() == 1
    pinned(cast, a_tool())
    assert AuditEvent.objects.filter(action="tool_pinned").count() == 1


def test_a_definition_that_changed_after_it_was_seen_is_not_pinned(cast: Cast, files: Upstream):
    offered(files, a_tool())
    offered(files, a_tool("Deletes everything."))

    with pytest.raises(Moved, match="has changed"):
        pinned(cast, a_tool())
    assert the_pin().status == Status.QUARANTINED


def test_a_tool_that_is_no_longer_offered_is_not_pinned(cast: Cast, files: Upstream):
    offered(files, a_tool())
    offered(files)

    with pytest.raises(Moved, match="no longer offered"):
        pinned(cast, a_tool())


def test_a_tool_taken_out_of_use_loses_its_tickets_and_comes_back_by_a_pin(
    cast: Cast, files: Upstream
):
    offered(files, a_tool())
    pin = pinned(cast, a_tool())
    walk = a_ticket(cast, upstream_id=files.pk, upstream_name="files").pending()

    quarantine_tool(actor=ACTOR, pin_id=pin.pk)
    quarantine_tool(actor=ACTOR, pin_id=pin.pk)

    assert walk.view.cancel_reason is api.CancelReason.DRIFT
    assert the_pin().status == Status.QUARANTINED
    assert AuditEvent.objects.filter(action="tool_quarantined").count() == 1
    assert pinned(cast, a_tool()).status == Status.PINNED


@pytest.mark.parametrize(("idempotent", "attempts"), [(True, 0), (True, 6), (False, 2)])
def test_impossible_attempts_are_refused(
    idempotent: bool, attempts: int, cast: Cast, files: Upstream
):
    offered(files, a_tool())

    with pytest.raises(Refused) as refused:
        set_idempotent(
            actor=ACTOR, pin_id=the_pin().pk, idempotent=idempotent, max_attempts=attempts
        )
    assert refused.value.field == "max_attempts"


def test_idempotence_is_an_admins_word_and_recorded_once(files: Upstream):
    offered(files, {**a_tool(), "annotations": {"idempotentHint": True}})
    assert (the_pin().idempotent, the_pin().max_attempts) == (False, 1)

    for _ in range(2):
        set_idempotent(actor=ACTOR, pin_id=the_pin().pk, idempotent=True, max_attempts=3)

    assert (the_pin().idempotent, the_pin().max_attempts) == (True, 3)
    assert AuditEvent.objects.filter(action="tool_idempotence_set").count() == 1


def ensured(upstream: Upstream, tool: dict[str, Any]) -> tuple[str, str]:
    """The status that a file's definition comes to, and its warning."""
    upstream.refresh_from_db()
    pin, warning = ensure_pin(actor=ACTOR, upstream=upstream, name="delete_file", definition=tool)
    return str(pin.status), warning


def test_a_file_pins_before_the_first_contact_which_then_proves_it(files: Upstream):
    assert ensured(files, a_tool()) == (Status.PINNED, "")

    offered(files, a_tool("Something else."))

    assert the_pin().status == Status.QUARANTINED


def test_a_file_pins_what_is_offered_and_nothing_else(files: Upstream):
    offered(files, a_tool())

    assert ensured(files, a_tool()) == (Status.PINNED, "")
    assert ensured(files, a_tool()) == (Status.PINNED, "")
    assert AuditEvent.objects.filter(action="tool_pinned").count() == 1


def test_a_file_never_puts_an_outdated_definition_into_use(cast: Cast, files: Upstream):
    offered(files, a_tool())
    pinned(cast, a_tool())
    walk = a_ticket(cast, upstream_id=files.pk, upstream_name="files").pending()

    status, warning = ensured(files, a_tool("As it was last year."))

    assert status == Status.QUARANTINED
    assert "offers another definition" in warning
    assert walk.view.cancel_reason is api.CancelReason.DRIFT
    assert the_pin().offered == a_tool()
    before = api.gate().epoch
    assert ensured(files, a_tool("As it was last year."))[0] == Status.QUARANTINED
    assert api.gate().epoch == before
    assert ensured(files, a_tool()) == (Status.PINNED, "")


def test_a_file_does_not_put_an_unlisted_tool_into_use(cast: Cast, files: Upstream):
    offered(files)

    status, warning = ensured(files, a_tool())

    assert (status, warning) == (Status.GONE, "is not offered by its upstream now")
    offered(files, a_tool())
    assert the_pin().status == Status.PINNED


def test_a_definition_without_a_digest_is_refused(files: Upstream):
    with pytest.raises(Refused) as refused:
        ensured(files, {**a_tool(), "inputSchema": {"default": float("nan")}})
    assert refused.value.field == "definition"
