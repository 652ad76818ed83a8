"""Who answers an upstream's questions, read from what a row keeps. Pure.

The one place that says which mode a kind of question may have, and what an endpoint may look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from mcpbridge.upstream.questions import Endpoint, Kind, Mode, QuestionPolicy

MAX_ROOTS: Final = 64
MAX_SIZE: Final = 64 * 1024 * 1024
MODES: Final[Mapping[Kind, tuple[Mode, ...]]] = MappingProxyType(
    {
        Kind.SAMPLING: (Mode.REFUSE, Mode.AGENT, Mode.PERSON, Mode.ENDPOINT),
        Kind.ELICITATION: (Mode.REFUSE, Mode.AGENT, Mode.PERSON),
        Kind.ROOTS: (Mode.REFUSE, Mode.AGENT, Mode.FIXED),
    }
)


class BadQuestions(ValueError):
    """The configuration of questions cannot be used; the message says where and what is right."""


def read_policy(plain: Mapping[str, Any], *, api_key: str = "") -> QuestionPolicy:
    """The policy from what a row keeps. Raises BadQuestions."""
    known = {*(kind.value for kind in Kind), "fixed_roots", "endpoint"}
    if unknown := sorted(set(plain) - known):
        raise BadQuestions(f"questions has no {unknown[0]!r}; it has {', '.join(sorted(known))}")
    modes = {kind: _mode(kind, plain.get(kind.value, Mode.REFUSE.value)) for kind in Kind}
    policy = QuestionPolicy(
        sampling=modes[Kind.SAMPLING],
        elicitation=modes[Kind.ELICITATION],
        roots=modes[Kind.ROOTS],
        fixed_roots=_roots(plain.get("fixed_roots", ())),
        endpoint=_endpoint(plain.get("endpoint"), api_key),
    )
    if policy.sampling is Mode.ENDPOINT and policy.endpoint is None:
        raise BadQuestions("questions.endpoint must name a URL and its models for this mode")
    return policy


def _mode(kind: Kind, given: object) -> Mode:
    allowed = MODES[kind]
    if given not in [mode.value for mode in allowed]:
        raise BadQuestions(
            f"questions.{kind.value} must be one of {', '.join(allowed)}, not {given!r}"
        )
    return Mode(str(given))


def _roots(given: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, list | tuple) or len(given) > MAX_ROOTS:
        raise BadQuestions(f"questions.fixed_roots must be a list of at most {MAX_ROOTS} roots")
    roots = []
    for root in given:
        uri, name = (root.get("uri"), root.get("name", "")) if isinstance(root, dict) else (0, 0)
        if not isinstance(uri, str) or not uri.startswith("file://") or not isinstance(name, str):
            raise BadQuestions(
                "questions.fixed_roots takes {uri: file:///srv/data, name: Data}, "
                f"not {str(root)[:80]!r}"
            )
        roots.append((uri, name))
    return tuple(roots)


def _endpoint(given: object, api_key: str) -> Endpoint | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise BadQuestions("questions.endpoint must be an object with url and models")
    sizes = ("max_tokens", "prompt_bytes", "answer_bytes", "per_minute")
    known = {"url", "models", "seconds", "allow_private_addresses", *sizes}
    if unknown := sorted(set(given) - known):
        raise BadQuestions(
            f"questions.endpoint has no {unknown[0]!r}; it has {', '.join(sorted(known))}"
        )
    url, models = given.get("url"), given.get("models")
    if not isinstance(url, str) or not _is_usable(url):
        raise BadQuestions(
            "questions.endpoint.url must be an http:// or https:// address without user, query or "
            "fragment, as in http://127.0.0.1:11434/v1"
        )
    if (
        not isinstance(models, list | tuple)
        or not models
        or not all(isinstance(model, str) and 0 < len(model) <= 200 for model in models)
    ):
        raise BadQuestions("questions.endpoint.models must name at least one model")
    for name in sizes:
        size = given.get(name, 1)
        if type(size) is not int or not 1 <= size <= MAX_SIZE:
            raise BadQuestions(f"questions.endpoint.{name} must be a whole number from 1 on")
    seconds = given.get("seconds", 60.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 600:
        raise BadQuestions("questions.endpoint.seconds must be above 0 and at most 600")
    if not isinstance(given.get("allow_private_addresses", False), bool):
        raise BadQuestions("questions.endpoint.allow_private_addresses is true or false")
    return Endpoint(**{**given, "models": tuple(models)}, api_key=api_key)


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    named = bool(parts.hostname) and parts.username is None and parts.password is None
    plain = not parts.query and not parts.fragment and len(url) <= 500
    return parts.scheme in ("http", "https") and named and plain and port_is_readable
