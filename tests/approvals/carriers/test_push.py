"""Web Push: only the subscribed browser can read, and only we can have sent."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from approvals.carriers import push
from approvals.carriers.errors import CarrierError, Gone, Refused
from tests.support.receivers import a_web_receiver

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)

# RFC 8291, appendix A: every value of the published example.
PLAIN = b"When I grow up, I want to be a watermelon"
SENDER = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAm"
    "S6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_"
    "Qulcy4a-fN"
)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """A browser with a subscription, able to read what was sent to it."""

    def __init__(self, endpoint: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"sixteen bytes ok"
        self.subscription = push.subscription_of(
            endpoint, push.encoded(push.public_point(self.key)), push.encoded(self.auth)
        )

    def read(self, body: bytes) -> bytes:
        """Decrypt as RFC 8291 says, by the reader's side of the exchange."""
        salt, size, point = body[:16], int.from_bytes(body[16:20], "big"), body[21:86]
        assert body[20] == len(point)
        assert len(body) <= size
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = self.key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\0" + push.public_point(self.key) + point
        material = HKDF(SHA256(), 32, salt=self.auth, info=info).derive(shared)
        key = HKDF(SHA256(), 16, salt=salt, info=b"Content-Encoding: aes128gcm\0").derive(material)
        nonce = HKDF(SHA256(), 12, salt=salt, info=b"Content-Encoding: nonce\0").derive(material)
        plain = AESGCM(key).decrypt(nonce, body[86:], None)
        assert plain[-1:] == b"\x02"
        return plain[:-1]


def sent(browser: Browser, sender: push.Sender, **changes: object) -> None:
    options = {"topic": "t" * 32, "seconds": 90, "urgent": True, "now": NOW, "allow_private": True}
    push.send(browser.subscription, {"body": "Call #7 waits"}, sender=sender, **(options | changes))


@pytest.fixture
def sender() -> push.Sender:
    key = ec.generate_private_key(ec.SECP256R1())
    return push.Sender(key=key, contact="https://placet.example")


def test_the_published_example_is_encrypted_byte_for_byte():
    ephemeral = ec.derive_private_key(int.from_bytes(raw(SENDER), "big"), ec.SECP256R1())
    subscription = push.subscription_of("https://push.example/x", PUBLIC, AUTH)

    body = push.encrypt(subscription, PLAIN, ephemeral=ephemeral, salt=raw(SALT))

    assert push.encoded(body) == SEALED


def test_the_browser_reads_what_was_sent_and_the_service_in_between_cannot(sender: push.Sender):
    with a_web_receiver() as service:
        browser = Browser(f"{service.url}/subscription/1")
        sent(browser, sender)
    (request,) = service.requests
    assert json.loads(browser.read(request.body)) == {"body": "Call #7 waits"}
    assert b"#7" not in request.body
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["ttl"] == "90"
    assert request.headers["urgency"] == "high"
    assert request.headers["topic"] == "t" * 32
    claims = verified(request.headers["authorization"], sender)
    assert claims["aud"] == service.url
    assert claims["sub"] == "https://placet.example"
    assert NOW.timestamp() < claims["exp"] <= NOW.timestamp() + 24 * 3600


def verified(header: str, sender: push.Sender) -> dict[str, object]:
    """The claims of a VAPID header whose signature holds."""
    token, _, key = header.removeprefix("vapid t=").partition(", k=")
    signed, _, mark = token.rpartition(".")
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(key))
    numbers = [int.from_bytes(raw(mark)[i : i + 32], "big") for i in (0, 32)]
    public.verify(encode_dss_signature(*numbers), signed.encode(), ec.ECDSA(SHA256()))
    assert raw(key) == push.public_point(sender.key)
    claims: dict[str, object] = json.loads(raw(signed.partition(".")[2]))
    return claims


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, Gone),
        (410, Gone),
        (413, Refused),
        (301, Refused),
        (429, CarrierError),
        (503, CarrierError),
    ],
)
def test_what_the_service_answers_decides_whether_to_try_again(
    sender: push.Sender, status: int, error: type[CarrierError]
):
    with a_web_receiver() as service:
        service.answers = [status]
        with pytest.raises(CarrierError) as problem:
            sent(Browser(f"{service.url}/secret-path"), sender)
    assert type(problem.value) is error
    assert "secret-path" not in str(problem.value)


def test_a_redirect_is_not_followed(sender: push.Sender):
    with a_web_receiver() as elsewhere, a_web_receiver() as service:
        service.answers, service.location = [307], elsewhere.url
        with pytest.raises(Refused):
            sent(Browser(service.url), sender)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/1",
        "https://127.0.0.1/1",
        "https://[::1]/1",
        "https://10.0.0.8/1",
        "https://169.254.169.254/latest",
        "https://localhost/1",
        "file:///etc/passwd",
        "https://user:password@push.example/1",
        "https://push.example/1#part",
        "https://push.example/\u202e1",
        "",
    ],
)
def test_an_endpoint_inside_is_never_posted_to(sender: push.Sender, endpoint: str):
    with pytest.raises(Refused):
        sent(Browser(endpoint), sender, allow_private=False)


def test_metadata_addresses_are_refused_even_where_private_ones_are_allowed(sender: push.Sender):
    with pytest.raises(Refused):
        sent(Browser("http://169.254.169.254/latest"), sender)


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        (PUBLIC, "short"),
        (PUBLIC[:-4], AUTH),
        ("not base64!", AUTH),
        (push.encoded(b"\x04" + b"\0" * 64), AUTH),
        (None, AUTH),
        (PUBLIC, 7),
    ],
)
def test_a_subscription_that_nobody_could_read_is_refused(p256dh: object, auth: object):
    with pytest.raises(Refused):
        push.subscription_of("https://push.example/1", p256dh, auth)


def test_nothing_of_a_subscription_is_shown_by_accident():
    subscription = push.subscription_of("https://push.example/secret", PUBLIC, AUTH)
    assert "secret" not in repr(subscription)
