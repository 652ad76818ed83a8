"""Who is calling: bearer tokens, verified against the rows, remembered for one gate epoch.

Every revocation and every change of an agent bumps the gate's epoch, and a remembered principal
counts for the current epoch only; so a revoked token is refused from the next request on. What is
no token is remembered as well, for as long, so that asking again costs nothing. Secrets are hashed
on arrival: they are neither kept nor logged.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from django.db.models import Q

from mcpbridge import approvals_gateway as gateway
from mcpbridge import conf
from mcpbridge.calls.principal import Principal
from mcpbridge.models import AgentToken
from mcpbridge.server.wire import Headers, Refused, header

SCOPE: Final = "mcp"
METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/=-]{16,512})\Z")
_REMEMBERED: Final = 10_000
_USED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Verified:
    """A live token's agent, and what the token is good for."""

    principal: Principal
    audience: str
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NotLive:
    """Why a token opens nothing: unknown, revoked, or of a disabled agent."""

    why: str


type Found = Verified | NotLive


class Authenticator:
    """Verifies bearer tokens. Thread-safe; `read` and `note_use` ask the database, and block."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[bytes, Verified] = OrderedDict()
        self._not_live: OrderedDict[bytes, NotLive] = OrderedDict()
        self._epoch = -1
        self._used: OrderedDict[bytes, datetime] = OrderedDict()

    def read(self, digests: Collection[bytes]) -> dict[bytes, Found]:
        """What the rows say about the tokens of these digests: one query, whatever their number.

        The epoch is read before the rows, and what was found is remembered for it.
        """
        epoch = gateway.epoch()
        tokens = AgentToken.objects.select_related("agent").filter(digest__in=list(digests))
        rows = {bytes(token.digest): token for token in tokens}
        found = {digest: _found(rows.get(digest), epoch) for digest in digests}
        self._remember(found, epoch)
        return found

    def recall(self, *, digest: bytes, endpoint: str, epoch: int) -> Principal | None:
        """The agent behind a token from memory alone, for an `epoch` read for this request.

        None when the rows have to be asked or written. Raises Refused like `check`.
        """
        found = self._remembered(digest, epoch)
        now = datetime.now(UTC)
        if found is None or (isinstance(found, Verified) and self.use_is_due(digest, now)):
            return None
        return check(found, endpoint, now)

    def believed(self, *, digest: bytes, endpoint: str, epoch: int | None) -> Principal | None:
        """As `recall`, for an `epoch` that was read some time ago; None for any other one.

        Good only for what compares the epoch in the transaction that records it.
        """
        now = datetime.now(UTC)
        with self._lock:
            found = self._known.get(digest) if epoch == self._epoch else None
            if found is None or self._is_due(digest, now):
                return None
        try:
            return check(found, endpoint, now)
        except Refused:
            return None  # a refusal is told by the rows of now

    def _remembered(self, digest: bytes, epoch: int) -> Found | None:
        with self._lock:
            self._turn_to(epoch)
            return self._known.get(digest) or self._not_live.get(digest)

    def _remember(self, found: Mapping[bytes, Found], epoch: int) -> None:
        with self._lock:
            self._turn_to(epoch)
            if epoch != self._epoch:
                return  # the gate has moved on since
            for digest, what in found.items():
                if isinstance(what, Verified):
                    _put(self._known, digest, what)
                else:
                    # A place of their own: whoever makes up tokens pushes no live one out.
                    _put(self._not_live, digest, what)

    def _turn_to(self, epoch: int) -> None:
        if epoch > self._epoch:
            self._known.clear()
            self._not_live.clear()
            self._epoch = epoch

    def use_is_due(self, digest: bytes, now: datetime) -> bool:
        """Whether a minute has gone by since a use of this token was recorded."""
        with self._lock:
            return self._is_due(digest, now)

    def _is_due(self, digest: bytes, now: datetime) -> bool:
        last = self._used.get(digest)
        return last is None or now - last >= _USED_EVERY

    def note_use(self, digest: bytes, now: datetime) -> None:
        """Record about once a minute that the token is in use."""
        with self._lock:
            if not self._is_due(digest, now):
                return
            _put(self._used, digest, now)
        AgentToken.objects.filter(
            Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - _USED_EVERY), digest=digest
        ).update(last_used_at=now)


def _put[V](memory: OrderedDict[bytes, V], digest: bytes, value: V) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _found(token: AgentToken | None, epoch: int) -> Found:
    """What a token's row, read after that epoch was, says about it."""
    if token is None or token.revoked_at is not None:
        return NotLive("the token is not known here, or was revoked")
    agent = token.agent
    if not agent.enabled:
        return NotLive(f"the agent {agent.name!r} is disabled")
    return Verified(
        principal=Principal(
            agent_id=agent.pk,
            agent_name=agent.name,
            token_id=token.pk,
            team_id=agent.team_id,
            person_id=agent.owner_id,
            gate_epoch=epoch,
            hold_seconds=agent.hold_seconds,
            grace_seconds=agent.grace_seconds,
            max_open_tickets=agent.max_open_tickets,
        ),
        audience=token.audience,
        scopes=frozenset(str(scope) for scope in token.scopes),
        expires_at=token.expires_at,
    )


