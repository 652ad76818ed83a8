"""The document's shape, strictly: an unknown key, a wrong type or a dangling name is refused.

Knows nothing of rows. The policy section is read by the ledger, which owns its form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class BadDocument(ValueError):
    """The configuration cannot be used; the message names the place and what would be right."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class UserSection(_Section):
    """An account. `password_env` names a variable whose value is set on a new account only."""

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    name: str = ""
    admin: bool = False
    auditor: bool = False
    password_env: EnvironmentName | None = None


class GroupSection(_Section):
    """A reviewer group; `members` are e-mail addresses, and exactly these."""

    name: Slug
    title: str = ""
    members: list[str] = []


class TeamSection(_Section):
    """A team; `reviewers` is the group that is asked where a rule names none."""

    name: Slug
    title: str = ""
    members: list[str] = []
    reviewers: str | None = None


class SandboxSection(_Section):
    """What a stdio server may use beyond its defaults. Sizes in bytes."""

    network: bool = False
    read_paths: list[str] = []
    write_paths: list[str] = []
    memory_bytes: int | None = None
    processes: int | None = None
    files: int | None = None
    file_bytes: int | None = None


class UpstreamSection(_Section):
    """An MCP server. `*_env` map a header's or variable's name to the variable that holds it."""

    name: Slug
    transport: Literal["http", "stdio"]
    enabled: bool = True
    url: str = ""
    allow_private_addresses: bool = False
    command: list[str] = []
    environment: dict[str, str] = {}
    headers_env: dict[str, EnvironmentName] = {}
    environment_env: dict[str, EnvironmentName] = {}
    cwd: str = ""
    sandbox: SandboxSection = SandboxSection()
    per_agent: bool = False
    timeouts: dict[Literal["connect", "first_byte", "total"], float | int] = {}
    caps: dict[Literal["result_bytes", "line_bytes", "notifications", "tools"], int] = {}
    trust_annotations: bool = False
    pin_on_first_contact: bool = False
    teams: list[str] = []


class ToolSection(_Section):
    """A tool's pin: the definition that an admin has seen, and what an admin says of it."""

    upstream: str
    name: str
    definition: dict[str, Any]
    idempotent: bool = False
    max_attempts: int = 1


class AgentSection(_Section):
    """An agent. Its tokens are never in a document: `manage.py issue_token` prints them."""

    name: Slug
    owner: str
    team: str
    enabled: bool = True
    hold_seconds: int | None = None
    grace_seconds: int = 30
    max_open_tickets: int = 20


class Document(_Section):
    """A whole configuration. What it does not name stays as it is."""

    users: list[UserSection] = []
    groups: list[GroupSection] = []
    teams: list[TeamSection] = []
    upstreams: list[UpstreamSection] = []
    tools: list[ToolSection] = []
    agents: list[AgentSection] = []
    policy: dict[str, Any] | None = None


def parse_document(plain: object) -> Document:
    """The document from plain data. Raises BadDocument naming every place that is wrong."""
    try:
        document = Document.model_validate({} if plain is None else plain)
    except ValidationError as wrong:
        raise BadDocument("\n".join(_line(error) for error in wrong.errors())) from None
    _refuse_twice("users", (user.email.lower() for user in document.users))
    for section in ("groups", "teams", "upstreams", "agents"):
        _refuse_twice(section, (row.name for row in getattr(document, section)))
    _refuse_twice("tools", (f"{tool.upstream} {tool.name}" for tool in document.tools))
    return document


def _line(error: Any) -> str:
    path = ""
    for step in error["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return f"{path or 'document'}: {error['msg']}"


def _refuse_twice(section: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise BadDocument(f"{section}[{index}]: {name!r} is named twice")
        seen.add(name)
