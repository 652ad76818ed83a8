"""A whole configuration as a file would say it, and applying it."""

import copy
from typing import Any, Protocol

import pytest

from mcpbridge.configuration import Report, apply_document, parse_document

ENVIRONMENT = {"BOB_PASSWORD": "a long enough password", "FILES_TOKEN": "Bearer s3cret"}

WHOLE: dict[str, Any] = {
    "users": [
        {"email": "dora@example.test", "name": "Dora", "admin": True},
        {"email": "alice@example.test", "name": "Alice"},
        {"email": "bob@example.test", "name": "Bob", "password_env": "BOB_PASSWORD"},
        {"email": "bobby@example.test", "same_person_as": "bob@example.test"},
    ],
    "groups": [{"name": "reviewers", "title": "Reviewers", "members": ["bob@example.test"]}],
    "teams": [
        {
            "name": "ops",
            "title": "Operations",
            "members": ["alice@example.test", "bobby@example.test"],
            "reviewers": "reviewers",
        }
    ],
    "upstreams": [
        {
            "name": "files",
            "transport": "http",
            "url": "https://files.example.test/mcp",
            "headers_env": {"Authorization": "FILES_TOKEN"},
            "timeouts": {"total": 20},
            "teams": ["ops"],
        },
        {
            "name": "git",
            "transport": "stdio",
            "command": ["git-server", "--all"],
            "environment": {"LANG": "C"},
            "cwd": "/srv",
            "sandbox": {"write_paths": ["/srv/repository"], "processes": 8},
            "per_agent": True,
            "enabled": False,
        },
    ],
    "tools": [
        {
            "upstream": "files",
            "name": "read_file",
            "definition": {"name": "read_file", "inputSchema": {"type": "object"}},
            "idempotent": True,
            "max_attempts": 2,
        }
    ],
    "agents": [
        {
            "name": "robo",
            "owner": "alice@example.test",
            "team": "ops",
            "hold_seconds": 20,
            "max_open_tickets": 5,
        }
    ],
    "policy": {
        "rules": [
            {"name": "reading", "tool": "read_*", "effect": "allow"},
            {
                "name": "the rest",
                "effect": "require_approval",
                "obligations": {"groups": ["reviewers"], "approval_seconds": 90},
            },
        ]
    },
}


def whole() -> dict[str, Any]:
    """A configuration of its own to change."""
    return copy.deepcopy(WHOLE)


class Apply(Protocol):
    def __call__(self, plain: object, *, dry_run: bool = False) -> Report: ...


@pytest.fixture
def apply(db: None) -> Apply:
    def applied(plain: object, *, dry_run: bool = False) -> Report:
        return apply_document(
            parse_document(plain), environment=ENVIRONMENT, dry_run=dry_run, actor="system:test"
        )

    return applied
