"""A verification that somebody asked for is done once, by one worker, and never hangs for ever."""

import pytest
from django.db import DatabaseError, transaction

from approvals.domain.errors import NotVisible
from approvals.models import Verification
from approvals.services import verifying
from tests.support.builders import Cast
from tests.support.clock import later


def test_only_admins_and_auditors_ask(cast: Cast):
    for user in (cast.alice, cast.bob):
        with pytest.raises(NotVisible):
            verifying.ask_to_verify(user=user)
    cast.dora.is_active = False
    with pytest.raises(NotVisible):
        verifying.ask_to_verify(user=cast.dora)
    assert not Verification.objects.exists()


@pytest.mark.both_engines
def test_one_run_at_a_time_begins_once(cast: Cast, monkeypatch: pytest.MonkeyPatch):
    def meanwhile() -> list[object]:
        verifying.ask_to_verify(user=cast.dora)
        assert not verifying.verify_if_asked(), "another worker finds nothing to do"
        return []

    monkeypatch.setattr(verifying, "verify", meanwhile)
    verifying.ask_to_verify(user=cast.dora)
    assert verifying.verify_if_asked()
    run = Verification.objects.get()
    assert (run.over, run.breaks, run.asked_by) == (True, 0, cast.dora.person)
    assert run.asked_at <= run.begun_at <= run.ended_at
    with pytest.raises(DatabaseError), transaction.atomic():
        Verification.objects.bulk_create(Verification(asked_by=cast.dora.person) for _ in range(2))


@pytest.mark.both_engines
def test_a_run_is_kept_alive_while_it_lasts_and_is_lost_with_its_worker(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
):
    over: list[bool] = []

    def long() -> list[object]:
        with later(50):
            verifying.renew()
        with later(100):
            verifying.renew()
            over.append(Verification.objects.get().over)
        with verifying._lock:
            verifying._running_here.clear()  # the process that ran it is gone
        with later(200):
            verifying.renew()
        over.append(Verification.objects.get().over)
        return []

    monkeypatch.setattr(verifying, "verify", long)
    verifying.ask_to_verify(user=cast.dora)
    assert verifying.verify_if_asked()
    assert over == [False, True]
    assert Verification.objects.get().breaks is None, "what comes too late is not written"


def test_a_run_that_fails_is_over_and_the_next_one_may_be_asked_for(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def broken() -> list[object]:
        raise ConnectionError("the disk is gone")

    monkeypatch.setattr(verifying, "verify", broken)
    for number in (1, 2):
        verifying.ask_to_verify(user=cast.dora)
        assert verifying.verify_if_asked()
        assert Verification.objects.filter(over=True, breaks=None).count() == number
    assert "was broken off" in caplog.text
