"""Upstreams: every refusal, sealed secrets, and what a change cancels."""

from dataclasses import replace

import pytest
from uuid6 import uuid7

from approvals import api
from approvals.models import AuditEvent
from mcpbridge.administration import (
    Refused,
    UpstreamSettings,
    change_upstream,
    create_upstream,
    secrets_of,
)
from mcpbridge.catalog.recording import record_failure
from mcpbridge.catalog.secrets import Secrets
from mcpbridge.models import Upstream
from tests.mcpbridge.administration.conftest import ACTOR
from tests.support.builders import Cast, TicketWalk, a_ticket

TOKEN = Secrets(headers={"Authorization": "Bearer s3cret"})
STDIO = UpstreamSettings(transport="stdio", command=("server", "--fast"))


def a_waiting_ticket(cast: Cast, upstream: Upstream) -> TicketWalk:
    return a_ticket(cast, upstream_id=upstream.pk, upstream_name=upstream.name).pending()


@pytest.mark.parametrize("name", ["", "Files", "a__b", "a_b", "-a", "a" * 41, "placet", "new"])
def test_a_name_that_tools_or_addresses_cannot_carry_is_refused(
    name: str, http_settings: UpstreamSettings
):
    with pytest.raises(Refused) as refused:
        create_upstream(actor=ACTOR, name=name, settings=http_settings)
    assert refused.value.field == "name"


def test_a_taken_name_is_refused_and_nothing_else_is_kept(
    files: Upstream, http_settings: UpstreamSettings
):
    before = (AuditEvent.objects.count(), api.gate().epoch)

    with pytest.raises(Refused, match="already an upstream named files"):
        create_upstream(actor=ACTOR, name="files", settings=http_settings)
    assert (AuditEvent.objects.count(), api.gate().epoch) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transport": "carrier pigeon"}, "http, sse or stdio"),
        ({"url": ""}, "http:// or https://"),
        ({"url": "file:///etc/passwd"}, "http:// or https://"),
        ({"url": "https://user:secret@files.example.test/"}, "credentials do not belong"),
        ({"url": "https://files.example.test/#x"}, "fragment"),
        ({"url": "https://files.example.test/" + "x" * 500}, "500 characters"),
        ({"command": ("server",)}, "stdio upstream"),
        ({"cwd": "/srv"}, "stdio upstream"),
        ({"environment": {"A": "b"}}, "stdio upstream"),
        ({"timeouts": {"total": 0}}, "timeouts.total"),
        ({"timeouts": {"total": float("nan")}}, "timeouts.total"),
        ({"timeouts": {"total": True}}, "timeouts.total"),
        ({"timeouts": {"forever": 1}}, "no field 'forever'"),
        ({"caps": {"tools": 0}}, "caps.tools"),
        ({"caps": {"tools": 1.5}}, "caps.tools"),
        ({"sandbox": {"rootkit": 1}}, "no field 'rootkit'"),
        ({"team_ids": frozenset({uuid7()})}, "team"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_making_and_at_changing(
    change: dict, words: str, files: Upstream, http_settings: UpstreamSettings
):
    wrong = replace(http_settings, **change)

    with pytest.raises(Refused, match=words):
        create_upstream(actor=ACTOR, name="other", settings=wrong)
    with pytest.raises(Refused, match=words):
        change_upstream(actor=ACTOR, upstream_id=files.pk, settings=wrong)
    assert Upstream.objects.get().url == "https://files.example.test/mcp"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": ()}, "needs a command"),
        ({"command": ("server", "")}, "non-empty words"),
        ({"command": ("ser\0ver",)}, "NUL"),
        ({"url": "https://files.example.test/"}, "http upstream"),
        ({"cwd": "srv"}, "absolute"),
        ({"cwd": "/" + "x" * 500}, "500 characters"),
        ({"sandbox": {"write_paths": ("srv/data",)}}, "absolute paths"),
        ({"sandbox": {"read_paths": "/srv\0"}}, "absolute paths"),
        ({"sandbox": {"network": "yes"}}, "true or false"),
        ({"sandbox": {"memory_bytes": 0}}, "sandbox.memory_bytes"),
    ],
)
def test_a_command_that_cannot_be_run_or_confined_is_refused(change: dict, words: str, db: None):
    with pytest.raises(Refused, match=words):
        create_upstream(actor=ACTOR, name="local", settings=replace(STDIO, **change))


