"""The secrets of an upstream (headers, environment, a model's key), sealed for its row.

AES-256-GCM under a key derived from the installation's sealing key; the upstream's id is bound
in, so that a sealed value cannot be moved to another upstream's row. Plain values appear in no
`repr`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcpbridge import conf

_NONCE_BYTES: Final = 12
_DOMAIN: Final = b"placet:upstream-secrets:1\0"


class SecretsUnreadable(Exception):
    """The sealed secrets cannot be opened with any sealing key of this installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What an upstream is given and nobody is shown."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    sampling_key: str = field(default="", repr=False)  # of the endpoint that answers sampling

    def __bool__(self) -> bool:
        return bool(self.headers or self.environment or self.sampling_key)


def seal_secrets(upstream_id: UUID, secrets: Secrets) -> bytes:
    """The sealed form: length and name of the key, nonce, ciphertext with its tag."""
    key_id, key = next(iter(conf.sealing_keys().items()))
    kept: dict[str, object] = {
        "headers": dict(secrets.headers),
        "environment": dict(secrets.environment),
    }
    if secrets.sampling_key:
        kept["sampling_key"] = secrets.sampling_key
    plain = json.dumps(kept).encode()
    nonce, name = os.urandom(_NONCE_BYTES), key_id.encode("ascii")
    sealed = AESGCM(_derived(key)).encrypt(nonce, plain, _bound(upstream_id))
    return bytes([len(name)]) + name + nonce + sealed


def open_secrets(upstream_id: UUID, sealed: bytes | memoryview | None) -> Secrets:
    """The secrets in the clear; none where nothing is sealed. Raises SecretsUnreadable."""
    if sealed is None or not bytes(sealed):
        return Secrets()
    data = bytes(sealed)
    name, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
    key = conf.sealing_keys().get(name.decode("ascii", "replace"))
    if key is None:
        raise SecretsUnreadable(
            f"the secrets were sealed with key {name.decode('ascii', 'replace')!r}, which this"
            " installation does not have; restore that sealing key or enter the secrets again"
        )
    try:
        plain = AESGCM(_derived(key)).decrypt(
            rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(upstream_id)
        )
    except InvalidTag:
        raise SecretsUnreadable(
            "the sealed secrets do not open: they were changed, belong to another upstream, or"
            " the sealing key is not the one they were sealed with; enter them again"
        ) from None
    found = json.loads(plain)
    return Secrets(
        headers=found["headers"],
        environment=found["environment"],
        sampling_key=found.get("sampling_key", ""),
    )


def _bound(upstream_id: UUID) -> bytes:
    return _DOMAIN + upstream_id.bytes


def _derived(key: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=_DOMAIN).derive(key)
