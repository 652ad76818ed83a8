"""The installation's three keys: given by the environment, or made once into the data folder.

Knows files and bytes only. A key file is made with mode 0600 and appears under its name complete or
not at all, so that several processes may start at the same moment and all read the same key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 32
SECRET_MIN_CHARACTERS = 32


class KeyRefused(Exception):
    """A key cannot be used; the message names the variable or the file, never the key."""


@dataclass(frozen=True, repr=False)
class Keys:
    """`secret` signs sessions, `sealing` seals payload rows, `checkpoint` is an Ed25519 seed."""

    secret: str
    sealing: bytes
    checkpoint: bytes

    @property
    def sealing_id(self) -> str:
        """A name for the sealing key that gives nothing of it away; sealed rows carry it."""
        return hashlib.sha256(b"placet:sealing-key-id\0" + self.sealing).hexdigest()[:12]

    @property
    def broker_password(self) -> str:
        """What the embedded broker asks of whoever reaches its socket."""
        return self.derive("embedded-broker").hex()

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for `purpose`, from the sealing key (HKDF-Expand, RFC 5869)."""
        return hmac.digest(self.sealing, f"placet:{purpose}".encode() + b"\x01", "sha256")


def read_keys(variables: Mapping[str, str], data_dir: Path) -> Keys:
    """The keys from `variables`, each missing one from (or newly made in) ``<data_dir>/keys``."""
    secret = _from_variable_or_file(variables, data_dir, "PLACET_SECRET_KEY", "secret.key")
    if len(secret) < SECRET_MIN_CHARACTERS:
        raise KeyRefused(
            f"PLACET_SECRET_KEY is too short; expected at least {SECRET_MIN_CHARACTERS} characters."
        )
    sealing = _from_variable_or_file(variables, data_dir, "PLACET_SEALING_KEY", "sealing.key")
    checkpoint = _from_variable_or_file(
        variables, data_dir, "PLACET_CHECKPOINT_KEY", "checkpoint.key"
    )
    return Keys(
        secret=secret,
        sealing=_decode("PLACET_SEALING_KEY", sealing),
        checkpoint=_decode("PLACET_CHECKPOINT_KEY", checkpoint),
    )


def make_private_folder(folder: Path) -> None:
    """Make `folder` (and its parents) readable by its owner only; refuse one that is not ours."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise KeyRefused(f"The folder {folder} cannot be made: {error.strerror}.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise KeyRefused(f"{folder} must be a folder that belongs to the user who runs Placet.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def _from_variable_or_file(
    variables: Mapping[str, str], data_dir: Path, variable: str, file_name: str
) -> str:
    given = variables.get(variable, "").strip()
    if given:
        return given
    folder = data_dir / "keys"
    path = folder / file_name
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private_folder(folder)
            _create_once(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)))
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyRefused(
            f"{variable} is unset and {path} can be neither read nor made ({error}); "
            f"set {variable} or make PLACET_DATA_DIR writable."
        ) from error


def _create_once(path: Path, content: bytes) -> None:
    """Make `path` with `content` unless somebody else was first."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return  # another process made the key first; everybody reads that one
    finally:
        draft.unlink()


def _decode(variable: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyRefused(f"{variable} is not usable; expected {KEY_BYTES} bytes in base64.")
    return key
