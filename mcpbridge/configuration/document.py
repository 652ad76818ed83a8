"""The document's shape, strictly: an unknown key, a wrong type or a dangling name is refused.

Knows nothing of rows. The policy section is read by the ledger, which owns its form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Slug = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
Title = Annotated[str, Field(max_length=120)]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class BadDocument(Exception):
    """The configuration cannot be used; the message names the place and what would be right."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class UserSection(_Section):
    """An account. `password_env` names a variable whose value is set on a new account only.

    `same_person_as` is another account's address: both belong to one person, whose name and
    roles stand there.
    """

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    same_person_as: str | None = None
    name: Title = ""
    admin: bool = False
    auditor: bool = False
    password_env: EnvironmentName | None = None


class GroupSection(_Section):
    """A reviewer group; `members` are e-mail addresses, and exactly these."""

    name: Slug
    title: Title = ""
    members: list[str] = []


class TeamSection(_Section):
    """A team; `reviewers` is the group that is asked where a rule names none."""

    name: Slug
    title: Title = ""
    members: list[str] = []
    reviewers: str | None = None


class SandboxSection(_Section):
    """What a stdio server may use beyond its defaults. Sizes in bytes."""

    network: bool = False
    accept_unsandboxed: bool = False
    read_paths: list[str] = []
    write_paths: list[str] = []
    memory_bytes: int | None = None
    processes: int | None = None
    files: int | None = None
    file_bytes: int | None = None


class EndpointSection(_Section):
    """A chat-completions endpoint for sampling. `key_env` names the variable with its API key."""

    url: str
    models: Annotated[list[str], Field(min_length=1)]
    max_tokens: int | None = None
    prompt_bytes: int | None = None
    answer_bytes: int | None = None
    per_minute: int | None = None
    seconds: float | int | None = None
    allow_private_addresses: bool = False
    key_env: EnvironmentName | None = None


class RootSection(_Section):
    """A root that the upstream is told, wherever it asks for some."""

    uri: str
    name: str = ""


class QuestionsSection(_Section):
    """Who answers what the upstream asks during a call."""

    sampling: Literal["refuse", "agent", "person", "endpoint"] = "refuse"
    elicitation: Literal["refuse", "agent", "person"] = "refuse"
    roots: Literal["refuse", "agent", "fixed"] = "refuse"
    fixed_roots: list[RootSection] = []
    endpoint: EndpointSection | None = None


class UpstreamSection(_Section):
    """An MCP server. `*_env` map a header's or variable's name to the variable that holds it."""

    name: Slug
    transport: Literal["http", "sse", "stdio"]
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
    questions: QuestionsSection = QuestionsSection()
    trust_annotations: bool = False
    pin_on_first_contact: bool = False
    teams: list[str] = []


class ToolSection(_Section):
    """A tool's pin: the definition that an admin has seen, and what an admin says of it."""

    upstream: str
    name: Annotated[str, Field(min_length=1, max_length=256)]
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
    _refuse_foreign(plain, "")
    try:
        document = Document.model_validate({} if plain is None else plain)
    except ValidationError as wrong:
        raise BadDocument("\n".join(_line(error) for error in wrong.errors())) from None
    _refuse_twice("users", (user.email.lower() for user in document.users))
    for index, user in enumerate(document.users):
        if user.same_person_as is not None and (user.name or user.admin or user.auditor):
            raise BadDocument(
                f"users[{index}]: name and roles belong to {user.same_person_as}, the same person"
            )
    for section in ("groups", "teams", "upstreams", "agents"):
        _refuse_twice(section, (row.name for row in getattr(document, section)))
    _refuse_twice("tools", (f"{tool.upstream} {tool.name}" for tool in document.tools))
    return document


def _refuse_foreign(value: object, path: str) -> None:
    """Refuse what JSON cannot say and no database keeps: dates, NaN, NUL, lone surrogates."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise BadDocument(f"{path or 'document'}: the key {key!r} must be a text; quote it")
            _refuse_foreign(key, path)
            _refuse_foreign(inner, _step(path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_foreign(inner, _step(path, index))
    elif isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise BadDocument(
                f"{path or 'document'}: a text may not hold NUL or half of a surrogate pair"
            )
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadDocument(f"{path}: {value} is not a number that can be kept")
    elif value is not None and not isinstance(value, bool | int):
        raise BadDocument(
            f"{path or 'document'}: a {type(value).__name__} is not possible here; quote it to"
            " make it a text"
        )


def _line(error: Any) -> str:
    path = ""
    for step in error["loc"]:
        path = _step(path, step)
    words = "no such key is known here" if error["type"] == "extra_forbidden" else error["msg"]
    return f"{path or 'document'}: {words}"


def _step(path: str, step: int | str) -> str:
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def _refuse_twice(section: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise BadDocument(f"{section}[{index}]: {name!r} is named twice")
        seen.add(name)
