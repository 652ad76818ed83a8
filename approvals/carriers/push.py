"""Web Push: a message that only the subscribed browser can read (RFC 8030, 8188, 8291, 8292).

The push service in between learns when something was sent and how long it is, and nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from approvals.carriers.errors import Refused
from approvals.carriers.http import post, require_url
from approvals.domain.wording import say

POINT_BYTES: Final = 65  # an uncompressed point of P-256
AUTH_BYTES: Final = 16
SALT_BYTES: Final = 16
RECORD_BYTES: Final = 4096
MOST_PLAIN: Final = RECORD_BYTES - 17 - 86  # what every push service has to take
TOKEN_SECONDS: Final = 12 * 3600  # RFC 8292 allows 24 hours
_LAST_RECORD: Final = b"\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A browser's address and its keys, as its Push API gave them."""

    endpoint: str = field(repr=False)
    public: bytes = field(repr=False)  # `p256dh`
    auth: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends: the installation's own key and where its operators can be reached."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    contact: str  # mailto: or https:


def subscription_of(endpoint: object, p256dh: object, auth: object) -> Subscription:
    """What a browser sent as a subscription; raises Refused."""
    if not (isinstance(endpoint, str) and isinstance(p256dh, str) and isinstance(auth, str)):
        raise Refused(say("a subscription has an endpoint and the keys p256dh and auth"))
    public, secret = _decoded(p256dh), _decoded(auth)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        raise Refused(say("the key p256dh is not a point of P-256")) from None
    if len(public) != POINT_BYTES or len(secret) != AUTH_BYTES:
        raise Refused(say("the keys of the subscription have the wrong length"))
    return Subscription(endpoint=endpoint, public=public, auth=secret)


def require_subscription(subscription: Subscription, *, allow_private: bool) -> None:
    """Raise Refused unless messages may be posted to the subscription's endpoint."""
    require_url(subscription.endpoint, allow_private=allow_private)


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public half as browsers take it."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def send(
    subscription: Subscription,
    message: Mapping[str, Any],
    *,
    sender: Sender,
    topic: str,
    seconds: int,
    urgent: bool,
    now: datetime,
    allow_private: bool,
    trust: ssl.SSLContext | None = None,
) -> None:
    """Send `message` as JSON, to be kept for a browser that sleeps for at most `seconds`.

    A later message with the same `topic` replaces one that still waits. Raises CarrierError.
    """
    plain = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(max(0, seconds)),
        "Urgency": "high" if urgent else "normal",
        "Topic": topic,
        "Authorization": authorization(subscription.endpoint, sender, now=now),
    }
    body = encrypt(subscription, plain)
    post(subscription.endpoint, body, headers, allow_private=allow_private, trust=trust)


def encrypt(
    subscription: Subscription,
    plain: bytes,
    *,
    ephemeral: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """`plain` for the browser alone, as one record of aes128gcm (RFC 8291)."""
    if len(plain) > MOST_PLAIN:
        raise ValueError(f"a push message holds at most {MOST_PLAIN} bytes")
    ours = ephemeral or ec.generate_private_key(ec.SECP256R1())
    salt = salt or secrets.token_bytes(SALT_BYTES)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscription.public)
    shared = ours.exchange(ec.ECDH(), theirs)
    point = public_point(ours)
    info = b"WebPush: info\0" + subscription.public + point
    material = HKDF(SHA256(), 32, salt=subscription.auth, info=info).derive(shared)
    key = HKDF(SHA256(), 16, salt=salt, info=b"Content-Encoding: aes128gcm\0").derive(material)
    nonce = HKDF(SHA256(), 12, salt=salt, info=b"Content-Encoding: nonce\0").derive(material)
    head = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(point)]) + point
    return head + AESGCM(key).encrypt(nonce, plain + _LAST_RECORD, None)


def authorization(endpoint: str, sender: Sender, *, now: datetime) -> str:
    """The header that says who sends (RFC 8292): a token for this push service alone."""
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int(now.timestamp()) + TOKEN_SECONDS,
        "sub": sender.contact,
    }
    signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
    r, s = decode_dss_signature(sender.key.sign(signed.encode(), ec.ECDSA(SHA256())))
    mark = encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={signed}.{mark}, k={encoded(public_point(sender.key))}"


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """What base64url says, with or without padding; raises Refused."""
    try:
        plain = text.rstrip("=").encode("ascii")
        return base64.b64decode(plain + b"=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Refused(say("the keys of the subscription are not base64url")) from None


def _json(value: Mapping[str, Any]) -> str:
    return encoded(json.dumps(value, separators=(",", ":")).encode())
