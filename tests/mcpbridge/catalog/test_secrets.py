"""Sealed secrets of upstreams."""

from __future__ import annotations

from uuid import uuid4

import pytest

from mcpbridge.catalog.secrets import Secrets, SecretsUnreadable, open_secrets, seal_secrets

SECRETS = Secrets(headers={"Authorization": "Bearer hush"}, environment={"TOKEN": "hush"})


@pytest.fixture(autouse=True)
def keys(settings):
    settings.APPROVALS_SEALING_KEYS = {"k1": b"1" * 32}


def test_secrets_open_for_the_upstream_they_were_sealed_for():
    upstream = uuid4()
    sealed = seal_secrets(upstream, SECRETS)
    assert open_secrets(upstream, sealed) == SECRETS
    assert b"hush" not in sealed


def test_secrets_do_not_open_for_another_upstream():
    sealed = seal_secrets(uuid4(), SECRETS)
    with pytest.raises(SecretsUnreadable, match="do not open"):
        open_secrets(uuid4(), sealed)


def test_changed_secrets_do_not_open():
    upstream = uuid4()
    sealed = bytearray(seal_secrets(upstream, SECRETS))
    sealed[-1] ^= 1
    with pytest.raises(SecretsUnreadable, match="do not open"):
        open_secrets(upstream, bytes(sealed))


def test_a_key_that_is_gone_is_named(settings):
    upstream = uuid4()
    sealed = seal_secrets(upstream, SECRETS)
    settings.APPROVALS_SEALING_KEYS = {"k2": b"2" * 32}
    with pytest.raises(SecretsUnreadable, match="'k1'"):
        open_secrets(upstream, sealed)


def test_an_older_key_still_opens_after_a_new_one_became_current(settings):
    upstream = uuid4()
    sealed = seal_secrets(upstream, SECRETS)
    settings.APPROVALS_SEALING_KEYS = {"k2": b"2" * 32, "k1": b"1" * 32}
    assert open_secrets(upstream, sealed) == SECRETS


def test_nothing_sealed_is_no_secrets_at_all():
    assert open_secrets(uuid4(), None) == Secrets()


def test_a_repr_shows_no_secret():
    assert "hush" not in repr(SECRETS)
