"""Accounts: people sign in and change their password, and nothing else of who they are."""

import pytest
from django.test import Client

from approvals.models import User
from tests.support.builders import a_cast
from tests.support.pages import text_of

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


def test_a_refused_sign_in_says_the_same_whether_or_not_there_is_such_an_account() -> None:
    known = a_cast().bob.email
    said = []
    for email in (known, "nobody@example.org"):
        page = text_of(
            Client().post("/accounts/login/", {"login": email, "password": "not it"}).content
        )
        said.append(page.replace(email, "…"))
    assert said[0] == said[1]
    assert "E-mail and password do not belong together." in said[0]


def test_changing_a_password_is_worded_by_the_house() -> None:
    bob = a_cast().bob
    bob.set_password("an old one 1!")
    bob.save()
    client = Client()
    client.force_login(bob)
    path = "/accounts/password/change/"

    blank = client.get(path).content.decode()
    wrong = client.post(
        path, {"oldpassword": "guess", "password1": "Quiet-7-rivers", "password2": "other"}
    )

    assert "Password that you have now" in blank
    assert "placeholder" not in blank
    assert "This is not the password that you have now." in text_of(wrong.content)
    assert text_of(wrong.content).count("The two new passwords differ.") == 1
    assert "You must type the same password" not in text_of(wrong.content)