def protected_resource(path: str) -> dict[str, object] | None:
    """The metadata document (RFC 9728) of the endpoint that `path` names; None for no endpoint."""
    endpoint = path.removeprefix(METADATA_PATH).rstrip("/") or "/mcp"
    if endpoint != "/mcp" and not endpoint.startswith("/mcp/u/"):
        return None
    return {
        "resource": conf.public_url() + endpoint,
        "resource_name": "Placet",
        "bearer_methods_supported": ["header"],
        "scopes_supported": [SCOPE],
    }


def check(found: Found, endpoint: str, now: datetime) -> Principal:
    """The agent, if its token is good for `endpoint` (a path of ours) now.

    Raises Refused: 401 without a live token for this endpoint, 403 without its scope.
    """
    if isinstance(found, NotLive):
        raise _unauthorized(endpoint, found.why)
    if found.expires_at <= now:
        raise _unauthorized(endpoint, "the token has expired")
    if not _is_meant_for(found.audience, endpoint):
        raise _unauthorized(endpoint, "the token was issued for another resource")
    if SCOPE not in found.scopes:  # a token without any scope opens nothing
        raise _forbidden(endpoint)
    return found.principal


def token_digest(headers: Headers, endpoint: str) -> bytes:
    """The digest of the bearer token that a request shows. Raises Refused (401) without one."""
    given = header(headers, "authorization")
    if given is None:
        raise Refused(
            401,
            "a bearer token is needed: Authorization: Bearer …",
            headers={"WWW-Authenticate": _challenge(endpoint)},
        )
    found = _BEARER.match(given)
    if not found:
        raise _unauthorized(
            endpoint,
            "the Authorization header is not Bearer and a whole token, as it was shown when issued",
        )
    return hashlib.sha256(found[1].encode("ascii")).digest()


def _is_meant_for(audience: str, endpoint: str) -> bool:
    """Whether a token for `audience` opens `endpoint`: the same URL, or one that lies above it."""
    if not audience:
        return True
    wanted = audience.rstrip("/")
    here = conf.public_url() + endpoint
    return here == wanted or (here.startswith(wanted + "/") and wanted.endswith("/mcp"))


def _challenge(endpoint: str, *, error: str = "", description: str = "") -> str:
    fields = {
        "resource_metadata": conf.public_url() + METADATA_PATH + endpoint,
        "scope": SCOPE,
        "error": error,
        "error_description": description,
    }
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in fields.items() if value)


def _unauthorized(endpoint: str, why: str) -> Refused:
    description = "".join(c for c in why if c.isascii() and c.isprintable() and c not in '"\\')
    challenge = _challenge(endpoint, error="invalid_token", description=description)
    return Refused(401, why, headers={"WWW-Authenticate": challenge})


def _forbidden(endpoint: str) -> Refused:
    challenge = _challenge(endpoint, error="insufficient_scope")
    return Refused(
        403, f"the token lacks the scope {SCOPE!r}", headers={"WWW-Authenticate": challenge}
    )
