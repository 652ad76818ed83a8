"""What the ledger is told by settings, typed; knows nothing of where settings come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
ABORT_SECONDS = 3  # for an executor to break off a call; a kill ends everything within 5


def sealing_keys() -> Mapping[str, bytes]:
    """Keys that seal payloads by key id (32 bytes each); the first one seals anew."""
    keys = getattr(settings, "APPROVALS_SEALING_KEYS", None)
    if not isinstance(keys, Mapping) or not keys:
        raise ImproperlyConfigured(
            "APPROVALS_SEALING_KEYS must map at least one key id to 32 bytes."
        )
    for name, key in keys.items():
        if not isinstance(key, bytes) or len(key) != KEY_BYTES:
            raise ImproperlyConfigured(f"APPROVALS_SEALING_KEYS[{name!r}] must be 32 bytes.")
    return keys


def checkpoint_key() -> bytes:
    """The Ed25519 seed (32 bytes) that signs checkpoints."""
    return _key("APPROVALS_CHECKPOINT_KEY")


def repeat_key() -> bytes:
    """The key (32 bytes) under which arguments become repeat keys."""
    return _key("APPROVALS_REPEAT_KEY")


def lease_seconds() -> float:
    """How long an executor's claim lives without being renewed."""
    return _seconds("APPROVALS_LEASE_SECONDS", 30)


def holder_lease_seconds() -> float:
    """How long a web process counts as holding its requests without saying so again."""
    return _seconds("APPROVALS_HOLDER_LEASE_SECONDS", 10)


def handover_seconds() -> float:
    """How long a handed-over ticket waits for its agent to come back."""
    return _seconds("APPROVALS_HANDOVER_SECONDS", 600)


def delivery_window_seconds() -> float:
    """How long an outcome that nobody got is kept for the first repeat."""
    return _seconds("APPROVALS_DELIVERY_WINDOW_SECONDS", 600)


def retention_days() -> float:
    """After how many days the payloads of ended tickets are purged."""
    return _seconds("APPROVALS_RETENTION_DAYS", 30)


def one_person() -> bool:
    """Whether the owner of an agent may approve its calls: there is nobody else."""
    return getattr(settings, "APPROVALS_ONE_PERSON", False) is True


def passkey_origin() -> str:
    """The one origin at which passkeys are used, such as https://placet.example.org; or nothing."""
    return str(getattr(settings, "APPROVALS_PASSKEY_ORIGIN", ""))


def public_url() -> str:
    """The origin under which people reach the pages, without a slash at its end."""
    return str(getattr(settings, "PLACET_PUBLIC_URL", "")).rstrip("/")


def tell_private() -> bool:
    """Whether people's own channels may reach private addresses."""
    return getattr(settings, "APPROVALS_TELL_PRIVATE", False) is True


def sweep_seconds() -> float:
    """The pause between two sweeps of one worker."""
    return _seconds("APPROVALS_SWEEP_SECONDS", 1)


def checkpoint_seconds() -> float:
    """The pause between two checkpoints."""
    return _seconds("APPROVALS_CHECKPOINT_SECONDS", 5)


def checkpoint_export_dir() -> Path | None:
    """The folder that gets a copy of every checkpoint, best on another machine; None: no copy."""
    folder = getattr(settings, "APPROVALS_CHECKPOINT_EXPORT_DIR", None)
    return Path(folder) if folder else None


def _key(name: str) -> bytes:
    key = getattr(settings, name, None)
    if not isinstance(key, bytes) or len(key) != KEY_BYTES:
        raise ImproperlyConfigured(f"{name} must be {KEY_BYTES} bytes.")
    return key


def _seconds(name: str, default: float) -> float:
    value = getattr(settings, name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ImproperlyConfigured(f"{name} must be a positive number, not {value!r}.")
    return value
