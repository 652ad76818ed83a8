"""The policy enforcement point: every call passes here, and nothing is let past by default."""

from mcpbridge.executor.allowed import Allowed
from mcpbridge.pep.answers import Answer, Denied, Paused, Unavailable, is_on_record
from mcpbridge.pep.enforcement import enforce
from mcpbridge.pep.requests import RequestRefused, enforce_request

__all__ = [
    "Allowed",
    "Answer",
    "Denied",
    "Paused",
    "RequestRefused",
    "Unavailable",
    "enforce",
    "enforce_request",
    "is_on_record",
]