def test_secrets_are_sealed_and_named_by_a_new_credential_at_each_change(
    http_settings: UpstreamSettings,
):
    row = create_upstream(actor=ACTOR, name="files", settings=http_settings, secrets=TOKEN)
    first = (row.credential_id, bytes(row.config_digest))

    assert b"s3cret" not in bytes(row.sealed_secrets)
    assert secrets_of(row) == TOKEN
    same = change_upstream(actor=ACTOR, upstream_id=row.pk, settings=http_settings, secrets=TOKEN)
    assert (same.credential_id, bytes(same.config_digest)) == first
    other = change_upstream(
        actor=ACTOR,
        upstream_id=row.pk,
        settings=http_settings,
        secrets=Secrets(headers={"Authorization": "Bearer other"}),
    )
    assert other.credential_id != first[0]
    assert bytes(other.config_digest) != first[1]
    none = change_upstream(
        actor=ACTOR, upstream_id=row.pk, settings=http_settings, secrets=Secrets()
    )
    assert (none.credential_id, none.sealed_secrets) == (None, None)


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        (STDIO, TOKEN),
        (
            UpstreamSettings(transport="http", url="https://files.example.test/"),
            Secrets(environment={"KEY": "value"}),
        ),
        (
            UpstreamSettings(transport="http", url="https://files.example.test/"),
            Secrets(headers={"X-Key": "two\r\nlines"}),
        ),
    ],
)
def test_secrets_that_could_not_be_used_are_refused(
    settings: UpstreamSettings, secrets: Secrets, db: None
):
    with pytest.raises(Refused):
        create_upstream(actor=ACTOR, name="files", settings=settings, secrets=secrets)


def test_a_credential_does_not_follow_to_an_address_whose_namer_may_not_know_it(
    http_settings: UpstreamSettings,
):
    row = create_upstream(actor=ACTOR, name="files", settings=http_settings, secrets=TOKEN)
    elsewhere = replace(http_settings, url="https://collector.example.test/mcp")

    with pytest.raises(Refused, match="for another address"):
        change_upstream(actor=ACTOR, upstream_id=row.pk, settings=elsewhere)
    with pytest.raises(Refused, match="for another address"):
        change_upstream(actor=ACTOR, upstream_id=row.pk, settings=STDIO)
    same_host = replace(http_settings, url="https://files.example.test/v2/mcp")
    change_upstream(actor=ACTOR, upstream_id=row.pk, settings=same_host)
    moved = change_upstream(actor=ACTOR, upstream_id=row.pk, settings=elsewhere, secrets=TOKEN)
    assert moved.url == elsewhere.url


def test_secrets_that_no_key_opens_are_refused_until_they_are_entered_again(
    http_settings: UpstreamSettings,
):
    row = create_upstream(actor=ACTOR, name="files", settings=http_settings, secrets=TOKEN)
    broken = bytearray(row.sealed_secrets)
    broken[-1] ^= 1
    Upstream.objects.update(sealed_secrets=bytes(broken))

    with pytest.raises(Refused, match="do not open"):
        change_upstream(actor=ACTOR, upstream_id=row.pk, settings=http_settings)
    again = change_upstream(actor=ACTOR, upstream_id=row.pk, settings=http_settings, secrets=TOKEN)
    assert secrets_of(again) == TOKEN


@pytest.mark.parametrize(
    "change", [{"url": "https://files.example.test/v2"}, {"enabled": False}, {"per_agent": True}]
)
def test_a_change_of_what_a_call_would_mean_cancels_what_waits(
    change: dict, cast: Cast, files: Upstream, http_settings: UpstreamSettings
):
    walk = a_waiting_ticket(cast, files)
    epoch = api.gate().epoch

    change_upstream(actor=ACTOR, upstream_id=files.pk, settings=replace(http_settings, **change))

    assert walk.view.cancel_reason is api.CancelReason.DRIFT
    assert api.gate().epoch > epoch


@pytest.mark.parametrize(
    "change",
    [{"team_ids": frozenset()}, {"timeouts": {"total": 20.0}}, {"trust_annotations": True}],
)
def test_teams_and_limits_move_the_epoch_and_leave_tickets_alone(
    change: dict, cast: Cast, files: Upstream, http_settings: UpstreamSettings
):
    walk = a_waiting_ticket(cast, files)
    epoch = api.gate().epoch

    change_upstream(actor=ACTOR, upstream_id=files.pk, settings=replace(http_settings, **change))

    assert walk.view.state is api.State.PENDING
    assert api.gate().epoch > epoch


def test_what_failed_under_other_settings_is_forgotten(
    files: Upstream, http_settings: UpstreamSettings
):
    def save(**change: object) -> Upstream:
        record_failure(upstream_id=files.pk, error="refused", retry_after=30)
        change_upstream(
            actor=ACTOR, upstream_id=files.pk, settings=replace(http_settings, **change)
        )
        return Upstream.objects.get(pk=files.pk)

    assert save(trust_annotations=True).last_error == "refused"
    elsewhere = save(trust_annotations=True, url="https://elsewhere.example.test/mcp")
    assert (elsewhere.last_error, elsewhere.failing_since, elsewhere.next_try_at) == (
        "",
        None,
        None,
    )


def test_saving_what_is_already_so_moves_nothing(files: Upstream, http_settings: UpstreamSettings):
    before = (api.gate().epoch, AuditEvent.objects.count())

    change_upstream(actor=ACTOR, upstream_id=files.pk, settings=http_settings)

    assert (api.gate().epoch, AuditEvent.objects.count()) == before
