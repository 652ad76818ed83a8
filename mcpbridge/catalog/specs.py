"""From an upstream's row to the plain description that the road out works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from mcpbridge.catalog.secrets import Secrets, open_secrets
from mcpbridge.models import Upstream
from mcpbridge.upstream.question_settings import BadQuestions, read_policy
from mcpbridge.upstream.questions import QuestionPolicy
from mcpbridge.upstream.spec import (
    OVER_HTTP,
    BadUpstreamSpec,
    Caps,
    SandboxProfile,
    Timeouts,
    Transport,
    UpstreamSpec,
)

_TRANSPORTS: Final[Mapping[str, Transport]] = {"http": "http", "sse": "sse", "stdio": "stdio"}


def spec_of(upstream: Upstream) -> UpstreamSpec:
    """The row as a spec, secrets opened. Raises BadUpstreamSpec or SecretsUnreadable."""
    secrets = open_secrets(upstream.id, upstream.sealed_secrets)
    return UpstreamSpec(
        id=str(upstream.id),
        name=upstream.name,
        transport=_TRANSPORTS.get(upstream.transport, "stdio"),
        url=upstream.url if upstream.transport in OVER_HTTP else None,
        command=tuple(upstream.command),
        env=dict(upstream.environment),
        secret_env=dict(secrets.environment),
        cwd=upstream.cwd or None,
        sandbox=SandboxProfile(**_known(SandboxProfile, upstream.sandbox, upstream.name)),
        timeouts=Timeouts(**_known(Timeouts, upstream.timeouts, upstream.name)),
        caps=Caps(**_known(Caps, upstream.caps, upstream.name)),
        headers=dict(secrets.headers),
        credential_id=str(upstream.credential_id) if upstream.credential_id else None,
        allow_private_addresses=upstream.allow_private_addresses,
        per_agent_scope=upstream.per_agent,
        questions=_questions(upstream, secrets),
    )


def _questions(upstream: Upstream, secrets: Secrets) -> QuestionPolicy:
    try:
        return read_policy(upstream.questions, api_key=secrets.sampling_key)
    except BadQuestions as wrong:
        raise BadUpstreamSpec(f"upstream {upstream.name!r}: {wrong}") from None


def _known(
    kind: type[SandboxProfile | Timeouts | Caps], found: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """The stored fields with lists as tuples; a field that `kind` does not have is refused."""
    known = {field.name for field in fields(kind)}
    for key in found:
        if key not in known:
            raise BadUpstreamSpec(
                f"upstream {name!r}: {kind.__name__} has no field {key!r}; it has "
                + ", ".join(sorted(known))
            )
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
