"""The small services that other layers lean on."""

from approvals import api
from approvals.audit.sealing import unseal
from approvals.models import Payload
from tests.support import rings
from tests.support.builders import a_ticket, killed


def test_other_layers_seal_without_keeping_anything_plain(cast):
    payload_id, commitment = api.seal("call_arguments", b"secret")
    payload = Payload.objects.get(pk=payload_id)
    assert unseal(payload) == b"secret"
    assert bytes(payload.commitment) == commitment
    assert len(commitment) == 32


def test_figures_count_what_is_open_and_what_nobody_looked_into(cast):
    a_ticket(cast, arguments=b'{"n":1}').pending()
    a_ticket(cast, arguments=b'{"n":2}').pending()
    a_ticket(cast, arguments=b'{"n":3}').sent()
    a_ticket(cast, arguments=b'{"n":4}').unknown()
    a_ticket(cast, arguments=b'{"n":5}').succeeded()
    assert api.ledger_figures() == {
        "tickets_pending": 2,
        "tickets_approved": 0,
        "tickets_claimed": 0,
        "tickets_sent": 1,
        "tickets_unknown_unresolved": 1,
        "kill_switch": 0,
    }
    killed(cast)
    assert api.ledger_figures()["kill_switch"] == 1


def test_a_heartbeat_goes_to_whoever_listens(cast):
    api.heartbeat("worker", "w1")
    assert rings.alive == [("worker", "w1")]
