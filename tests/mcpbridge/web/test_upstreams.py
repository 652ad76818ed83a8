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
from mcpbridge.catalog.specs import spec_of
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


def test_what_a_weaker_sandbox_leaves_open_and_why_a_process_ended_is_said(admin: Client, cast):
    a_stdio_upstream(label="landlock 2")
    StdioLease.objects.update(state="backoff", last_error="exit code 3; its last words: <b>no</b>")

    page = admin.get("/manage/upstreams/local/").content
    text = text_of(page)

    assert "cut off files that it may only read" in text
    assert "waits to be started again" in text
    assert "exit code 3" in text
    assert b"<b>no</b>" not in page
    assert "waiting to restart" in text_of(admin.get("/manage/upstreams/").content)


def test_since_when_an_upstream_fails_and_when_it_is_tried_again_is_said(
    admin: Client, files: Upstream
):
    Upstream.objects.update(last_seen_at=timezone.now())
    record_failure(upstream_id=files.pk, error="gone", retry_after=30)
    first = Upstream.objects.get()
    record_failure(upstream_id=files.pk, error="still gone", retry_after=5)
    again = Upstream.objects.get()

    assert first.failing_since == again.failing_since
    assert again.failing_since is not None
    assert again.next_try_at is not None
    for page in ("", "files/"):
        text = text_of(admin.get(f"/manage/upstreams/{page}").content)
        assert "still gone" in text
        assert "Last read" in text
        assert "Not tried again before" in text

    record_failure(upstream_id=files.pk, error="still gone", retry_after=0)
    text = text_of(admin.get("/manage/upstreams/files/").content)
    assert "still gone" in text
    assert "Not tried again before" not in text


def test_time_outs_and_limits_are_set_and_taken_back_on_the_page(admin: Client, cast: Cast):
    posted = {
        **STDIO,
        "enabled": "on",
        "network": "on",
        "accept_unsandboxed": "on",
        "per_agent": "on",
        "read_paths": "/srv/read",
        "timeouts_total": "2.5",
        "caps_notifications": "7",
        "sandbox_processes": "9",
    }
    admin.post("/manage/upstreams/new/", posted)

    found = Upstream.objects.get()
    assert found.timeouts == {"total": 2.5}
    assert found.caps == {"notifications": 7}
    assert found.per_agent
    assert found.sandbox == {
        "network": True,
        "accept_unsandboxed": True,
        "read_paths": ["/srv/read"],
        "processes": 9,
    }
    spec = spec_of(found)
    assert (spec.timeouts.total, spec.caps.notifications, spec.sandbox.processes) == (2.5, 7, 9)
    page = "/manage/upstreams/local/settings/"
    assert 'value="2.5"' in admin.get(page).content.decode()

    admin.post(page, {"transport": "stdio", "command": "server", "enabled": "on"})
    found.refresh_from_db()
    assert (found.timeouts, found.caps, found.sandbox, found.per_agent) == ({}, {}, {}, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [("timeouts_total", "0"), ("caps_tools", "-1"), ("sandbox_files", "many")],
)
def test_a_limit_that_is_none_is_refused(field: str, value: str, admin: Client, cast: Cast):
    answer = admin.post("/manage/upstreams/new/", {**STDIO, "enabled": "on", field: value})

    assert answer.status_code == 422
    assert "<details" in answer.content.decode()
    assert Upstream.objects.count() == 0


def test_the_older_transport_takes_an_address_and_a_credential(admin: Client, cast: Cast):
    posted = {**HTTP, "transport": "sse", "authorization": "Bearer x", "enabled": "on"}
    admin.post("/manage/upstreams/new/", posted)

    found = Upstream.objects.get()
    assert spec_of(found).transport == "sse"
    assert spec_of(found).headers == {"Authorization": "Bearer x"}
    refused = admin.post("/manage/upstreams/new/", {**posted, "name": "b", "command": "server"})
    assert refused.status_code == 422


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
