"""What monitors are told, and who may read the figures."""

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from mcpbridge import approvals_gateway as ledger
from mcpbridge.administration import UpstreamSettings, create_upstream
from mcpbridge.catalog.recording import record_failure
from mcpbridge.models import Upstream
from mcpbridge.records.rows import CallEnd, CallStart, insert_ends, insert_starts
from placet import health, heartbeats
from placet.models import Heartbeat
from tests.support.bridge import Bridge, a_bridge
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def environment(settings: Any) -> Any:
    def change(**fields: Any) -> None:
        settings.ENV = dataclasses.replace(settings.ENV, **fields)

    return change


def ready(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/readyz").json()
    return found


def test_healthz_asks_nothing_of_the_database(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert "no-store" in answer["Cache-Control"]


def test_readyz_is_ready_with_database_broker_and_worker(
    client: Client, environment: Any, valkey_server: ValkeyServer
) -> None:
    environment(redis_url=valkey_server.url)
    heartbeats.record(kind="worker", name="one")
    assert ready(client) == {
        "status": "ready",
        "missing": [],
        "parts": {"database": True, "broker": True, "worker": True},
    }


def test_readyz_without_broker_and_worker_is_degraded_but_200(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["missing"] == ["broker", "worker"]


def test_a_worker_that_fell_silent_is_missing(client: Client) -> None:
    heartbeats.record(kind="worker", name="one")
    assert "worker" not in ready(client)["missing"]
    Heartbeat.objects.update(seen_at=Now() - heartbeats.FRESH - timedelta(seconds=1))
    assert "worker" in ready(client)["missing"]


def test_another_kind_of_process_is_no_worker(client: Client) -> None:
    heartbeats.record(kind="web", name="one")
    assert "worker" in ready(client)["missing"]


def test_readyz_without_a_database_is_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> Any:
            raise DatabaseError("gone")

    monkeypatch.setattr(health, "connection", Broken())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"


def test_processes_silent_for_an_hour_are_forgotten() -> None:
    heartbeats.record(kind="worker", name="old")
    Heartbeat.objects.update(seen_at=Now() - heartbeats.FORGOTTEN - timedelta(seconds=1))
    heartbeats.record(kind="worker", name="new")
    assert set(heartbeats.ages("worker")) == {"new"}
    assert heartbeats.ages("worker")["new"] < 5


def test_one_process_has_one_row_however_often_it_beats() -> None:
    for _ in range(3):
        heartbeats.record(kind="worker", name="one")
    assert Heartbeat.objects.count() == 1


def test_metrics_show_the_ledgers_figures_to_loopback(client: Client) -> None:
    heartbeats.record(kind="worker", name="one")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "placet_tickets_pending 0.0" in text
    assert "placet_kill_switch 0.0" in text
    assert 'placet_worker_last_seen_seconds{worker="one"}' in text


def test_metrics_count_the_calls_of_the_last_minute_by_verdict_and_end(client: Client) -> None:
    bridge = a_bridge("http://127.0.0.1:9/mcp")
    starts = [a_start(bridge, verdict) for verdict in ("allow", "allow", "allow", "deny")]
    insert_starts(starts)
    ends = ("ok", "unknown")
    insert_ends([CallEnd(call_id=s.id, status=e) for s, e in zip(starts[:2], ends, strict=True)])
    text = client.get("/metrics").content.decode()
    for verdict, ended, number in (
        ("allow", "ok", 1),
        ("allow", "unknown", 1),
        ("allow", "none", 1),
        ("allow", "error", 0),
        ("deny", "none", 1),
    ):
        line = f'placet_calls_last_minute{{ended="{ended}",verdict="{verdict}"}} {number}.0'
        assert line in text


def a_start(bridge: Bridge, verdict: Any) -> CallStart:
    return CallStart(
        agent_id=bridge.agent.id,
        person_id=bridge.agent.owner_id,
        token_id=bridge.token.id,
        upstream_id=bridge.upstream.id,
        tool_name="echo",
        tool_digest=b"t" * 32,
        verdict=verdict,
        rule="",
        policy_version=1,
        epoch=ledger.gate().epoch,
        arguments=b"{}",
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
    ],
)
def test_metrics_are_refused_to_anybody_else(client: Client, extra: dict[str, str]) -> None:
    answer = client.get("/metrics", **extra)  # type: ignore[arg-type]
    assert answer.status_code == 403
    assert b"placet_" not in answer.content


def test_metrics_tell_how_upstreams_are(client: Client) -> None:
    made = create_upstream(
        actor="system:test",
        name="tools",
        settings=UpstreamSettings(transport="http", url="https://tools.example.test/mcp"),
    )
    Upstream.objects.update(last_seen_at=timezone.now() - timedelta(seconds=90))
    record_failure(upstream_id=made.pk, error="gone")

    text = client.get("/metrics").content.decode()

    assert 'placet_upstream_failing{upstream="tools"} 1.0' in text
    assert 'placet_upstream_unsandboxed{upstream="tools"} 0.0' in text
    age = re.search(r'placet_upstream_last_contact_seconds\{upstream="tools"\} ([\d.]+)', text)
    assert age is not None
    assert 90 <= float(age[1]) < 120


def test_behind_a_proxy_loopback_is_nobody(client: Client, environment: Any) -> None:
    environment(trusted_proxy_count=1)
    assert client.get("/metrics").status_code == 403


@pytest.mark.parametrize(
    ("header", "status"),
    [("Bearer right", 200), ("Bearer wrong", 403), ("right", 403), ("", 403)],
)
def test_with_a_token_only_its_bearer_reads_metrics(
    client: Client, environment: Any, header: str, status: int
) -> None:
    environment(metrics_token="right")
    assert client.get("/metrics", headers={"authorization": header}).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_are_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def test_nobody_signs_up_for_themselves(client: Client) -> None:
    password = "correct-horse-9"
    form = {"email": "new@example.org", "password1": password, "password2": password}
    answer = client.post("/accounts/signup/", form)
    assert b"new@example.org" not in answer.content
    assert not client.login(email="new@example.org", password=password)
