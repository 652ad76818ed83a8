"""Housekeeping: checkpoints and retention, without beat and without a broker."""

import logging

from approvals import api, tasks
from approvals.models import Checkpoint, Payload
from approvals.tasks import Chore, Housekeeper, purge, seal
from tests.support.builders import a_cast, a_ticket
from tests.support.clock import later
from tests.support.waiting import eventually


def test_a_checkpoint_covers_what_is_new(db, settings):
    settings.APPROVALS_PORTS = {}
    a_ticket(a_cast()).pending()
    seal()
    assert Checkpoint.objects.count() == 1
    seal()
    assert Checkpoint.objects.count() == 1


def test_payloads_of_ended_tickets_go_when_retention_is_over(db, settings):
    settings.APPROVALS_PORTS = {}
    cast = a_cast()
    over = a_ticket(cast, arguments=b'{"n":1}').succeeded()
    still_open = a_ticket(cast, arguments=b'{"n":2}').pending()
    with later(29 * 24 * 3600):
        assert purge() == 0
    with later(31 * 24 * 3600):
        assert purge() > 0
    assert over.ticket.arguments.purged_at is not None
    assert over.view.result is None
    assert still_open.ticket.arguments.purged_at is None
    assert Payload.objects.filter(purged_at__isnull=False, ciphertext__isnull=False).count() == 0


def test_a_chore_is_done_when_it_is_due():
    done = []
    chore = Chore("count", lambda: done.append(1), every=10)
    for _ in range(3):
        chore.pass_time(4)
    assert len(done) == 1
    for _ in range(3):
        chore.pass_time(4)
    assert len(done) == 2


def test_a_chore_that_fails_is_reported_once_until_it_works_again(caplog):
    results = [False, False, True, False]

    def act():
        if not results.pop(0):
            raise ZeroDivisionError

    chore = Chore("divide", act, every=1)
    with caplog.at_level(logging.ERROR):
        for _ in range(4):
            chore.pass_time(1)
    assert caplog.text.count("could not divide") == 2


def test_a_housekeeper_seals_by_itself_and_stops_when_told(real_db, settings):
    settings.APPROVALS_PORTS = {}
    settings.APPROVALS_CHECKPOINT_SECONDS = 0.05
    a_ticket(a_cast()).pending()
    keeper = Housekeeper("keeper", 0.05, Chore("seal", tasks.seal_checkpoint, 0.05))
    keeper.start()
    eventually(Checkpoint.objects.exists, within=10)
    keeper.stop()
    keeper.join()
    assert not keeper._thread.is_alive()
    assert api.gate().killed is False


def test_a_worker_keeps_house_as_long_as_it_lives(real_db, settings):
    settings.APPROVALS_PORTS = {}
    settings.APPROVALS_CHECKPOINT_SECONDS = 0.05
    tasks.stop_housekeeping()
    tasks.start_housekeeping()
    first = list(tasks._running)
    assert first
    tasks.start_housekeeping()
    assert tasks._running == first
    tasks.stop_housekeeping()
    assert not tasks._running
    assert not any(keeper._thread.is_alive() for keeper in first)
    tasks.stop_housekeeping()
