"""Secrets of rows that are no evidence: sealed in the row itself, and gone with it.

AES-256-GCM under a key derived from the installation's sealing key for one purpose; the row's own
key is bound in, so that a sealed value cannot be moved to another row.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from approvals import conf

NONCE_BYTES: Final = 12


class SecretUnreadable(Exception):
    """The sealed value does not open with any sealing key of this installation."""


def lock(purpose: str, row: str, plain: bytes) -> bytes:
    """The sealed form: length and name of the key, nonce, ciphertext with its tag."""
    key_id, key = next(iter(conf.sealing_keys().items()))
    nonce, name = secrets.token_bytes(NONCE_BYTES), key_id.encode("ascii")
    sealed = AESGCM(_key(key, purpose)).encrypt(nonce, plain, _bound(purpose, row))
    return bytes([len(name)]) + name + nonce + sealed


def unlock(purpose: str, row: str, sealed: bytes | memoryview | None) -> bytes:
    """What was sealed for this row and purpose; raises SecretUnreadable."""
    data = bytes(sealed or b"\0")
    name, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
    key = conf.sealing_keys().get(name.decode("ascii", "replace"))
    if key is None:
        raise SecretUnreadable("it was sealed with a key that this installation does not have")
    try:
        return AESGCM(_key(key, purpose)).decrypt(
            rest[:NONCE_BYTES], rest[NONCE_BYTES:], _bound(purpose, row)
        )
    except (InvalidTag, ValueError):
        raise SecretUnreadable("it was changed, or belongs to another row") from None


def fingerprint(purpose: str, plain: bytes) -> bytes:
    """The same 32 bytes for the same value, from which it cannot be guessed without our key."""
    key = next(iter(conf.sealing_keys().values()))
    return hmac.digest(_key(key, f"{purpose}:fingerprint"), plain, "sha256")


def derived(purpose: str, *, size: int) -> bytes:
    """So many bytes of this installation's own for a purpose, always the same."""
    key = next(iter(conf.sealing_keys().values()))
    return HKDFExpand(SHA256(), length=size, info=f"placet:{purpose}".encode()).derive(key)


def _key(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"placet:{purpose}".encode() + b"\x01", hashlib.sha256)


def _bound(purpose: str, row: str) -> bytes:
    return f"placet:{purpose}:1\0{row}".encode()
