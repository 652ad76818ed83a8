"""System checks: an unsafe installation is told so."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from placet.checks import check_installation


@pytest.fixture
def found(settings: Any, tmp_path: Path) -> Any:
    def ids(**fields: Any) -> list[str]:
        settings.ENV = dataclasses.replace(settings.ENV, data_dir=tmp_path, **fields)
        return [message.id for message in check_installation(None)]

    return ids


def test_the_default_installation_has_no_finding(found: Any) -> None:
    assert found() == []


def test_a_public_address_in_clear_is_warned_about(found: Any) -> None:
    assert found(public_url="http://placet.example.org") == ["placet.W001"]


def test_a_public_address_that_only_begins_like_loopback_is_not_loopback(found: Any) -> None:
    assert found(public_url="http://127.0.0.1.example.org") == ["placet.W001"]


def test_tls_without_a_counted_proxy_is_warned_about(found: Any) -> None:
    assert found(public_url="https://placet.example.org") == ["placet.W002"]
    assert found(public_url="https://placet.example.org", trusted_proxy_count=1) == []


def test_any_host_is_an_error(found: Any) -> None:
    assert found(allowed_hosts=("*",)) == ["placet.E001"]


def test_a_key_that_others_can_read_is_an_error(found: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sealing.key").write_text("x")
    (tmp_path / "keys" / "sealing.key").chmod(0o640)
    assert found() == ["placet.E002"]
    (tmp_path / "keys" / "sealing.key").chmod(0o600)
    assert found() == []


def test_a_socket_path_that_is_too_long_is_an_error(found: Any, settings: Any) -> None:
    settings.MCPBRIDGE_STDIO_SOCKET = "/" + "x" * 120
    assert found() == ["placet.E003"]
