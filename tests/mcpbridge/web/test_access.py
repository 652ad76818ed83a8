"""Who meets the admin's pages: admins change, auditors read, others are refused."""

import pytest
from django.test import Client

from approvals.models import AuditEvent, User
from mcpbridge.models import Agent, Upstream
from tests.mcpbridge.web.conftest import SignIn, pin_of
from tests.support.builders import Cast
from tests.support.pages import forms

READ = [
    "upstreams/",
    "upstreams/files/",
    "upstreams/files/settings/",
    "agents/",
    "agents/robo/",
    "policy/",
    "questions/",
]
ONLY_CHANGE = ["upstreams/new/", "agents/new/"]


def posts() -> list[str]:
    return [
        "upstreams/new/",
        "upstreams/files/",
        "upstreams/files/settings/",
        "upstreams/files/refresh/",
        "upstreams/files/pins/",
        f"upstreams/files/pins/{pin_of('read_file').pk}/",
        "agents/new/",
        "agents/robo/",
        "agents/robo/tokens/",
        "agents/robo/tokens/018f0000-0000-7000-8000-000000000000/end/",
    ]


@pytest.fixture(autouse=True)
def something_to_see(files: Upstream, robo: Agent) -> None:
    """An upstream and an agent."""


def test_admins_read_every_page_without_changing_anything(admin: Client):
    before = AuditEvent.objects.count()

    for page in READ + ONLY_CHANGE:
        answer = admin.get(f"/manage/{page}")
        assert answer.status_code == 200, page
        assert "no-store" in answer["Cache-Control"]
        assert admin.head(f"/manage/{page}").status_code == 200
    assert AuditEvent.objects.count() == before


def test_auditors_read_and_are_offered_nothing_to_press(auditor: User, signed_in: SignIn):
    client = signed_in(auditor)

    for page in READ:
        answer = client.get(f"/manage/{page}")
        assert answer.status_code == 200, page
        for form in forms(answer.content):
            assert "/manage/" not in form.action or not form.buttons, page
        assert b"Save</button>" not in answer.content
    for page in ONLY_CHANGE:
        assert client.get(f"/manage/{page}").status_code == 403


def test_auditors_change_nothing(auditor: User, signed_in: SignIn):
    client, before = signed_in(auditor), AuditEvent.objects.count()

    for page in posts():
        assert client.post(f"/manage/{page}").status_code == 403, page
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("who", ["alice", "bob", "charlie"])
def test_owners_reviewers_and_strangers_are_refused(who: str, cast: Cast, signed_in: SignIn):
    client = signed_in(getattr(cast, who))

    for page in READ + ONLY_CHANGE:
        assert client.get(f"/manage/{page}").status_code == 403, page
    for page in posts():
        assert client.post(f"/manage/{page}").status_code == 403, page


def test_whoever_is_not_signed_in_is_asked_to(signed_in: SignIn):
    for answer in (
        signed_in(None).get("/manage/agents/"),
        signed_in(None).post("/manage/agents/robo/"),
    ):
        assert answer.status_code == 302
        assert "/accounts/login/" in answer["Location"]


def test_what_is_not_there_is_not_found(admin: Client):
    for page in ("upstreams/nope/", "upstreams/nope/settings/", "agents/nope/"):
        assert admin.get(f"/manage/{page}").status_code == 404
    for page in ("upstreams/nope/refresh/", "agents/nope/tokens/", "upstreams/nope/pins/"):
        assert admin.post(f"/manage/{page}").status_code == 404
    foreign = f"upstreams/nope/pins/{pin_of('read_file').pk}/"
    assert admin.post(f"/manage/{foreign}").status_code == 404
