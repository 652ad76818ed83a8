"""Setting the sample up: the repository, its configuration, and the agent's token.

Runs on every start and finishes what an earlier run left undone; it never undoes what people
changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from django.utils import timezone

from mcpbridge.administration import issue_token
from mcpbridge.configuration import apply_document, parse_document
from mcpbridge.models import Agent, AgentToken
from placet.sample.repository import ensure_repository

CONFIGURATION = Path(__file__).with_name("sample.yaml")
AGENT = "sample-agent"
TOKEN_DAYS = 30
RENEW_DAYS = 7  # an installation that runs on is good for at least these
ACTOR = "system:sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFiles:
    """Where the sample keeps its things, below the data folder."""

    folder: Path

    @property
    def repository(self) -> Path:
        """The scratch repository that the sample's server works on."""
        return self.folder / "repository"

    @property
    def token(self) -> Path:
        """The sample agent's token, readable by its owner alone."""
        return self.folder / "agent.token"

    @property
    def outcome(self) -> Path:
        """What the sample agent was told in the end; present once it has been told."""
        return self.folder / "outcome.json"


def ensure_sample(*, data_dir: Path, reviewer_email: str) -> SampleFiles:
    """Make whatever of the sample is not there yet. Raises GitMissing."""
    files = SampleFiles(folder=data_dir.resolve() / "sample")
    files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ensure_repository(files.repository)
    agent = Agent.objects.filter(name=AGENT).first()
    if agent is None:
        words = {
            "reviewer_email": reviewer_email,
            "python": sys.executable,
            "repository": str(files.repository),
        }
        plain = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
        document = parse_document(_filled_in(plain, words))
        apply_document(document, actor=ACTOR, environment={})
        agent = Agent.objects.get(name=AGENT)
    if agent.enabled and _wants_a_token(files):
        issued = issue_token(actor=ACTOR, agent=agent, days=TOKEN_DAYS, label="sample")
        _write_private(files.token, issued.secret)
    return files


def _wants_a_token(files: SampleFiles) -> bool:
    """Whether there is no token, or one that will soon have run out; a revoked one stays so."""
    if not files.token.exists():
        return True
    secret = files.token.read_text(encoding="utf-8").strip()
    token = AgentToken.objects.filter(digest=hashlib.sha256(secret.encode()).digest()).first()
    if token is None:
        return True  # another database's
    soon = timezone.now() + timedelta(days=RENEW_DAYS)
    return token.revoked_at is None and token.expires_at <= soon


def note_outcome(files: SampleFiles, *, told: str, is_error: bool) -> None:
    """Remember that the sample agent has its answer, so that a restart does not ask again."""
    _write_private(files.outcome, json.dumps({"told": told, "is_error": is_error}))


def _filled_in(value: Any, words: dict[str, str]) -> Any:
    """The document with each string that is `$word` replaced; nothing else is touched."""
    if isinstance(value, dict):
        return {key: _filled_in(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled_in(inner, words) for inner in value]
    if isinstance(value, str) and value.startswith("$"):
        return words[value.removeprefix("$")]
    return value


def _write_private(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
