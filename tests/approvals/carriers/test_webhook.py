"""Signed webhooks, checked as a receiver checks them by the Standard Webhooks specification."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from approvals.carriers import webhook
from approvals.carriers.errors import Refused
from approvals.carriers.webhook import Hook
from tests.support.receivers import Received, a_web_receiver

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def accepts(secret: str, request: Received) -> bool:
    """A receiver's own check, written from the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    head = request.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in head["webhook-signature"].split(" ")


def send(hook: Hook, **changes: object) -> None:
    options = {"message_id": "msg_1", "kind": "ticket.ended", "at": NOW, "now": NOW}
    webhook.send(hook, **options, data={"ticket": 7}, **({"allow_private": True} | changes))


def test_the_receiver_can_check_who_sent_what_and_when():
    secret = webhook.new_secret()
    with a_web_receiver() as receiver:
        send(Hook(url=f"{receiver.url}/hook", secret=secret))
    (request,) = receiver.requests
    assert accepts(secret, request)
    assert not accepts(webhook.new_secret(), request)
    assert request.headers["webhook-id"] == "msg_1"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert json.loads(request.body) == {
        "type": "ticket.ended",
        "timestamp": NOW.isoformat(),
        "data": {"ticket": 7},
    }
    changed = Received(request.path, request.headers, request.body.replace(b"7", b"8"))
    assert not accepts(secret, changed)


def test_the_specifications_own_example_has_its_published_signature():
    body = b'{"test": 2432232314}'
    secret, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 1614265330
    message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    mark = webhook.signature(secret, message_id=message_id, at=at, body=body)
    assert mark == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0", "whsec_%%%", "whsec_" + "A" * 200]
)
def test_a_secret_that_signs_nothing_is_refused(secret: str):
    with pytest.raises(Refused):
        webhook.require_hook(
            Hook(url="https://hooks.example/x", secret=secret), allow_private=False
        )


def test_a_private_address_needs_an_admins_word():
    with a_web_receiver() as receiver:
        hook = Hook(url=receiver.url.replace("http:", "https:"), secret=webhook.new_secret())
        with pytest.raises(Refused):
            send(hook, allow_private=False)
    assert receiver.requests == []


def test_a_name_that_resolves_to_an_address_inside_is_refused():
    hook = Hook(url="https://localhost:9/x", secret=webhook.new_secret())
    with pytest.raises(Refused, match="private"):
        send(hook, allow_private=False)


def test_nothing_of_a_hook_is_shown_by_accident():
    hook = Hook(url="https://hooks.example/token", secret=webhook.new_secret())
    assert "token" not in repr(hook)
    assert "whsec" not in repr(hook)
