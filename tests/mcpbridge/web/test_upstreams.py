"""Upstreams by clicking: added, changed, refused; secrets go in and never come out."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError

from approvals import api
from mcpbridge.administration import UpstreamSettings, create_upstream, secrets_of
from mcpbridge.catalog.recording import record_failure
from mcpbridge.catalog.secrets import Secrets
from mcpbridge.models import StdioLease, Upstream
from mcpbridge.web import upstreams
from tests.mcpbridge.web.conftest import ACTOR
from tests.support.builders import Cast
from tests.support.pages import text_of

HTTP = {"name": "tools", "transport": "http", "url": "https://tools.example.test/mcp"}
STDIO = {"name": "local", "transport": "stdio", "command": "server --root '/srv/my data'"}


def a_stdio_upstream(name: str = "local", label: str = "") -> Upstream:
    found = create_upstream(
        actor=ACTOR,
        name=name,
        settings=UpstreamSettings(transport="stdio", command=("server",), cwd="/srv"),
        secrets=Secrets(environment={"KEY": "s3cret"}),
    )
    StdioLease.objects.create(
        upstream=found,
        scope="shared",
        host="h",
        expires_at=timezone.now(),
        sandbox_label=label,
    )
    return found


def test_an_upstream_is_added_and_its_tools_are_read(admin: Client, cast: Cast, hints: list[str]):
    answer = admin.post(
        "/manage/upstreams/new/",
        {**HTTP, "authorization": "Bearer s3cret", "teams": [str(cast.team_id)], "enabled": "on"},
        follow=True,
    )

    found = Upstream.objects.get()
    assert "Its tools are being read" in text_of(answer.content)
    assert hints == [str(found.pk)]
    assert secrets_of(found).headers == {"Authorization": "Bearer s3cret"}
    assert [team.pk for team in found.teams.all()] == [cast.team_id]
    for page in ("", "settings/"):
        assert "s3cret" not in admin.get(f"/manage/upstreams/tools/{page}").content.decode()


def test_a_command_is_read_as_a_shell_would(admin: Client):
    admin.post(
        "/manage/upstreams/new/",
        {**STDIO, "enabled": "on", "write_paths": "/srv/a\r\n\r\n /b \r\n"},
    )

    found = Upstream.objects.get()
    assert found.command == ["server", "--root", "/srv/my data"]
    assert found.sandbox["write_paths"] == ["/srv/a", "/b"]
    page = admin.get("/manage/upstreams/local/settings/").content.decode()
    assert "server --root &#x27;/srv/my data&#x27;" in page


@pytest.mark.parametrize(
    ("posted", "words"),
    [
        ({**HTTP, "name": "Tools"}, "The name must be"),
        ({**HTTP, "name": "new"}, "neither placet nor new"),
        ({**HTTP, "transport": "ftp"}, "Select a valid choice"),
        ({**HTTP, "url": "ftp://x"}, "must be http:// or https://"),
        ({**HTTP, "command": "server"}, "belong to a stdio upstream"),
        ({**HTTP, "authorization": "two\nlines"}, "cannot be sent"),
        ({**STDIO, "command": "server 'unclosed"}, "quoting is not closed"),
        ({**STDIO, "command": ""}, "needs a command"),
        ({**STDIO, "url": "https://x.test"}, "belongs to an http upstream"),
        ({**STDIO, "authorization": "Bearer x"}, "belong to an http upstream"),
        ({**STDIO, "write_paths": "srv"}, "absolute paths"),
        ({**HTTP, "teams": ["nobody"]}, "not one of the available choices"),
    ],
)
def test_an_upstream_that_cannot_be_is_refused(
    posted: dict[str, Any], words: str, admin: Client, cast: Cast, hints: list[str]
):
    answer = admin.post("/manage/upstreams/new/", {**posted, "enabled": "on"})

    assert answer.status_code == 422
    assert words.lower() in text_of(answer.content).lower()
    assert (Upstream.objects.count(), hints) == (0, [])


def settings_of(files: Upstream, cast: Cast, **changes: Any) -> dict[str, Any]:
    return {
        "transport": "http",
        "url": files.url,
        "teams": [str(cast.team_id)],
        "enabled": "on",
        **changes,
    }


def test_saving_the_settings_untouched_changes_nothing(admin: Client, files: Upstream, cast: Cast):
    before = api.gate().epoch

    answer = admin.post("/manage/upstreams/files/settings/", settings_of(files, cast))

    assert (answer.status_code, api.gate().epoch) == (302, before)
    assert Upstream.objects.get().pin_on_first_contact


def test_a_new_credential_replaces_only_itself_and_can_be_forgotten(
    admin: Client, files: Upstream, cast: Cast
):
    admin.post(
        "/manage/upstreams/files/settings/", settings_of(files, cast, authorization="Bearer one")
    )
    page = admin.get("/manage/upstreams/files/settings/").content
    assert b"Bearer one" not in page
    assert "Forget the authorization header" in text_of(page)

    elsewhere = settings_of(files, cast, url="https://collector.example.test/")
    refused = admin.post("/manage/upstreams/files/settings/", elsewhere)
    assert refused.status_code == 422
    assert "credential is for another address" in text_of(refused.content)

    admin.post(
        "/manage/upstreams/files/settings/", settings_of(files, cast, forget_authorization="on")
    )
    assert secrets_of(Upstream.objects.get()) == Secrets()


def test_other_secrets_stay_beside_a_new_credential_but_not_at_a_new_address(
    admin: Client, cast: Cast
):
    found = create_upstream(
        actor=ACTOR,
        name="files",
        settings=UpstreamSettings(transport="http", url="https://files.example.test/mcp"),
        secrets=Secrets(headers={"X-Key": "k", "Authorization": "a"}),
    )
    page = "/manage/upstreams/files/settings/"

    admin.post(page, settings_of(found, cast, authorization="b"))
    assert secrets_of(Upstream.objects.get()).headers == {"X-Key": "k", "Authorization": "b"}

    admin.post(page, settings_of(found, cast, url="https://other.test/", authorization="c"))
    assert secrets_of(Upstream.objects.get()).headers == {"Authorization": "c"}


def test_secrets_that_no_key_opens_can_be_entered_again(admin: Client, cast: Cast):
    found = create_upstream(
        actor=ACTOR,
        name="files",
        settings=UpstreamSettings(transport="http", url="https://files.example.test/mcp"),
        secrets=Secrets(headers={"Authorization": "a"}),
    )
    Upstream.objects.update(sealed_secrets=b"\x00" * 40)
    page = "/manage/upstreams/files/settings/"

    assert admin.get(page).status_code == 200
    assert admin.post(page, settings_of(found, cast)).status_code == 422
    assert admin.post(page, settings_of(found, cast, authorization="b")).status_code == 302


def test_what_the_form_does_not_show_is_kept(admin: Client, cast: Cast):
    a_stdio_upstream()

    answer = admin.post(
        "/manage/upstreams/local/settings/",
        {"transport": "stdio", "command": "server --fast", "enabled": "on"},
    )

    found = Upstream.objects.get()
    assert answer.status_code == 302
    assert (found.command, found.cwd) == (["server", "--fast"], "/srv")
    assert secrets_of(found).environment == {"KEY": "s3cret"}


def test_reading_the_tools_again_is_a_hint_that_may_be_lost(
    admin: Client, files: Upstream, monkeypatch: pytest.MonkeyPatch
):
    def lost(_upstream_id: str) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(upstreams.refresh_catalog, "delay", lost)

    assert admin.post("/manage/upstreams/files/refresh/").status_code == 302


@pytest.mark.parametrize(
    ("label", "words", "warns"),
    [
        ("unsandboxed", "runs unsandboxed", True),
        ("bubblewrap", "confined by bubblewrap", False),
        ("", "has not been started yet", False),
    ],
)
def test_how_a_server_is_confined_is_said(label: str, words: str, warns: bool, admin: Client, cast):
    a_stdio_upstream(label=label)

    text = text_of(admin.get("/manage/upstreams/local/").content)

    assert ("runs unsandboxed" in text) is warns
    assert ("Unsandboxed" in text_of(admin.get("/manage/upstreams/").content)) is warns
    assert words in text


def test_an_error_of_an_upstream_is_shown_as_somebody_elses_words(admin: Client, files: Upstream):
    record_failure(upstream_id=files.pk, error="<b>gone</b> \u202e away")

    for page in ("", "files/"):
        shown = admin.get(f"/manage/upstreams/{page}").content.decode()
        assert "<b>gone</b>" not in shown
        assert "[U+202E]" in shown
        assert "\u202e" not in shown


def test_the_list_costs_the_same_for_one_and_for_many(admin: Client, cast: Cast):
    a_stdio_upstream("one")
    with CaptureQueriesContext(connection) as few:
        admin.get("/manage/upstreams/")
    for name in ("two", "three", "four"):
        a_stdio_upstream(name)
    with CaptureQueriesContext(connection) as many:
        admin.get("/manage/upstreams/")
    assert len(many) == len(few)


MODEL = {
    "ask_sampling": "endpoint",
    "ask_url": "https://models.example.test/v1",
    "ask_models": "small\nlarge",
    "ask_max_tokens": "200",
    "ask_key": "sk-s3cret",
}


def test_an_admin_says_who_answers_what_an_upstream_asks(admin: Client):
    fixed = {"ask_roots": "fixed", "ask_fixed_roots": "file:///srv/data My data"}
    admin.post("/manage/upstreams/new/", {**HTTP, **MODEL, **fixed, "ask_elicitation": "agent"})

    found = Upstream.objects.get()
    assert found.questions == {
        "sampling": "endpoint",
        "elicitation": "agent",
        "roots": "fixed",
        "fixed_roots": [{"uri": "file:///srv/data", "name": "My data"}],
        "endpoint": {
            "url": "https://models.example.test/v1",
            "models": ["small", "large"],
            "max_tokens": 200,
        },
    }
    assert secrets_of(found).sampling_key == "sk-s3cret"
    page = admin.get("/manage/upstreams/tools/settings/").content.decode()
    assert "sk-s3cret" not in page
    assert "https://models.example.test/v1" in page


def test_a_models_key_stays_with_its_address(admin: Client):
    admin.post("/manage/upstreams/new/", {**HTTP, **MODEL})
    changed = {**HTTP, **MODEL, "ask_key": "", "ask_max_tokens": "300"}
    admin.post("/manage/upstreams/tools/settings/", changed)
    assert secrets_of(Upstream.objects.get()).sampling_key == "sk-s3cret"
    assert Upstream.objects.get().questions["endpoint"]["max_tokens"] == 300

    elsewhere = {**changed, "ask_url": "https://elsewhere.example.test/v1"}
    answer = admin.post("/manage/upstreams/tools/settings/", elsewhere)
    assert answer.status_code == 422
    assert "enter it again" in text_of(answer.content)
    admin.post("/manage/upstreams/tools/settings/", {**elsewhere, "authorization": "Bearer new"})
    assert secrets_of(Upstream.objects.get()).sampling_key == ""


def test_a_model_without_an_address_is_refused_on_the_form(admin: Client):
    answer = admin.post("/manage/upstreams/new/", {**HTTP, "ask_sampling": "endpoint"})
    assert answer.status_code == 422
    assert "must name a URL and its models" in text_of(answer.content)
