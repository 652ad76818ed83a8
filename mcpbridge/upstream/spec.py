"""What an upstream is, as plain data: where it lives, what it may use, how long it may take.

Nothing here touches the network, the database or a process. Secrets may pass through (`headers`,
`secret_env`) but never appear in a `repr` and never enter the configuration digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

from mcpbridge.upstream.questions import QuestionPolicy

MIB = 1024 * 1024
Transport = Literal["http", "sse", "stdio"]
OVER_HTTP: Final[frozenset[str]] = frozenset({"http", "sse"})
DIGEST_DOMAIN = b"placet:upstream-configuration:1\0"
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,8192}")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class BadUpstreamSpec(ValueError):
    """The upstream's configuration cannot be used."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `first_byte` ends with the response headers, `total` with the answer's last byte."""

    connect: float = 5.0
    first_byte: float = 120.0
    total: float = 300.0


@dataclass(frozen=True)
class Caps:
    """How much one upstream may make us hold."""

    result_bytes: int = 8 * MIB
    line_bytes: int = 8 * MIB
    notifications: int = 1000
    tools: int = 2000


@dataclass(frozen=True)
class SandboxProfile:
    """What a stdio server may touch. Paths are absolute; write access implies read access.

    `accept_unsandboxed`: an admin lets it run even where none of this can be enforced.
    """

    network: bool = False
    accept_unsandboxed: bool = False
    read_paths: tuple[str, ...] = ()
    write_paths: tuple[str, ...] = ()
    memory_bytes: int = 2048 * MIB
    processes: int = 64
    files: int = 256
    file_bytes: int = 256 * MIB


@dataclass(frozen=True)
class UpstreamSpec:
    """One configured upstream. `env` is shown to admins and bound; `secret_env` only by name."""

    id: str
    name: str
    transport: Transport
    url: str | None = None
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    secret_env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    cwd: str | None = None
    sandbox: SandboxProfile = field(default_factory=SandboxProfile)
    timeouts: Timeouts = field(default_factory=Timeouts)
    caps: Caps = field(default_factory=Caps)
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    credential_id: str | None = None
    allow_private_addresses: bool = False
    per_agent_scope: bool = False
    questions: QuestionPolicy = field(default_factory=QuestionPolicy)

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise BadUpstreamSpec(
                    f"upstream {self.name!r}: the header {name!r} cannot be sent: a name is made "
                    "of letters, digits and hyphens, a value of printable ASCII"
                )
        if self.transport in OVER_HTTP:
            _check_url(self.name, self.url)
        elif self.transport == "stdio":
            if not self.command or not all(self.command):
                raise BadUpstreamSpec(
                    f"upstream {self.name!r}: a stdio upstream needs a command, "
                    "given as a list of non-empty words"
                )
            if any("\0" in word for word in (*self.command, *self.env, *self.env.values())):
                raise BadUpstreamSpec(
                    f"upstream {self.name!r}: NUL is not possible in a command or its environment"
                )
        else:
            raise BadUpstreamSpec(
                f"upstream {self.name!r}: transport {self.transport!r} is unknown; "
                "it is 'http', 'sse' or 'stdio'"
            )


def _check_url(name: str, url: str | None) -> None:
    try:
        parts = urlsplit(url or "")
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError as error:
        raise BadUpstreamSpec(f"upstream {name!r}: the URL cannot be read: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_readable:
        raise BadUpstreamSpec(
            f"upstream {name!r}: the URL must be http:// or https:// with a host, not {url!r}"
        )
    if parts.username is not None or parts.password is not None:
        raise BadUpstreamSpec(
            f"upstream {name!r}: credentials do not belong in the URL; store them as a credential"
        )
    if parts.fragment:
        raise BadUpstreamSpec(f"upstream {name!r}: the URL must not carry a #fragment")


def config_digest(spec: UpstreamSpec) -> bytes:
    """Return SHA-256 over what a call's meaning rests on; an approval binds it.

    Covers URL or command, environment, working folder, credential id, sandbox and scope, and who
    answers its questions where anybody does. Secret values and limits (timeouts, caps) are left
    out: rotating a key does not void an approval.
    """
    bound = {
        "transport": spec.transport,
        "url": spec.url if spec.transport in OVER_HTTP else None,
        "command": list(spec.command),
        "env": dict(spec.env),
        "secret_env": sorted(spec.secret_env),
        "headers": sorted(name.lower() for name in spec.headers),
        "cwd": spec.cwd,
        "credential_id": spec.credential_id,
        "sandbox": {
            "network": spec.sandbox.network,
            "read_paths": sorted(spec.sandbox.read_paths),
            "write_paths": sorted(spec.sandbox.write_paths),
            "memory_bytes": spec.sandbox.memory_bytes,
            "processes": spec.sandbox.processes,
            "files": spec.sandbox.files,
            "file_bytes": spec.sandbox.file_bytes,
            **({"accept_unsandboxed": True} if spec.sandbox.accept_unsandboxed else {}),
        },
        "allow_private_addresses": spec.allow_private_addresses,
        "per_agent_scope": spec.per_agent_scope,
    }
    if (questions := spec.questions.bound()) is not None:
        bound["questions"] = questions
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(DIGEST_DOMAIN + text.encode("ascii")).digest()
