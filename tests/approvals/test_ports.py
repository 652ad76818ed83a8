"""What flows back from the ledger, and what becomes of it when nobody answers."""

import pytest
from django.utils.module_loading import import_string
from uuid6 import uuid7

from approvals import ports
from tests.support import rings


def test_a_hint_reaches_who_is_named(settings):
    rings.forget()
    settings.APPROVALS_PORTS = rings.PORTS
    uid = uuid7()
    ports.approved(uid)
    ports.ended(uid)
    assert (rings.rung_approved, rings.rung_ended) == ([uid], [uid])
    rings.forget()


@pytest.mark.parametrize("ring", [ports.approved, ports.ended])
def test_a_lost_hint_raises_nothing(settings, caplog, ring):
    settings.APPROVALS_PORTS = dict.fromkeys(("approved", "ended"), "tests.support.rings.broken")
    ring(uuid7())
    assert "was lost" in caplog.text


def test_without_ports_nothing_is_rung_and_nobody_owns_anything(settings):
    settings.APPROVALS_PORTS = {}
    ports.approved(uuid7())
    ports.heartbeat("worker", "w1")
    assert ports.attempts_allowed(upstream_id=uuid7(), tool_name="echo") == 1
    assert ports.owner_of_agent(uuid7()) is None
    assert ports.calls_unasked(agent_id=uuid7(), seconds=60, most=5) is None
    assert ports.checkpoint_sources() == []


def test_an_owner_that_is_no_person_is_an_error(settings, monkeypatch):
    settings.APPROVALS_PORTS = rings.PORTS
    agent = uuid7()
    monkeypatch.setitem(rings.owners, agent, "bob")
    with pytest.raises(TypeError, match="UUID"):
        ports.owner_of_agent(agent)


@pytest.mark.parametrize("answer", ["broken", "rung_ended", "nowhere"])
def test_without_a_number_from_above_nothing_is_sent_twice(settings, answer):
    settings.APPROVALS_PORTS = {"attempts_allowed": f"tests.support.rings.{answer}"}
    assert ports.attempts_allowed(upstream_id=uuid7(), tool_name="echo") == 1


def test_the_installations_own_ports_exist(settings):
    names = {"approved", "ended", "owner_of_agent", "attempts_allowed", "calls_unasked"}
    names.add("checkpoint_sources")
    assert names <= set(settings.APPROVALS_PORTS)
    for path in settings.APPROVALS_PORTS.values():
        for one in [path] if isinstance(path, str) else path:
            assert callable(import_string(one))
