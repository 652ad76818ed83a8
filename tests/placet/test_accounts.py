"""Accounts: people sign in and change their password, and nothing else of who they are."""

import pytest
from django.test import Client

from approvals.models import User
from tests.support.builders import a_cast

pytestmark = pytest.mark.django_db


def test_nobody_takes_another_address_by_themselves() -> None:
    bob = a_cast().bob
    before = bob.email
    client = Client()
    client.force_login(bob)
    for form in (
        {"action_add": "", "email": "chief@example.org"},
        {"action_primary": "", "email": "chief@example.org"},
    ):
        assert client.post("/accounts/email/", form).status_code == 404
    assert client.get("/accounts/email/").status_code == 404
    assert User.objects.get(pk=bob.pk).email == before
    assert not User.objects.filter(email="chief@example.org").exists()


@pytest.mark.parametrize("path", ["/accounts/login/", "/accounts/password/reset/"])
def test_the_door_is_open(path: str) -> None:
    assert Client().get(path).status_code == 200
