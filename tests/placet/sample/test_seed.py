"""The sample's token: kept while good, renewed before it runs out, never after a revocation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from approvals.services.people import create_user
from mcpbridge.administration import revoke_token
from mcpbridge.models import Agent, AgentToken
from placet.sample.seed import SampleFiles, ensure_sample

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_user(email="rita@example.test", password="a-long-password", is_admin=True)
    return tmp_path


def seeded(folder: Path) -> SampleFiles:
    return ensure_sample(data_dir=folder, reviewer_email="rita@example.test")


def test_a_token_that_is_good_for_long_is_kept(folder: Path) -> None:
    before = seeded(folder).token.read_text()
    assert seeded(folder).token.read_text() == before
    assert AgentToken.objects.count() == 1


@pytest.mark.parametrize("days", [-1, 6])
def test_a_token_that_has_run_out_or_soon_will_is_renewed(folder: Path, days: int) -> None:
    before = seeded(folder).token.read_text()
    AgentToken.objects.update(expires_at=timezone.now() + timedelta(days=days))
    assert seeded(folder).token.read_text() != before
    assert AgentToken.objects.count() == 2


def test_a_token_of_another_database_is_replaced(folder: Path) -> None:
    files = seeded(folder)
    files.token.write_text("placet_of-an-earlier-life")
    assert seeded(folder).token.read_text() != "placet_of-an-earlier-life"


def test_a_revoked_token_and_a_disabled_agent_stay_as_people_left_them(folder: Path) -> None:
    before = seeded(folder).token.read_text()
    revoke_token(actor="person:rita", token_id=AgentToken.objects.get().pk)
    AgentToken.objects.update(expires_at=timezone.now())
    assert seeded(folder).token.read_text() == before
    Agent.objects.update(enabled=False)
    files = SampleFiles(folder=folder / "sample")
    files.token.unlink()
    seeded(folder)
    assert not files.token.exists()
