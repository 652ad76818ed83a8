"""Logs: JSON lines, one record a line, secrets struck out, correlated by ticket id and trace id.

Knows the logging module only. Whoever logs may pass ``extra={"ticket": …}``; the two context
variables fill in what a record does not say itself.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

TICKET: ContextVar[str] = ContextVar("placet_log_ticket", default="")
TRACE: ContextVar[str] = ContextVar("placet_log_trace", default="")

STRUCK_OUT = "[redacted]"
MESSAGE_CHARACTERS = 8_000
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\b")

# Strangers write parts of messages (a path that is not found), so every pattern runs in time
# linear in the text: a name is looked at once from its start, and taken whole or not at all.
_SENSITIVE_NAME = (
    r"(?:(?=[a-z0-9_-]*?(?:password|passwd|secret|token|api[_-]?key|sealing[_-]?key"
    r"|private[_-]?key|credential|authorization|cookie|sessionid|csrf))[a-z0-9_-]++)"
)
_PATTERNS = (
    re.compile(r"(?i)\b(?:set-)?cookie[\"']?\s*[=:]\s*[^\r\n]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+(?!\[)[\w.~+/=-]{6,}"),
    re.compile(r"(?i)(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
    re.compile(
        rf"(?i)(?<=[\"'\s?&,{{(]){_SENSITIVE_NAME}[\"']?\s*[=:]\s*(?:\"[^\"]*\"|'[^']*'|[^\s,;&}})]+)"
    ),
    re.compile(rf"(?i)^{_SENSITIVE_NAME}\s*[=:]\s*\S+"),
    re.compile(r"\bplacet_[A-Za-z0-9_-]{16,}"),
    re.compile(
        r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abposr]-[A-Za-z0-9-]{10,}|\bAKIA[A-Z0-9]{16}\b"
    ),
    re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
)
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "ticket",
    "trace_id",
}


def redact(text: str) -> str:
    """`text` with everything struck out that looks like a secret."""
    for pattern in _PATTERNS:
        text = pattern.sub(_strike, text)
    return text


def _strike(match: re.Match[str]) -> str:
    """Keep the name in front of a struck-out value, so that a reader knows what was there."""
    named = re.match(r"[\w-]+[\"']?\s*[=:]\s*", match[0])
    return (named[0] if named else "") + STRUCK_OUT


def trace_id(traceparent: str) -> str:
    """The trace id of a W3C ``traceparent`` header; empty when it is malformed."""
    match = TRACEPARENT.match(traceparent)
    return match[1] if match else ""


class JsonLines(logging.Formatter):
    """One record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Render `record`; whatever else was passed as ``extra`` becomes a field of its own."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage())[:MESSAGE_CHARACTERS],
        }
        if ticket := str(getattr(record, "ticket", "") or TICKET.get()):
            line["ticket"] = ticket
        if trace := str(getattr(record, "trace_id", "") or TRACE.get()):
            line["trace_id"] = trace
        for name, value in vars(record).items():
            if name not in _ORDINARY and isinstance(value, str | int | float | bool):
                shown = redact(f"{name}={value}").partition("=")[2]
                line[name] = value if shown == str(value) else shown
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))[-MESSAGE_CHARACTERS:]
        # DEL is the one control character that JSON leaves as it is.
        return json.dumps(line, ensure_ascii=True).replace("\x7f", "\\u007f")


def logging_config(*, level: str) -> dict[str, Any]:
    """The dictionary for Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "placet.logs.JsonLines"}},
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": level},
        "loggers": {
            "django.server": {"handlers": [], "propagate": True},
            "django": {"handlers": [], "level": level, "propagate": True},
            "asyncio": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "mcp": {"level": "WARNING"},
        },
    }
