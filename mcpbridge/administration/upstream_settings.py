"""What an admin sets of an upstream, and which of it is refused before anything is written.

Knows nothing of rows; what the road out makes of the settings is checked by its own spec.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

from mcpbridge.administration.errors import Refused
from mcpbridge.approvals_gateway import say
from mcpbridge.models import Upstream
from mcpbridge.upstream.question_settings import BadQuestions, read_policy
from mcpbridge.upstream.spec import OVER_HTTP

MAX_URL: Final = 500
MAX_CWD: Final = 500
MAX_SECONDS: Final = 24 * 3600
PATHS: Final = ("read_paths", "write_paths")
FLAGS: Final = ("network", "accept_unsandboxed")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """Everything about an upstream that an admin sets, but for its secrets."""

    transport: str
    enabled: bool = True
    url: str = ""
    allow_private_addresses: bool = False
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    sandbox: Mapping[str, object] = field(default_factory=dict)
    per_agent: bool = False
    timeouts: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    questions: Mapping[str, object] = field(default_factory=dict)
    trust_annotations: bool = False
    pin_on_first_contact: bool = False
    team_ids: frozenset[UUID] = frozenset()


def check_settings(settings: UpstreamSettings) -> None:
    """Refuse what no upstream can have: the wrong transport's fields, sizes that are none."""
    if settings.transport not in Upstream.Transport.values:
        raise Refused(
            say(
                "the transport is http, sse or stdio, not {transport}", transport=settings.transport
            ),
            field="transport",
        )
    is_http = settings.transport in OVER_HTTP
    if is_http and (settings.command or settings.cwd or settings.environment):
        raise Refused(
            say("a command, its folder and its variables belong to a stdio upstream"),
            field="command",
        )
    if not is_http and settings.url:
        raise Refused(say("an address belongs to an http upstream"), field="url")
    for name, value, most in (("url", settings.url, MAX_URL), ("cwd", settings.cwd, MAX_CWD)):
        if len(value) > most:
            raise Refused(
                say("{name} may have {most} characters", name=name, most=most), field=name
            )
    if settings.cwd and not _is_absolute(settings.cwd):
        raise Refused(say("cwd must be an absolute path, not {cwd}", cwd=settings.cwd), field="cwd")
    _check_sandbox(settings.sandbox)
    try:
        read_policy(settings.questions)
    except BadQuestions as wrong:
        raise Refused(str(wrong), field="questions") from None
    for key, seconds in settings.timeouts.items():
        if not _is_number(seconds) or not 0 < seconds <= MAX_SECONDS:
            raise Refused(
                say(
                    "timeouts.{key} must be seconds, above 0 and at most {most}",
                    key=key,
                    most=MAX_SECONDS,
                ),
                field="timeouts",
            )
    for key, cap in settings.caps.items():
        if not _is_whole(cap):
            raise Refused(say("caps.{key} must be a whole number from 1 on", key=key), field="caps")


def _check_sandbox(sandbox: Mapping[str, object]) -> None:
    for key, value in sandbox.items():
        if key in PATHS:
            for path in value if isinstance(value, list | tuple) else [value]:
                if not isinstance(path, str) or not _is_absolute(path):
                    raise Refused(
                        say(
                            "{key} takes absolute paths, as in /srv/data, not {path}",
                            key=key,
                            path=path,
                        ),
                        field=key,
                    )
        elif key in FLAGS:
            if not isinstance(value, bool):
                raise Refused(say("sandbox.{key} is true or false", key=key), field=key)
        elif not _is_whole(value):
            raise Refused(
                say("sandbox.{key} must be a whole number from 1 on", key=key), field="sandbox"
            )


def _is_absolute(path: str) -> bool:
    return "\0" not in path and PurePosixPath(path).is_absolute()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
